import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { BadUserInput } from '../errors.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { type FullReason, type Materialized, materialize } from '../ingest/materialize/materialize-view.ts'
import { verifyView } from '../ingest/refill/verify-view.ts'
import type { FeatureView, Registry, StoredView } from '../registry/registry.ts'
import { argumentTimestamp } from './argument-timestamp.ts'
import { namedViews } from './named-views.ts'
import { rowCounter } from './progress-bar.ts'
import { withStores } from './with-stores.ts'

interface MaterializeArguments {
  readonly from?: string
  readonly to?: string
  readonly verify?: boolean
}

/** `featuregraph materialize [views…]`: one view after the other; a final line for each on standard output. */
export async function materializeViews(
  names: readonly string[],
  { from, to, verify = false }: MaterializeArguments,
): Promise<void> {
  const range = { from: argumentTimestamp('--from', from), to: argumentTimestamp('--to', to) }
  if (verify && (from !== undefined || to !== undefined))
    throw new BadUserInput('--verify compares all rows; it takes no --from and no --to')
  const bounded = range.from !== null || range.to !== null
  await withStores('WRITTEN', async ({ registry, stores, layouts, checkTables }) => {
    const views = chooseViews(registry, names)
    await checkTables()
    for (const view of views) {
      const counter = rowCounter(`materializing ${view.name}`, 'rows')
      const targets = { ...stores, ...layouts, clock: systemClock }
      const onWait = (): void => {
        process.stderr.write(`${view.name}: another run is under way; waiting for its end\n`)
      }
      if (verify) {
        const options = { onWait, onProgress: counter.update }
        const { compared, repaired } = await verifyView(targets, view, options).finally(counter.stop)
        process.stdout.write(
          `${view.name}: ${compared} rows compared, ${repaired} of them missing or older online and written again\n`,
        )
        continue
      }
      const result = await materialize(targets, view, {
        range: bounded ? range : null,
        newMarker: randomUUID,
        sleep,
        onWait,
        onProgress: counter.update,
      }).finally(counter.stop)
      process.stdout.write(`${summary(view, result)}\n`)
    }
  })
}

function chooseViews(registry: Registry, names: readonly string[]): readonly StoredView[] {
  const asked =
    names.length === 0 ? registry.views.filter((view) => view.online) : namedViews(registry, names)
  const offline = asked.filter((view) => !view.online).map((view) => view.name)
  if (offline.length > 0) {
    throw new BadUserInput(
      `not in the online store by their definition (online: false): ${offline.join(', ')}`,
    )
  }
  const streamed = asked.filter((view) => view.kind === 'STREAM').map((view) => view.name)
  if (names.length > 0 && streamed.length > 0)
    throw new BadUserInput(
      `streaming feature views follow their events by themselves: ${streamed.join(', ')}`,
    )
  return asked.filter((view) => view.kind !== 'STREAM')
}

const reasons: Readonly<Record<FullReason, string>> = {
  FIRST_RUN: 'in full, the first run',
  ONLINE_STORE_LOST_ROWS: 'in full, since the online store has lost rows or is another',
  OTHER_DATABASE: 'in full, since the offline store is another database',
  REDEFINED: 'in full, since its definition has changed',
  MAPPED_SOURCE: 'in full, since its source has no arrival',
  FILES_CHANGED: 'in full, since files that were read before have changed or are gone',
}

function summary(
  view: FeatureView,
  { reason, read, written, older, expired, notComputed }: Materialized,
): string {
  const how = reason === null ? '' : ` (${reasons[reason]})`
  const waiting =
    notComputed === 0
      ? ''
      : `, ${notComputed} left until their snapshots are recomputed by today's definition`
  return `${view.name}: ${read} rows read, ${written} written, ${older} older than what was there, ${expired} expired${waiting}${how}`
}
