import { formatDuration } from '../../definitions/duration.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import { lastFiring, nextFiring } from '../../registry/cron-firings.ts'
import { isComputed } from '../../registry/is-computed.ts'
import type { BatchView, FeatureView, StoredView } from '../../registry/registry.ts'
import { snapshotAt } from '../../registry/snapshot-at.ts'
import type { Watermark } from '../../stores/run-store.ts'
import type { RecordedSnapshot } from '../../stores/snapshot-store.ts'
import { isComputedByToday, snapshotTimes } from '../snapshots/plan-run.ts'
import { firstSnapshotSince } from '../snapshots/snapshot-plan.ts'

export type DueRun =
  /** Snapshots whose time has come, oldest first. */
  | { readonly kind: 'MISSING'; readonly view: BatchView; readonly times: readonly Micros[] }
  /** Snapshots that another definition computed, oldest first: some of the newest of them. */
  | {
      readonly kind: 'REDEFINED'
      readonly view: BatchView
      readonly times: readonly Micros[]
      /** How many others are left for later. */
      readonly left: number
    }
  | { readonly kind: 'STALE'; readonly view: BatchView; readonly since: Micros }
  | { readonly kind: 'MATERIALIZE'; readonly view: StoredView }

type Task = DueRun['kind']

/** What the stores report of a view. */
export interface ViewRecord {
  /** Oldest first; of batch views. */
  readonly snapshots: readonly Pick<RecordedSnapshot, 'asOf' | 'stale' | 'lacking'>[]
  /** Since when the events of a batch view are stored; null: always. */
  readonly storedSince: Micros | null
  /** The end of the newest batch run that wrote rows. */
  readonly batchWroteAt: Micros | null
  /** The newest materialize that materialized everything; null: there was none. */
  readonly materializedUntil: Micros | null
  /** Of the newest materialize; both null: there was none. */
  readonly materializedBy: Pick<Watermark, 'definition' | 'filling'>
}

/** How the last run of a task went in this worker; another worker begins without a history, and tries at once. */
interface TaskEnd {
  readonly endedAt: Micros
  /** In a row; 0: it went well. */
  readonly failures: number
}
export type ViewHistory = Readonly<Partial<Record<Task, TaskEnd>>>

export interface DueQuestion {
  readonly now: Micros
  /** How far back stale snapshots are computed again. */
  readonly recomputeMicros: Micros
}

const minute = 60_000_000
const materializeEvery = 60 * minute
/** Late events are looked for so often; between two recomputations is at least as much time. */
const staleEvery = 5 * minute
/** Between two portions of what another definition computed, snapshots whose time has come are computed. */
const redefinedAtOnce = 100
const retryAfter = [1, 5, 15, 60].map((minutes) => minutes * minute)
const longestRetry = Math.max(...retryAfter)

/**
 * The first of what a view needs now: its missing snapshots since the newest recorded one (of a view without any the
 * newest alone), then all that another definition computed, newest first, then those that late events changed, then the
 * way online, which goes first where the newest snapshot is of a new definition; no snapshot of dropped events. Null: nothing, or
 * nothing before `nextCheck`.
 * A firing that was missed counts as soon as someone asks, and once, however many were missed. What failed waits for
 * `retryAt`; the other tasks do not.
 */
export function dueRun(
  view: FeatureView,
  record: ViewRecord,
  history: ViewHistory,
  question: DueQuestion,
): DueRun | null {
  const runs = neededRuns(view, record, question)
  return runs.find((run) => run !== null && notBefore(view, run.kind, history) <= question.now) ?? null
}

function neededRuns(
  view: FeatureView,
  record: ViewRecord,
  { now, recomputeMicros }: DueQuestion,
): readonly (DueRun | null)[] {
  switch (view.kind) {
    case 'STREAM':
      return []
    case 'PLAIN':
      return [redefinedOnline(view, record), neededMaterialize(view, record, now)]
    case 'BATCH':
      return [
        missingSnapshots(view, record, now),
        ...redefinedRuns(view, record),
        staleSnapshots(view, record, now - recomputeMicros),
        neededMaterialize(view, record, now),
      ]
  }
}

function missingSnapshots(view: BatchView, record: ViewRecord, now: Micros): DueRun | null {
  const first = firstPossible(view, record)
  const times = missingTimes(view, record, now).filter((time) => time >= first)
  return times.length === 0 ? null : { kind: 'MISSING', view, times }
}

/** The newest alone, so that it is soon online; then the others in portions. */
function redefinedRuns(view: BatchView, record: ViewRecord): readonly (DueRun | null)[] {
  const first = firstPossible(view, record)
  const times = redefinedTimes(record).filter((time) => time >= first)
  if (times.length === 0) return [redefinedOnline(view, record)]
  const newest = times.at(-1)
  const isNewest = newest !== undefined && newest === record.snapshots.at(-1)?.asOf
  const portion = isNewest ? [newest] : times.slice(-redefinedAtOnce)
  return [
    ...(isNewest ? [] : [redefinedOnline(view, record)]),
    { kind: 'REDEFINED', view, times: portion, left: times.length - portion.length },
  ]
}

export function redefinedTimes({ snapshots }: Pick<ViewRecord, 'snapshots'>): readonly Micros[] {
  return snapshots.filter((one) => !isComputedByToday(one)).map(({ asOf }) => asOf)
}

function redefinedOnline(view: StoredView, { materializedUntil, materializedBy }: ViewRecord): DueRun | null {
  if (!view.online || !isComputed(view) || materializedUntil === null) return null
  const { definition, filling } = materializedBy
  const isDue = filling === null ? definition !== view.definition : filling !== view.definition
  return isDue ? { kind: 'MATERIALIZE', view } : null
}

