import type { Clock, Micros } from '../../definitions/timestamp.ts'
import { StoreFailed } from '../../errors.ts'
import { isComputed } from '../../registry/is-computed.ts'
import type { StoredView } from '../../registry/registry.ts'
import type { NewestRowsReading, NewestRowsScope, StoredFeatureRow } from '../../stores/newest-rows.ts'
import type { OfflineStore } from '../../stores/offline-store.ts'
import { isParquet } from '../../stores/offline-view.ts'
import type { OnlineStore, OnlineWrite } from '../../stores/online-store.ts'
import { onlineKeySuffix } from '../../stores/online-value/online-key.ts'
import { type RowLayout, rowPacker } from '../../stores/online-value/packed-row.ts'
import { physicalExpiry } from '../../stores/online-value/physical-expiry.ts'
import type { RunStore, Watermark } from '../../stores/run-store.ts'
import { retryPauseMs, retryStore } from '../retry.ts'

export interface MaterializeTargets {
  readonly offline: OfflineStore
  readonly online: OnlineStore
  readonly runs: RunStore
  /** The front of the view's online keys, as it is recorded now. */
  readonly rowPrefix: (view: StoredView) => Promise<string>
  /** Has the view's rows written under new keys, with this front. */
  readonly renewedPrefix: (view: StoredView) => Promise<string>
  readonly layout: (view: StoredView) => RowLayout
  readonly clock: Clock
}

export interface MaterializeOptions {
  /** Event timestamps from `from` on and before `to`; the watermark stays where it is. Null: everything new. */
  readonly range: { readonly from: Micros | null; readonly to: Micros | null } | null
  /** Unique; any text. */
  readonly newMarker: () => string
  readonly sleep: (ms: number) => Promise<unknown>
  /** Another run of the view is under way and is waited for. */
  readonly onWait: () => void
  /** Rows read so far. */
  readonly onProgress: (read: number) => void
}

/** Why a view was read in full. */
export type FullReason =
  | 'FIRST_RUN'
  | 'ONLINE_STORE_LOST_ROWS'
  | 'OTHER_DATABASE'
  | 'MAPPED_SOURCE'
  | 'FILES_CHANGED'
  | 'REDEFINED'

export interface Materialized {
  readonly scope: NewestRowsScope['kind']
  /** Null unless `scope` is FULL. */
  readonly reason: FullReason | null
  /** The newest rows of as many keys. */
  readonly read: number
  readonly written: number
  /** The online store held a newer row. */
  readonly older: number
  /** So long past their ttl that the online store would not keep them; not sent. */
  readonly expired: number
  /** Of snapshots that another definition computed; not sent until they are recomputed. */
  readonly notComputed: number
}

const writesInFlight = 4

/**
 * Writes the newest due row of each key to the online store. Incremental by arrival since the watermark; in full on the first run,
 * when the online store lacks the watermark's marker (it was emptied, set back or replaced), when the offline store is
 * another database, for mapped tables, when Parquet files that were read have changed or are gone, and when rows of another definition stand online: it is complete once the newest
 * row of every key is of today's. Compare-and-set writes make it safe beside pushes and streams, to be
 * stopped anywhere and to be run again. One run per view at a time; memory is bounded by the batches in flight.
 * Where the connection to the online store was remade, what was written before may be lost: it starts again.
 * @throws StoreFailed when a store goes on failing; the watermark has not moved then, so the next run does it all.
 */
export async function materialize(
  targets: MaterializeTargets,
  view: StoredView,
  options: MaterializeOptions,
): Promise<Materialized> {
  const { runs, clock } = targets
  const subject = { kind: 'MATERIALIZE', view: view.id, asOf: null } as const
  return await runs.withRun(subject, { now: clock, onWait: options.onWait }, async (progress) => {
    const onProgress = (read: number): void => {
      progress(read)
      options.onProgress(read)
    }
    const result = await untilUnbroken(view, options, () =>
      runOnce(targets, view, { ...options, onProgress }),
    )
    const { read, written } = result
    return { result, outcome: { state: 'SUCCEEDED', rowsRead: read, rowsWritten: written, error: null } }
  })
}

const runsAtMost = 5

/** Null is a run whose connection to the online store did not last. */
async function untilUnbroken(
  view: StoredView,
  { sleep }: MaterializeOptions,
  run: () => Promise<Materialized | null>,
): Promise<Materialized> {
  for (let runs = 0; runs < runsAtMost; runs += 1) {
    const result = await run()
    if (result !== null) return result
    await sleep(retryPauseMs(runs))
  }
  throw new StoreFailed(
    `feature view "${view.name}": the connection to the online store broke in each of ${runsAtMost} tries; its watermark has not moved, so the next materialize writes the same rows`,
  )
}

