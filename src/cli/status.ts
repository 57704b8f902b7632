import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import { StoreFailed } from '../errors.ts'
import { systemClock } from '../gateway/system-clock.ts'
import type { StoredView } from '../registry/registry.ts'
import { onlineKeySuffix } from '../stores/online-value/online-key.ts'
import { readRowOrder } from '../stores/online-value/packed-row.ts'
import { textTable } from './text-table.ts'
import { type CommandWorld, withStores } from './with-stores.ts'

/** Of so many of the newest rows it is looked whether they are online. */
const checkedAt = 500

/**
 * `featuregraph status`: per view the newest row offline, the newest online, until when rows were materialized, and the oldest
 * due row that no materialize has carried yet (a push may have, at once).
 */
export async function status(): Promise<void> {
  await withStores(async (world) => {
    const { registry, stores, makeTables } = world
    await makeTables()
    const now = systemClock()
    const rows: string[][] = []
    for (const view of registry.views.filter((one) => one.kind !== 'STREAM')) {
      const watermark = view.online ? await stores.runs.readWatermark(view.name) : null
      const lag = await stores.offline.materializeLag(view, now, watermark)
      rows.push([
        view.name,
        shown(lag.newestEventTimestamp),
        view.online ? await newestOnline(world, view, now) : 'not online',
        view.online ? shown(watermark?.materializedUntil ?? null) : '-',
        view.online ? shown(lag.oldestNotMaterialized) : '-',
      ])
    }
    const head = ['VIEW', 'NEWEST OFFLINE', 'NEWEST ONLINE', 'CARRIED UNTIL', 'OLDEST NOT CARRIED']
    process.stdout.write(textTable([head, ...rows]))
  })
}

/** An online store is not searched: the keys that have the newest rows offline are looked up there. */
async function newestOnline(
  { stores, layouts }: CommandWorld,
  view: StoredView,
  now: Micros,
): Promise<string> {
  const keys = await stores.offline.newestKeys(view, now, checkedAt)
  const prefix = layouts.keyPrefix(view)
  try {
    const rows = await stores.online.readMany(keys.map((key) => prefix + onlineKeySuffix(key)))
    const events = rows.flatMap((row) => (row === null ? [] : (readRowOrder(row)?.[0] ?? [])))
    return shown(events.length === 0 ? null : Math.max(...events))
  } catch (error) {
    if (!(error instanceof StoreFailed)) throw error
    return 'no answer'
  }
}

function shown(micros: Micros | null): string {
  return micros === null ? '-' : formatTimestamp(micros)
}