function staleSnapshots(view: BatchView, record: ViewRecord, since: Micros): DueRun | null {
  const first = firstPossible(view, record)
  return staleTimes(record, since).some((time) => time >= first) ? { kind: 'STALE', view, since } : null
}

/** Of those that are needed, the snapshots that can never be computed, oldest first: of their events some were dropped. */
export function expiredSnapshots(
  view: FeatureView,
  record: ViewRecord,
  { now, recomputeMicros }: DueQuestion,
): readonly Micros[] {
  if (view.kind !== 'BATCH' || record.storedSince === null) return []
  const first = firstPossible(view, record)
  const stale = new Set([...redefinedTimes(record), ...staleTimes(record, now - recomputeMicros)])
  const needed = [...[...stale].sort((left, right) => left - right), ...missingTimes(view, record, now)]
  return needed.filter((time) => time < first)
}

function firstPossible(view: BatchView, { storedSince }: ViewRecord): Micros {
  return storedSince === null ? Number.NEGATIVE_INFINITY : firstSnapshotSince(view, storedSince)
}

function missingTimes(view: BatchView, { snapshots }: ViewRecord, now: Micros): readonly Micros[] {
  const { batch } = view.schedule
  const firing = batch === null ? now : lastFiring(batch, now)
  if (firing === null) return []
  const to = snapshotAt(view, firing)
  const newest = snapshots.at(-1)
  const from = newest === undefined ? to : newest.asOf + 1
  return snapshotTimes(view, { from, to, everyMicros: view.everyMicros })
}

function staleTimes({ snapshots }: ViewRecord, since: Micros): readonly Micros[] {
  return snapshots.filter(({ asOf, stale }) => stale && asOf >= since).map(({ asOf }) => asOf)
}

function neededMaterialize(
  view: StoredView,
  { materializedUntil, batchWroteAt }: ViewRecord,
  now: Micros,
): DueRun | null {
  if (!view.online) return null
  const run = { kind: 'MATERIALIZE', view } as const
  if (materializedUntil === null) return run
  // A run of a clock that is ahead would otherwise be materialized again and again until that time has come here.
  if (batchWroteAt !== null && batchWroteAt > materializedUntil && batchWroteAt <= now) return run
  const { materialize } = view.schedule
  if (materialize === null) return materializedUntil + materializeEvery <= now ? run : null
  return (lastFiring(materialize, now) ?? Number.NEGATIVE_INFINITY) > materializedUntil ? run : null
}

function notBefore(view: FeatureView, task: Task, history: ViewHistory): Micros {
  const last = history[task]
  if (last === undefined) return Number.NEGATIVE_INFINITY
  if (last.failures > 0) return retryAt(view, task, last)
  return task === 'STALE' ? last.endedAt + staleEvery : Number.NEGATIVE_INFINITY
}

/** After 1, 5, 15 and 60 minutes, then at the task's next firing, though never in less than 60 minutes again. */
export function retryAt(view: FeatureView, task: Task, { endedAt, failures }: TaskEnd): Micros {
  const pause = retryAfter[failures - 1]
  if (pause !== undefined) return endedAt + pause
  return Math.max(endedAt + longestRetry, firingAfter(view, task, endedAt))
}

function firingAfter(view: FeatureView, task: Task, time: Micros): Micros {
  const cron = task === 'MATERIALIZE' ? view.schedule.materialize : view.schedule.batch
  if (cron !== null) return nextFiring(cron, time) ?? Number.POSITIVE_INFINITY
  return task === 'MATERIALIZE' || view.kind !== 'BATCH'
    ? time + materializeEvery
    : snapshotAt(view, time) + view.everyMicros
}

/** When a view of which nothing is due now has to be checked again: later than `now`. */
export function nextCheck(view: FeatureView, record: ViewRecord, history: ViewHistory, now: Micros): Micros {
  const times = tasksOf(view).map((task) => {
    const waiting = notBefore(view, task, history)
    if (waiting > now) return waiting
    if (task === 'STALE' || task === 'REDEFINED') return now + staleEvery
    return firingAfter(view, task, lastMaterialize(view, task, record) ?? now)
  })
  return Math.max(Math.min(...times), now + 1)
}

/** By default an hour is counted from the last materialize on. */
function lastMaterialize(
  { schedule }: FeatureView,
  task: Task,
  { materializedUntil }: ViewRecord,
): Micros | null {
  return task === 'MATERIALIZE' && schedule.materialize === null ? materializedUntil : null
}

/** What a worker has to do for a view at all; nothing for rows that are read where they stand. */
export function tasksOf({ kind, online }: FeatureView): readonly Task[] {
  const materialized = online ? (['MATERIALIZE'] as const) : []
  switch (kind) {
    case 'STREAM':
      return []
    case 'PLAIN':
      return materialized
    case 'BATCH':
      return ['MISSING', 'REDEFINED', 'STALE', ...materialized]
  }
}

/** In words: `daily: snapshots every 1d; online after each and every 1h`. */
export function describeTasks(view: FeatureView): string {
  const { batch, materialize } = view.schedule
  const times = materialize === null ? `every ${formatDuration(materializeEvery)}` : `at "${materialize}" UTC`
  const parts: string[] = []
  if (view.kind === 'BATCH') {
    const every = formatDuration(view.everyMicros)
    parts.push(batch === null ? `snapshots every ${every}` : `snapshots of every ${every} at "${batch}" UTC`)
  }
  if (view.online)
    parts.push(view.kind === 'BATCH' ? `materialized after each and ${times}` : `materialized ${times}`)
  return `${view.name}: ${parts.join(', ')}`
}
