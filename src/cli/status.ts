import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import { type NeededWork, neededWork, notRunningMessage, workNotRunning } from '../gateway/background-work.ts'
import { reportDefinitions } from '../gateway/report-definitions.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { eventsBehind } from '../ingest/tiles/events-behind.ts'
import { generationsOf } from '../ingest/tiles/tile-generation.ts'
import type { BatchView, FeatureView, StoredView, StreamView } from '../registry/registry.ts'
import { onlineKeySuffix } from '../stores/online-value/online-key.ts'
import { readRowOrder } from '../stores/online-value/packed-row.ts'
import { jsonText } from './json-text.ts'
import { noAnswer, onlineStates } from './online-states.ts'
import { textTable } from './text-table.ts'
import { type CommandWorld, type WhenEmpty, withStores } from './with-stores.ts'

/** Of so many of the newest rows it is checked whether they are online. */
const checkedAt = 500
const shownOverrides = 20

/**
 * `featuregraph status`: per view the newest row offline, the newest online, until when rows were materialized, and the oldest
 * due row that no materialize has taken yet (a push may have, at once); per streaming view how many stored events its tiles
 * lack and until when they are caught up.
 */
export async function status({ json = false }: { readonly json?: boolean }): Promise<void> {
  await withStores(
    'READ',
    async (world) => {
      const { config, registry, stores, checkTables } = world
      await checkTables()
      const now = systemClock()
      const states = await onlineStates(world)
      const missing = workNotRunning(neededWork(registry, config), await stores.processes.running())
      const stored: StoredStatus[] = []
      const streamed: StreamStatus[] = []
      for (const view of registry.views) {
        const about = {
          ...{ view: view.name, kind: view.kind, online: view.online },
          state: states.get(view) ?? null,
          needs: missing.find(({ views }) => views.includes(view.name))?.command ?? null,
        }
        if (view.kind === 'STREAM') streamed.push({ ...about, ...(await streamPositions(world, view)) })
        else stored.push({ ...about, ...(await rowTimes(world, view, now)) })
      }
      const notes = await reportDefinitions(stores, registry, systemClock)
      if (json) {
        const shownViews = [...stored, ...streamed].map((one) => withTimes(one))
        process.stdout.write(
          jsonText({ views: shownViews, notRunning: missing.map((one) => notRunning(one)), notes }),
        )
        return
      }
      process.stdout.write(storedTable(stored))
      if (streamed.length > 0) process.stdout.write(`\n${streamTable(streamed)}`)
      for (const line of [...missing.map(notRunningMessage), ...notes]) process.stdout.write(`\n${line}\n`)
      for (const view of registry.views) if (view.kind === 'BATCH') await tellOverrides(world, view)
    },
    nothingApplied(json),
  )
}

function nothingApplied(json: boolean): WhenEmpty {
  return async (_world, { message }) => {
    const empty = { views: [], notRunning: [], notes: [message] }
    process.stdout.write(json ? jsonText(empty) : `${message}\n`)
  }
}

interface ViewStatus {
  readonly view: string
  readonly kind: FeatureView['kind']
  readonly online: boolean
  /** `complete`, or why its rows online are not; null: it is not online. */
  readonly state: string | null
  /** The command without which the view stands still, where no process runs it; else null. */
  readonly needs: string | null
}

interface StoredStatus extends ViewStatus {
  readonly newestOffline: Micros | null
  /** Null too where the online store does not answer. */
  readonly newestOnline: Micros | null
  readonly materializedUntil: Micros | null
  readonly oldestNotMaterialized: Micros | null
}

interface StreamStatus extends ViewStatus {
  /** Null where nothing is applied yet, or the online store does not answer. */
  readonly eventsBehind: number | null
  readonly caughtUpUntil: Micros | null
}

const timeFields = [
  'newestOffline',
  'newestOnline',
  'materializedUntil',
  'oldestNotMaterialized',
  'caughtUpUntil',
]

function withTimes(status: StoredStatus | StreamStatus): object {
  return Object.fromEntries(
    Object.entries(status).map(([field, value]) => [
      field,
      typeof value === 'number' && timeFields.includes(field) ? formatTimestamp(value) : value,
    ]),
  )
}

function notRunning(work: NeededWork): object {
  return { ...work, message: notRunningMessage(work) }
}

function storedTable(all: readonly StoredStatus[]): string {
  const head = [
    'VIEW',
    'NEWEST OFFLINE',
    'NEWEST ONLINE',
    'MATERIALIZED UNTIL',
    'OLDEST NOT MATERIALIZED',
    'ONLINE ROWS',
  ]
  const rows = all.map((one) => [
    one.view,
    shown(one.newestOffline),
    one.online ? (one.state === 'no answer' ? 'no answer' : shown(one.newestOnline)) : 'not online',
    shown(one.materializedUntil),
    shown(one.oldestNotMaterialized),
    one.state ?? '-',
  ])
  return textTable([head, ...rows])
}

function streamTable(all: readonly StreamStatus[]): string {
  const rows = all.map((one) => [
    one.view,
    one.online ? String(one.eventsBehind ?? '-') : 'not online',
    shown(one.caughtUpUntil),
    one.state ?? '-',
  ])
  return textTable([['STREAMING VIEW', 'EVENTS BEHIND', 'CAUGHT UP UNTIL', 'ONLINE ROWS'], ...rows])
}

async function rowTimes(
  world: CommandWorld,
  view: StoredView,
  now: Micros,
): Promise<Omit<StoredStatus, keyof ViewStatus>> {
  const { runs, offline } = world.stores
  const watermark = view.online ? await runs.readWatermark(view.id) : null
  const lag = await offline.materializeLag(view, now, watermark)
  return {
    newestOffline: lag.newestEventTimestamp,
    newestOnline: view.online ? await newestOnline(world, view, now) : null,
    materializedUntil: watermark?.materializedUntil ?? null,
    oldestNotMaterialized: view.online ? lag.oldestNotMaterialized : null,
  }
}

async function streamPositions(
  { stores, layouts }: CommandWorld,
  view: StreamView,
): Promise<Omit<StreamStatus, keyof ViewStatus>> {
  const known = generationsOf(layouts, view, await stores.generations.list())
  const live = known.find((one) => one.state === 'LIVE')
  if (!live) return { eventsBehind: null, caughtUpUntil: null }
  const prefix = layouts.tilePrefix(live, live.generation)
  const behind = await eventsBehind(stores, view.events, prefix).catch(noAnswer)
  return { eventsBehind: behind, caughtUpUntil: live.watermark }
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
): Promise<Micros | null> {
  const keys = await stores.offline.newestKeys(view, now, checkedAt)
  const prefix = await layouts.rowPrefix(view)
  const read = await stores.online.readMany(keys.map((key) => prefix + onlineKeySuffix(key))).catch(noAnswer)
  const events = (read?.rows ?? []).flatMap((row) => (row === null ? [] : (readRowOrder(row)?.[0] ?? [])))
  return events.length === 0 ? null : Math.max(...events)
}

function shown(micros: Micros | null): string {
  return micros === null ? '-' : formatTimestamp(micros)
}