async function runOnce(
  targets: MaterializeTargets,
  view: StoredView,
  options: MaterializeOptions,
): Promise<Materialized | null> {
  const { online, runs } = targets
  const retried = retrying(view, options.sleep)
  const watermark = await runs.readWatermark(view.id)
  const prefix = await prefixFor(targets, view, watermark, options.range)
  const marker = await retried('answer', () => online.readMarker(prefix))
  const connection = online.writeConnection()
  const { scope, reason } = chooseScope(view, watermark, marker, options.range)
  if (watermark !== null && isRedefined(view, watermark)) await runs.beginFilling(view.id, view.definition)
  const { reading, now, ...counts } = await sendNewest(targets, view, { prefix, scope, retried }, options)
  const done = { scope: reading.scope, reason, ...counts }
  if (scope.kind === 'RANGE') return done
  const isComplete = reading.isCurrent && counts.notComputed === 0
  const { definition, filling } = filledBy(view, watermark, isComplete)
  const next = { ...reading, materializedUntil: now, marker: options.newMarker(), definition, filling }
  await runs.announceMarker(view.id, next.marker)
  // The marker stands after every row only on the connection that took the rows.
  if (online.writeConnection() !== connection) return null
  try {
    await online.writeMarker(prefix, next.marker)
  } catch (error) {
    if (error instanceof StoreFailed) return null
    throw error
  }
  await runs.moveWatermark(view.id, next)
  if (scope.kind !== 'ARRIVED' || reading.scope !== 'FULL') return done
  return { ...done, reason: isParquet(view) ? 'FILES_CHANGED' : 'OTHER_DATABASE' }
}

/**
 * Writes again what a store that lost the tail of its commands may lack of a view whose marker it still has: the rows that
 * have arrived since the watermark. The watermark stays. Mapped sources have none: their marker stands after all rows.
 * @throws StoreFailed
 */
export async function catchUp(
  targets: MaterializeTargets,
  view: StoredView,
  options: Pick<MaterializeOptions, 'sleep'>,
): Promise<void> {
  if (view.source !== null) return
  const watermark = await targets.runs.readWatermark(view.id)
  if (watermark === null) return
  if (isRedefined(view, watermark)) await targets.runs.beginFilling(view.id, view.definition)
  const scope = { kind: 'ARRIVED', since: watermark } as const
  const retried = retrying(view, options.sleep)
  const prefix = await targets.rowPrefix(view)
  await sendNewest(targets, view, { prefix, scope, retried }, { onProgress: () => {} })
}

interface Sending {
  readonly prefix: string
  readonly scope: NewestRowsScope
  readonly retried: Retried
}

async function sendNewest(
  targets: MaterializeTargets,
  view: StoredView,
  { prefix, scope, retried }: Sending,
  { onProgress }: Pick<MaterializeOptions, 'onProgress'>,
): Promise<Counts & { readonly reading: NewestRowsReading; readonly now: Micros; readonly read: number }> {
  const { offline } = targets
  const now = targets.clock()
  const sender = rowSender(targets, { view, prefix, now }, retried)
  let read = 0
  const reading = await offline.newestRows({ view, now, scope }, async (rows) => {
    await sender.send(view.source === null ? rows : await withoutDeleted(offline, view, rows))
    read += rows.length
    onProgress(read)
  })
  return { ...(await sender.finish()), reading, now, read }
}

/**
 * Rows of a mapped source that is read otherwise now may be older than those online, or of fewer keys: what stands there
 * would stay. A computed snapshot replaces the one of its time instead, and ends with a closing row.
 */
async function prefixFor(
  targets: MaterializeTargets,
  view: StoredView,
  watermark: Watermark | null,
  range: MaterializeOptions['range'],
): Promise<string> {
  const isReplaced =
    view.source !== null && range === null && watermark !== null && isRedefined(view, watermark)
  return isReplaced ? await targets.renewedPrefix(view) : await targets.rowPrefix(view)
}

function isRedefined(view: StoredView, { definition, filling }: Watermark): boolean {
  return isComputed(view) && (filling !== null || definition !== view.definition)
}

