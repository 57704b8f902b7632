import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, entity, eventSource, featureView, stream, windowedView } from 'featuregraph'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const payments = eventSource('payments', { eventTimestamp: 'at', fields: { customer_id: 'int64' } })
const definitions = {
  customer,
  payments,
  profile: featureView('profile', { entity: customer, online: true, features: { score: 'float64' } }),
  recent: windowedView('recent', {
    entity: customer,
    source: payments,
    online: true,
    compute: stream(),
    features: { n: count('1h') },
  }),
}

/** A folder with the definitions: a view of pushed rows, and one that is computed on the stream. */
export async function lossDefinitions(): Promise<{
  readonly folder: string
  readonly remove: () => Promise<void>
}> {
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-loss-'))
  const lines = Object.entries(definitions).map(
    ([name, value]) => `export const ${name} = ${JSON.stringify(value)}\n`,
  )
  await writeFile(join(folder, 'definitions.mjs'), lines.join(''))
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}
