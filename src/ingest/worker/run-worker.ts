import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import { HistoryExpired } from '../../errors.ts'
import type { FeatureView, Registry } from '../../registry/registry.ts'
import type { WorkerLock } from '../../stores/leader-lock.ts'
import { reachOf } from '../../windows/reach-of.ts'
import { type MaterializeTargets, materialize } from '../materialize/materialize-view.ts'
import { type BatchTargets, computeSnapshots } from '../snapshots/compute-snapshots.ts'
import { snapshotDefinition } from '../snapshots/snapshot-plan.ts'
import {
  type DueRun,
  dueRun,
  expiredSnapshots,
  nextLook,
  retryAt,
  tasksOf,
  type ViewHistory,
  type ViewRecord,
} from './due-runs.ts'
import { type ExpiringSource, type ExpiryTargets, expireEvents, expires } from './expire-events.ts'

export interface WorkerTargets extends BatchTargets, MaterializeTargets, ExpiryTargets {
  readonly workerLock: WorkerLock
}

interface WorkerLog {
  readonly info: (line: string) => void
  readonly warn: (line: string, error: unknown) => void
}

export interface WorkerOptions {
  /** How far back stale snapshots are computed anew. */
  readonly recomputeMicros: Micros
  /** Ends when nothing is due any more, or when another worker runs. */
  readonly once: boolean
  /** Ends after the run that is under way. */
  readonly signal: AbortSignal
  /** Resolves early when the signal aborts. */
  readonly pause: (ms: number) => Promise<unknown>
  readonly sleep: (ms: number) => Promise<unknown>
  /** Unique; any text. */
  readonly newMarker: () => string
  readonly log: WorkerLog
}

export interface WorkerEnd {
  readonly runs: number
  /** Of runs, and of looking for them. */
  readonly failures: number
}

/** The lock is asked for, and asked after, so often. */
const beatMs = 3_000
/** A view whose state cannot be read is asked again after this. */
const lookAgainAfter: Micros = 60_000_000
/** Old events are dropped so often, and tried again after so long what could not be. */
const expireEvery: Micros = 86_400_000_000
const expireAgainAfter: Micros = 300_000_000
/** What one look takes: a batch run that wrote rows before so many that did not is no longer seen. */
const batchRunsSeen = 20

interface WatchedView {
  readonly view: FeatureView
  lookAt: Micros
  history: ViewHistory
  /** Of the snapshots that cannot be computed any more the newest that was told. */
  toldExpired: Micros
}

interface WatchedSource {
  readonly source: ExpiringSource
  lookAt: Micros
}

/**
 * Runs what is due of the views, and drops old events of the sources, one thing at a time and by turns, while this process holds the project's
 * worker lock; without it stands by. What is due is read from the stores before each run, so that a worker that takes
 * over goes on where the other ended. A failure is logged and tried again later; only with `once` does it reject, with
 * StoreFailed, when the database does not answer for the lock.
 */
export async function runWorker(
  targets: WorkerTargets,
  { views, eventSources }: Pick<Registry, 'views' | 'eventSources'>,
  options: WorkerOptions,
): Promise<WorkerEnd> {
  const { once, signal, pause } = options
  const leads = leadership(targets.workerLock, options)
  const watched = views
    .filter((view) => tasksOf(view).length > 0)
    .map(
      (view): WatchedView => ({
        view,
        lookAt: Number.NEGATIVE_INFINITY,
        history: {},
        toldExpired: Number.NEGATIVE_INFINITY,
      }),
    )
  const sources = eventSources
    .filter(expires)
    .map((source): WatchedSource => ({ source, lookAt: Number.NEGATIVE_INFINITY }))
  const counts = { runs: 0, failures: 0 }
  try {
    while (!signal.aborted) {
      const leading = await leads()
      if (!leading && once) break
      // What others did meanwhile changes what is due.
      if (!leading) for (const one of [...watched, ...sources]) one.lookAt = Number.NEGATIVE_INFINITY
      const looked = leading ? await goRound(targets, { watched, sources }, counts, options, leads) : 0
      if (looked > 0) continue
      if (once) break
      const nextMs =
        (Math.min(...[...watched, ...sources].map(({ lookAt }) => lookAt)) - targets.clock()) / 1_000
      await pause(leading ? Math.max(1, Math.min(beatMs, Math.ceil(nextMs))) : beatMs)
    }
  } finally {
    await targets.workerLock.release()
  }
  return counts
}

