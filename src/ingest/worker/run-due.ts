import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import { HistoryExpired, messageOf } from '../../errors.ts'
import type { FeatureView } from '../../registry/registry.ts'
import { type MaterializeTargets, materialize } from '../materialize/materialize-view.ts'
import type { RunLog } from '../run-log.ts'
import type { BatchTargets, ComputeBatch } from '../snapshots/compute-snapshots.ts'
import { type DueRun, dueRun, expiredSnapshots, nextCheck, retryAt, type ViewHistory } from './due-runs.ts'
import { readViewRecord } from './view-record.ts'

export interface RunTargets extends BatchTargets, MaterializeTargets {
  readonly computeBatch: ComputeBatch
}

export interface RunOptions {
  /** How far back stale snapshots are computed again. */
  readonly recomputeMicros: Micros
  readonly sleep: (ms: number) => Promise<unknown>
  /** Unique; any text. */
  readonly newMarker: () => string
  readonly log: RunLog
}

/** What a worker remembers of a view between two checks. */
export interface WatchedView {
  readonly view: FeatureView
  /** When it is to be checked again. */
  checkAt: Micros
  history: ViewHistory
  /** Of the snapshots that cannot be computed any more the newest that was reported. */
  expiredUntil: Micros
}

/** IDLE: nothing was due. UNKNOWN: what is due could not be read. */
export type RunOutcome = 'IDLE' | 'SUCCEEDED' | 'FAILED' | 'UNKNOWN'

/** A view whose record cannot be read is checked again after this. */
const checkAgainAfter: Micros = 60_000_000

/** Checks a view and does the first thing that is due for it. A failure is logged, and waits for its next try. */
export async function runDue(
  targets: RunTargets,
  watched: WatchedView,
  options: RunOptions,
): Promise<RunOutcome> {
  const { clock } = targets
  const { view, history } = watched
  const { recomputeMicros, log } = options
  const record = await readViewRecord(targets, view, recomputeMicros).catch((error: unknown) => {
    log.warn(`${view.name}: what is due cannot be read: ${messageOf(error)}`, error)
    return null
  })
  const now = clock()
  if (record === null) {
    watched.checkAt = now + checkAgainAfter
    return 'UNKNOWN'
  }
  reportExpired(watched, expiredSnapshots(view, record, { now, recomputeMicros }), log)
  const run = dueRun(view, record, history, { now, recomputeMicros })
  if (run === null) {
    watched.checkAt = nextCheck(view, record, history, now)
    return 'IDLE'
  }
  try {
    const line = await perform(targets, run, options)
    if (line !== null) log.info(`${view.name}: ${line}`)
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

/** Once each: they stay as they are for ever. */
function reportExpired(watched: WatchedView, expired: readonly Micros[], log: RunLog): void {
  const news = expired.filter((time) => time > watched.expiredUntil)
  const newest = news.at(-1)
  if (newest === undefined) return
  watched.expiredUntil = newest
  const error = new HistoryExpired(
    `${watched.view.name}: ${news.length} snapshots up to ${formatTimestamp(newest)} are left as they are, since events of theirs were dropped`,
  )
  log.warn(error.message, error)
}

const doing: Readonly<Record<DueRun['kind'], string>> = {
  MISSING: 'computing snapshots',
  REDEFINED: 'recomputing snapshots of another definition',
  STALE: 'recomputing stale snapshots',
  MATERIALIZE: 'writing rows online',
}

/** What is worth a line in the log; null: nothing. */
async function perform(
  targets: RunTargets,
  run: DueRun,
  { log, newMarker, sleep }: RunOptions,
): Promise<string | null> {
  const { view } = run
  const onWait = (): void => log.info(`${view.name}: another run is under way; waiting for its end`)
  const onProgress = (): void => {}
  switch (run.kind) {
    case 'MISSING':
    case 'REDEFINED':
    case 'STALE': {
      const scope =
        run.kind === 'STALE'
          ? ({ kind: 'STALE', since: run.since } as const)
          : ({ kind: 'TIMES', times: run.times } as const)
      const { times, written } = await targets.computeBatch(run.view, scope, {
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
      const how = run.kind === 'REDEFINED' ? ` by the view's definition of today, ${run.left} are left` : ''
      return `${which} computed${how}, ${written} rows written`
    }
    case 'MATERIALIZE': {
      const { written } = await materialize(targets, view, {
        range: null,
        newMarker,
        sleep,
        onWait,
        onProgress,
      })
      return written === 0 ? null : `${written} rows materialized`
    }
  }
}
