import type { Micros } from '../../definitions/timestamp.ts'
import { messageOf } from '../../errors.ts'
import type { Registry, StoredView } from '../../registry/registry.ts'
import type { LeaderLock } from '../../stores/leader-lock.ts'
import { tasksOf } from './due-runs.ts'
import { type ExpiringSource, type ExpiryTargets, expireEvents, expires } from './expire-events.ts'
import { type RunOptions, type RunTargets, runDue, type WatchedView } from './run-due.ts'
import { isVerified, type VerifyTargets, verifyOnline } from './verify-online.ts'

export interface WorkerTargets extends RunTargets, ExpiryTargets, VerifyTargets {
  readonly workerLock: LeaderLock
}

export interface WorkerOptions extends RunOptions {
  /** Ends when nothing is due any more, or when another worker runs. */
  readonly once: boolean
  /** Ends after the run that is under way. */
  readonly signal: AbortSignal
  /** Resolves early when the signal aborts. */
  readonly pause: (ms: number) => Promise<unknown>
}

export interface WorkerEnd {
  readonly runs: number
  /** Of runs, and of reading what is due. */
  readonly failures: number
}

/** The lock is asked for, and checked, so often. */
const beatMs = 3_000
/** Old events are dropped so often, and tried again after so long what could not be. */
const expireEvery: Micros = 86_400_000_000
const expireAgainAfter: Micros = 300_000_000
/** Rows online are compared with those offline so often, a sample of each view. */
const verifyEvery: Micros = 60_000_000

interface VerifiedView {
  readonly view: StoredView
  checkAt: Micros
}

interface WatchedSource {
  readonly source: ExpiringSource
  checkAt: Micros
}

/**
 * Runs what is due for the views and drops old events of the sources, one thing at a time and by turns, while this process
 * holds the project's worker lock; without it stands by. What is due is read from the stores before each run, so that a
 * worker that takes over goes on where the other ended. A failure is logged and tried again later; only with `once` does it reject, with
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
        checkAt: Number.NEGATIVE_INFINITY,
        history: {},
        expiredUntil: Number.NEGATIVE_INFINITY,
      }),
    )
  const sources = eventSources
    .filter(expires)
    .map((source): WatchedSource => ({ source, checkAt: Number.NEGATIVE_INFINITY }))
  // At once there may be nothing yet; a worker of one round compares nothing.
  const verified = (once ? [] : views.filter(isVerified)).map(
    (view): VerifiedView => ({ view, checkAt: targets.clock() + verifyEvery }),
  )
  const counts = { runs: 0, failures: 0 }
  try {
    while (!signal.aborted) {
      const leading = await leads()
      if (!leading && once) break
      // What others did meanwhile changes what is due.
      if (!leading) for (const one of [...watched, ...sources]) one.checkAt = Number.NEGATIVE_INFINITY
      const checked = leading
        ? await goRound(targets, { watched, sources, verified }, counts, options, leads)
        : 0
      if (checked > 0) continue
      if (once) break
      const nextMs =
        (Math.min(...[...watched, ...sources, ...verified].map(({ checkAt }) => checkAt)) - targets.clock()) /
        1_000
      await pause(leading ? Math.max(1, Math.min(beatMs, Math.ceil(nextMs))) : beatMs)
    }
  } finally {
    await targets.workerLock.release()
  }
  return counts
}

interface Round {
  readonly watched: readonly WatchedView[]
  readonly sources: readonly WatchedSource[]
  readonly verified: readonly VerifiedView[]
}

/** Every view whose time has come is checked at, and has one run at most; every source too. Answers how many were checked at. */
async function goRound(
  targets: WorkerTargets,
  { watched, sources, verified }: Round,
  counts: { runs: number; failures: number },
  options: WorkerOptions,
  leads: () => Promise<boolean>,
): Promise<number> {
  let checked = 0
  for (const one of watched) {
    if (one.checkAt > targets.clock()) continue
    if (options.signal.aborted || !(await leads())) break
    checked += 1
    const outcome = await runDue(targets, one, options)
    if (outcome !== 'IDLE' && outcome !== 'UNKNOWN') counts.runs += 1
    if (outcome === 'FAILED' || outcome === 'UNKNOWN') counts.failures += 1
  }
  for (const one of sources) {
    if (one.checkAt > targets.clock()) continue
    if (options.signal.aborted || !(await leads())) break
    checked += 1
    if (!(await expire(targets, one, options))) counts.failures += 1
  }
  for (const one of verified) {
    if (one.checkAt > targets.clock()) continue
    if (options.signal.aborted || !(await leads())) break
    checked += 1
    if (!(await verifyOnline(targets, one.view, options))) counts.failures += 1
    one.checkAt = targets.clock() + verifyEvery
  }
  return checked
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
    watched.checkAt = targets.clock() + (left === null ? expireEvery : expireAgainAfter)
    return true
  } catch (error) {
    watched.checkAt = targets.clock() + expireAgainAfter
    log.warn(`${source.name}: dropping old events failed: ${messageOf(error)}`, error)
    return false
  }
}

/** Whether this process holds the lock; logs when that changes. */
function leadership(lock: LeaderLock, { log, once }: WorkerOptions): () => Promise<boolean> {
  let logged: 'LEADS' | 'STANDS_BY' | 'UNKNOWN' | null = null
  return async () => {
    try {
      const holds = await lock.hold()
      if (holds && logged !== null && logged !== 'LEADS') log.info('this worker runs from now on')
      if (!holds && logged !== 'STANDS_BY') {
        log.info(`another worker of the project runs; ${once ? 'nothing is left to do here' : 'standing by'}`)
      }
      logged = holds ? 'LEADS' : 'STANDS_BY'
      return holds
    } catch (error) {
      if (once) throw error
      if (logged !== 'UNKNOWN')
        log.warn(`the worker's lock is lost or cannot be had; trying again: ${messageOf(error)}`, error)
      logged = 'UNKNOWN'
      return false
    }
  }
}
