import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import { StoreFailed } from '../errors.ts'
import { reportDefinitions } from '../gateway/report-definitions.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { fillProgress } from '../ingest/refill/fill-progress.ts'
import { onlineGuard } from '../online/guard.ts'
import { liveTiles } from '../online/live-tiles.ts'
import type { BatchView, FeatureView, StoredView } from '../registry/registry.ts'
import { parseGuard } from '../stores/online-value/guard-text.ts'
import { onlineKeySuffix } from '../stores/online-value/online-key.ts'
import { readRowOrder } from '../stores/online-value/packed-row.ts'
import { textTable } from './text-table.ts'
import { type CommandWorld, withStores } from './with-stores.ts'

/** Of so many of the newest rows it is looked whether they are online. */
const checkedAt = 500
const shownOverrides = 20

/**
 * `featuregraph status`: per view the newest row offline, the newest online, until when rows were materialized, and the oldest
 * due row that no materialize has carried yet (a push may have, at once).
 */
export async function status(): Promise<void> {
  await withStores('READ', async (world) => {
    const { registry, stores, makeTables } = world
    await makeTables()
    const now = systemClock()
    const online = await onlineStates(world)
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
        online.get(view) ?? '-',
      ])
    }
    const head = [
      'VIEW',
      'NEWEST OFFLINE',
      'NEWEST ONLINE',
      'CARRIED UNTIL',
      'OLDEST NOT CARRIED',
      'ONLINE ROWS',
    ]
    process.stdout.write(textTable([head, ...rows]))
    const streamed = registry.views.filter((view) => view.kind === 'STREAM' && view.online)
    if (streamed.length > 0)
      process.stdout.write(
        `\n${textTable([['STREAMING VIEW', 'ONLINE ROWS'], ...streamed.map((view) => [view.name, online.get(view) ?? '-'])])}`,
      )
    for (const line of await reportDefinitions(stores, registry, systemClock))
      process.stdout.write(`\n${line}\n`)
    for (const view of registry.views) if (view.kind === 'BATCH') await tellOverrides(world, view)
  })
}

/** `complete`, or why a gateway does not answer of the view, and how far it is. */
async function onlineStates({
  registry,
  stores,
  layouts,
}: CommandWorld): Promise<ReadonlyMap<FeatureView, string>> {
  const views = registry.views.filter((view) => view.online)
  const tiles = liveTiles(layouts, views, stores.generations)
  const guard = onlineGuard(layouts, views, { record: stores.guardRecord, tiles })
  await guard.refresh()
  const read = await stores.online.readMany([]).catch((error: unknown) => {
    if (!(error instanceof StoreFailed)) throw error
    return null
  })
  if (read === null) return new Map(views.map((view) => [view, 'no answer']))
  const { epoch: recorded } = await stores.guardRecord.moment()
  // The first gateway, worker or stream checks the store.
  if (recorded === 0) return new Map(views.map((view) => [view, 'unchecked']))
  // Of a connection that was just made nothing is proven; what it reads is shown.
  const epoch = parseGuard(read.guard)?.epoch ?? null
  const progress = await fillProgress(stores.runs)
  const state = (view: FeatureView): string => {
    const place = guard.placeOf(view)
    const reason =
      typeof place === 'string' ? place : epoch === null ? 'LOST' : guard.missing(view, place, epoch)
    if (reason === null) return 'complete'
    const rowsRead = progress.get(view.name)
    return rowsRead === undefined ? reason : `${reason}, ${rowsRead} rows read`
  }
  return new Map(views.map((view) => [view, state(view)]))
}

/** The pushed rows over snapshots that were computed since: late events may have changed what they correct. */
async function tellOverrides({ stores }: CommandWorld, view: BatchView): Promise<void> {
  const standing = (await stores.snapshots.overrides(view, null)).filter(({ isRecomputed }) => isRecomputed)
  if (standing.length === 0) return
  const shownKeys = standing
    .slice(0, shownOverrides)
    .map(({ key, eventTimestamp }) => `  ${key.join(', ')} at ${formatTimestamp(eventTimestamp)}\n`)
  const more = standing.length > shownOverrides ? `  and ${standing.length - shownOverrides} more\n` : ''
  process.stdout.write(
    `\n${view.name}: ${standing.length} pushed row(s) stand over snapshots that were computed again since; \`featuregraph batch ${view.name} --replace-pushed\` ends them\n${shownKeys.join('')}${more}`,
  )
}

/** An online store is not searched: the keys that have the newest rows offline are looked up there. */
async function newestOnline(
  { stores, layouts }: CommandWorld,
  view: StoredView,
  now: Micros,
): Promise<string> {
  const keys = await stores.offline.newestKeys(view, now, checkedAt)
  const prefix = await layouts.rowPrefix(view)
  try {
    const rows = (await stores.online.readMany(keys.map((key) => prefix + onlineKeySuffix(key)))).rows
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