/** Every view whose time has come is looked at, and has one run at most; every source too. Answers how many were looked at. */
async function goRound(
  targets: WorkerTargets,
  {
    watched,
    sources,
  }: { readonly watched: readonly WatchedView[]; readonly sources: readonly WatchedSource[] },
  counts: { runs: number; failures: number },
  options: WorkerOptions,
  leads: () => Promise<boolean>,
): Promise<number> {
  let looked = 0
  for (const one of watched) {
    if (one.lookAt > targets.clock()) continue
    if (options.signal.aborted || !(await leads())) break
    looked += 1
    const outcome = await look(targets, one, options)
    if (outcome !== 'IDLE' && outcome !== 'UNKNOWN') counts.runs += 1
    if (outcome === 'FAILED' || outcome === 'UNKNOWN') counts.failures += 1
  }
  for (const one of sources) {
    if (one.lookAt > targets.clock()) continue
    if (options.signal.aborted || !(await leads())) break
    looked += 1
    if (!(await expire(targets, one, options))) counts.failures += 1
  }
  return looked
}

async function look(
  targets: WorkerTargets,
  watched: WatchedView,
  options: WorkerOptions,
): Promise<'IDLE' | 'SUCCEEDED' | 'FAILED' | 'UNKNOWN'> {
  const { clock } = targets
  const { view, history } = watched
  const { recomputeMicros, log } = options
  const record = await readRecord(targets, view, recomputeMicros).catch((error: unknown) => {
    log.warn(`${view.name}: what is due cannot be read: ${messageOf(error)}`, error)
    return null
  })
  const now = clock()
  if (record === null) {
    watched.lookAt = now + lookAgainAfter
    return 'UNKNOWN'
  }
  tellExpired(watched, expiredSnapshots(view, record, { now, recomputeMicros }), log)
  const run = dueRun(view, record, history, { now, recomputeMicros })
  if (run === null) {
    watched.lookAt = nextLook(view, record, history, now)
    return 'IDLE'
  }
  try {
    const told = await perform(targets, run, options)
    if (told !== null) log.info(`${view.name}: ${told}`)
    watched.history = { ...history, [run.kind]: { endedAt: clock(), failures: 0 } }
    return 'SUCCEEDED'
  } catch (error) {
    const end = { endedAt: clock(), failures: (history[run.kind]?.failures ?? 0) + 1 }
    watched.history = { ...history, [run.kind]: end }
    const next = formatTimestamp(Math.min(retryAt(view, run.kind, end), Number.MAX_SAFE_INTEGER))
    log.warn(`${view.name}: ${doing[run.kind]} failed, next try at ${next}: ${messageOf(error)}`, error)
    return 'FAILED'
  }
}

/** False: it failed. */
async function expire(
  targets: WorkerTargets,
  watched: WatchedSource,
  { log }: WorkerOptions,
): Promise<boolean> {
  const { source } = watched
  try {
    const { dropped, left } = await expireEvents(targets, source)
    if (dropped !== null) log.info(dropped)
    if (left !== null) log.info(left)
    watched.lookAt = targets.clock() + (left === null ? expireEvery : expireAgainAfter)
    return true
  } catch (error) {
    watched.lookAt = targets.clock() + expireAgainAfter
    log.warn(`${source.name}: dropping old events failed: ${messageOf(error)}`, error)
    return false
  }
}