function filledBy(
  view: StoredView,
  watermark: Watermark | null,
  isComplete: boolean,
): Pick<Watermark, 'definition' | 'filling'> {
  if (!isComputed(view)) return { definition: null, filling: null }
  return isComplete
    ? { definition: view.definition, filling: null }
    : { definition: watermark?.definition ?? '', filling: view.definition }
}

/** Rows of a table of the caller's stand there also after their entity was deleted. */
async function withoutDeleted(
  offline: OfflineStore,
  view: StoredView,
  rows: readonly StoredFeatureRow[],
): Promise<readonly StoredFeatureRow[]> {
  const deleted = await offline.deletedRows(view, rows)
  return rows.filter((_, index) => !deleted[index])
}

function chooseScope(
  view: StoredView,
  watermark: Watermark | null,
  marker: string | null,
  range: MaterializeOptions['range'],
): { readonly scope: NewestRowsScope; readonly reason: FullReason | null } {
  if (range !== null) return { scope: { kind: 'RANGE', ...range }, reason: null }
  const inFull = (reason: FullReason) => ({ scope: { kind: 'FULL' } as const, reason })
  if (view.source !== null && !hasFiles(view)) return inFull('MAPPED_SOURCE')
  if (watermark === null) return inFull('FIRST_RUN')
  // Under keys of its own then, where no marker stands yet.
  if (isRedefined(view, watermark)) return inFull('REDEFINED')
  if (marker !== watermark.marker) return inFull('ONLINE_STORE_LOST_ROWS')
  return { scope: { kind: 'ARRIVED', since: watermark }, reason: null }
}

/** Which files are new is known of these; a Delta table is read whole. */
function hasFiles(view: StoredView): boolean {
  return isParquet(view) && view.source.format === 'parquet'
}

type Retried = <Result>(what: string, attempt: () => Promise<Result>) => Promise<Result>

function retrying(view: StoredView, sleep: MaterializeOptions['sleep']): Retried {
  return (what, attempt) =>
    retryStore(sleep, attempt, (tries, cause) => {
      const message = `the online store did not ${what} in ${tries} tries (${cause.message})`
      return new StoreFailed(
        `feature view "${view.name}": ${message}; its watermark has not moved, so the next materialize writes the same rows`,
        { cause },
      )
    })
}

type Counts = Pick<Materialized, 'written' | 'older' | 'expired' | 'notComputed'>

interface RowSender {
  /** Resolves when another batch may come, not when this one is written. */
  readonly send: (rows: readonly StoredFeatureRow[]) => Promise<void>
  /** Resolves when all is written. */
  readonly finish: () => Promise<Counts>
}

/** Packs and writes batches, a few at a time: no key comes twice, so their order does not matter. */
function rowSender(
  targets: Pick<MaterializeTargets, 'online' | 'layout'>,
  { view, prefix, now }: { readonly view: StoredView; readonly prefix: string; readonly now: Micros },
  retried: Retried,
): RowSender {
  const pack = rowPacker(targets.layout(view))
  const expireAfter = physicalExpiry(view.ttlMicros)
  const oldest = expireAfter === null ? Number.NEGATIVE_INFINITY : now - expireAfter
  const inFlight = new Set<Promise<void>>()
  const counts = { written: 0, older: 0, expired: 0, notComputed: 0 }
  const failures: unknown[] = []

  async function write(writes: readonly OnlineWrite[]): Promise<void> {
    const outcomes = await retried('take rows', () => targets.online.writeMany(writes, expireAfter))
    for (const outcome of outcomes) counts[outcome === 'WRITTEN' ? 'written' : 'older'] += 1
  }
  function refuseAfterFailure(): void {
    if (failures.length > 0) throw failures[0]
  }

  return {
    async send(rows) {
      const computed = rows.filter((row) => row.isCurrent)
      counts.notComputed += rows.length - computed.length
      const kept = computed.filter((row) => row.eventTimestamp > oldest)
      counts.expired += computed.length - kept.length
      if (kept.length === 0) return
      const writes = kept.map((row) => ({ key: prefix + onlineKeySuffix(row.key), row: pack(row) }))
      const writing: Promise<void> = write(writes)
        .catch((error: unknown) => {
          failures.push(error)
        })
        .finally(() => inFlight.delete(writing))
      inFlight.add(writing)
      while (inFlight.size >= writesInFlight) await Promise.race(inFlight)
      refuseAfterFailure()
    },
    async finish() {
      await Promise.all(inFlight)
      refuseAfterFailure()
      return counts
    },
  }
}