/** Once: they stay as they are for ever. */
function tellExpired(watched: WatchedView, expired: readonly Micros[], log: WorkerLog): void {
  const news = expired.filter((time) => time > watched.toldExpired)
  const newest = news.at(-1)
  if (newest === undefined) return
  watched.toldExpired = newest
  const error = new HistoryExpired(
    `${watched.view.name}: ${news.length} snapshots up to ${formatTimestamp(newest)} are left as they are, since events of theirs were dropped`,
  )
  log.warn(error.message, error)
}

const doing: Readonly<Record<DueRun['kind'], string>> = {
  MISSING: 'computing snapshots',
  STALE: 'computing stale snapshots anew',
  MATERIALIZE: 'carrying rows online',
}

/** What is worth a line in the log; null: nothing. */
async function perform(
  targets: WorkerTargets,
  run: DueRun,
  { log, newMarker, sleep }: WorkerOptions,
): Promise<string | null> {
  const { view } = run
  const onWait = (): void => log.info(`${view.name}: another run is under way; waiting for its end`)
  const onProgress = (): void => {}
  switch (run.kind) {
    case 'MISSING':
    case 'STALE': {
      const scope =
        run.kind === 'MISSING'
          ? ({ kind: 'TIMES', times: run.times } as const)
          : ({ kind: 'STALE', since: run.since } as const)
      const { times, written } = await computeSnapshots(targets, run.view, scope, {
        createdAfterMicros: null,
        onWait,
        onProgress,
      })
      const newest = times.at(-1)
      if (newest === undefined) return null
      const which =
        times.length === 1
          ? `the snapshot of ${formatTimestamp(newest)}`
          : `${times.length} snapshots up to ${formatTimestamp(newest)}`
      return `${which} computed, ${written} rows written`
    }
    case 'MATERIALIZE': {
      const { written } = await materialize(targets, view, {
        range: null,
        newMarker,
        sleep,
        onWait,
        onProgress,
      })
      return written === 0 ? null : `${written} rows carried online`
    }
  }
}

async function readRecord(
  { snapshots, runs, clock }: WorkerTargets,
  view: FeatureView,
  recomputeMicros: Micros,
): Promise<ViewRecord> {
  const watermark = view.online ? await runs.readWatermark(view.name) : null
  const carriedUntil = watermark?.carriedUntil ?? null
  if (view.kind !== 'BATCH') return { snapshots: [], keptSince: null, batchWroteAt: null, carriedUntil }
  const filter = { kind: 'BATCH', view: view.name, since: null, first: batchRunsSeen, after: null } as const
  const wrote = (await runs.runs(filter)).filter(({ rowsWritten }) => (rowsWritten ?? 0) > 0)
  return {
    snapshots: await snapshots.recorded(view, {
      definition: snapshotDefinition(view),
      reachMicros: reachOf(view),
      since: clock() - recomputeMicros,
    }),
    keptSince: await snapshots.keptSince(view),
    batchWroteAt: wrote.length === 0 ? null : Math.max(...wrote.map(({ finishedAt }) => finishedAt ?? 0)),
    carriedUntil,
  }
}

/** Whether this process holds the lock, told when that changes. */
function leadership(lock: WorkerLock, { log, once }: WorkerOptions): () => Promise<boolean> {
  let told: 'LEADS' | 'STANDS_BY' | 'UNKNOWN' | null = null
  return async () => {
    try {
      const holds = await lock.hold()
      if (holds && told !== null && told !== 'LEADS') log.info('this worker runs from now on')
      if (!holds && told !== 'STANDS_BY') {
        log.info(`another worker of the project runs; ${once ? 'nothing is left to do here' : 'standing by'}`)
      }
      told = holds ? 'LEADS' : 'STANDS_BY'
      return holds
    } catch (error) {
      if (once) throw error
      if (told !== 'UNKNOWN')
        log.warn(`the worker's lock is lost or cannot be had; trying again: ${messageOf(error)}`, error)
      told = 'UNKNOWN'
      return false
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
