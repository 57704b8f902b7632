import { type Clock, formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { EntityKey } from '../../definitions/value.ts'
import { HistoryExpired, RowCountRefused } from '../../errors.ts'
import { brokenRowCount } from '../../quality/row-count.ts'
import type { BatchView } from '../../registry/registry.ts'
import { snapshotAt } from '../../registry/snapshot-at.ts'
import { onlineKeySuffix } from '../../stores/online-value/online-key.ts'
import type { RunStore } from '../../stores/run-store.ts'
import type { RecordedSnapshot, SnapshotStore } from '../../stores/snapshot-store.ts'
import type { Violation, ViolationStore } from '../../stores/violation-store.ts'
import { reachOf } from '../../windows/reach-of.ts'
import { foldSnapshots } from './fold-snapshots.ts'
import { firstSnapshotSince, planSnapshots } from './snapshot-plan.ts'

export interface BatchTargets {
  readonly snapshots: SnapshotStore
  readonly runs: RunStore
  readonly violations: ViolationStore
  readonly clock: Clock
}

/** Which snapshots: those at some times, or those whose events or definition have changed since. */
export type BatchScope =
  | { readonly kind: 'TIMES'; readonly times: readonly Micros[] }
  /** Of times from `since` on; null: all. */
  | { readonly kind: 'STALE'; readonly since: Micros | null }

export interface BatchOptions {
  /** Rows that were pushed at these times end: of this key, or of all (null). Without it they stand. */
  readonly replacePushed?: { readonly key: EntityKey | null }
  /** When the rows of snapshots that were never computed became known, after their time; null: now. */
  readonly createdAfterMicros: Micros | null
  /** Another run of the view is under way and is waited for. */
  readonly onWait: () => void
  /** Keys done so far, of some snapshots. */
  readonly onProgress: (keys: number) => void
}

export interface BatchComputed {
  /** Oldest first; a recorded snapshot that follows a computed one is computed too, since keys may close there. */
  readonly times: readonly Micros[]
  /** Stale ones that stay as they are, oldest first: of their events some were dropped. */
  readonly expired: readonly Micros[]
  readonly events: number
  readonly written: number
}

/** Of one transaction: what a crash may undo. */
const timesAtOnce = 366
/** So many values of one fold are held at once. */
const valuesPerFold = 200_000

/**
 * Computes snapshots of a view and keeps what they lack: nothing for what is equal, a later created row for what late
 * events changed. The events are scanned once for up to 366 snapshots, all of which are stored together or not at all; so a
 * run that was interrupted is continued by running it again. One run per view at a time.
 * @throws RowCountRefused when a snapshot has a number of rows that its view does not accept; HistoryExpired when events
 * of a time that was asked for were dropped; StoreFailed.
 */
export async function computeSnapshots(
  targets: BatchTargets,
  view: BatchView,
  scope: BatchScope,
  options: BatchOptions,
): Promise<BatchComputed> {
  const { runs, clock } = targets
  const asOf = scope.kind === 'TIMES' && scope.times.length === 1 ? (scope.times[0] ?? null) : null
  const subject = { kind: 'BATCH', view: view.id, asOf } as const
  return await runs.withRun(subject, { now: clock, onWait: options.onWait }, async () => {
    const result = await compute(targets, view, scope, options)
    const { events, written } = result
    return { result, outcome: { state: 'SUCCEEDED', rowsRead: events, rowsWritten: written, error: null } }
  })
}

async function compute(
  { snapshots, violations, clock }: BatchTargets,
  view: BatchView,
  scope: BatchScope,
  { createdAfterMicros, onProgress, replacePushed }: BatchOptions,
): Promise<BatchComputed> {
  if (scope.kind === 'TIMES' && scope.times.length === 0)
    return { times: [], expired: [], events: 0, written: 0 }
  const recorded = await snapshots.recorded(view, {
    reachMicros: reachOf(view),
    since: scope.kind === 'TIMES' ? Math.min(...scope.times) : scope.since,
  })
  const known = new Set(recorded.map(({ asOf }) => asOf))
  // What was pushed was a correction of what another definition said.
  const redefined = new Set(recorded.filter(({ lacking }) => lacking === null).map(({ asOf }) => asOf))
  const replacedKey = replacePushed?.key ? onlineKeySuffix(replacePushed.key) : null
  const asked =
    scope.kind === 'TIMES'
      ? [...new Set(scope.times)].sort((left, right) => left - right)
      : recorded
          .filter((one) => one.stale || !isComputedByToday(one))
          .filter(({ asOf }) => asOf >= (scope.since ?? Number.NEGATIVE_INFINITY))
          .map(({ asOf }) => asOf)
  const storedSince = await snapshots.storedSince(view)
  const first = storedSince === null ? Number.NEGATIVE_INFINITY : firstSnapshotSince(view, storedSince)
  const expired = asked.filter((time) => time < first)
  if (storedSince !== null && scope.kind === 'TIMES' && expired.length > 0)
    throw historyExpired(view, expired, storedSince, first)
  const times = withFollowers(
    asked.filter((time) => time >= first),
    recorded.map(({ asOf }) => asOf),
  )
  let events = 0
  let written = 0
  for (let start = 0; start < times.length; start += timesAtOnce) {
    const plan = planSnapshots(view, times.slice(start, start + timesAtOnce))
    const now = clock()
    const rowCounts = plan.times.map(() => 0)
    const snapshotTimes = {
      now,
      // A row that corrects an earlier one is known from now on, or `knownAt` would not answer what was known before any more.
      createdTimestamp: (time: Micros) =>
        createdAfterMicros === null || known.has(time) ? now : Math.min(time + createdAfterMicros, now),
      isRedefined: (time: Micros) => redefined.has(time),
      replaces: (time: Micros, key: EntityKey) =>
        redefined.has(time) ||
        (replacePushed !== undefined && (replacedKey === null || replacedKey === onlineKeySuffix(key))),
      countRow: (snapshot: number) => {
        rowCounts[snapshot] = (rowCounts[snapshot] ?? 0) + 1
      },
    }
    let keys = 0
    let refused: readonly Violation[] = []
    const counts = await snapshots
      .compute(
        {
          view,
          times: plan.times,
          bounds: plan.bounds,
          aggregations: plan.aggregations,
          computedAt: now,
          keysPerFold: Math.max(
            1,
            Math.ceil(valuesPerFold / (plan.times.length * (1 + view.features.length))),
          ),
        },
        (timelines) => {
          const folded = foldSnapshots(view, plan, snapshotTimes, timelines)
          keys += timelines.length
          onProgress(keys)
          return folded
        },
        () => {
          const broken = rowCounts.flatMap((rows, index) =>
            brokenRowCount(view, rows, plan.times[index] ?? null, now),
          )
          refused = broken.filter(({ action }) => action !== 'warn')
          if (refused.length > 0) throw refusedBy(refused)
          return broken
        },
      )
      .catch(async (error: unknown) => {
        // What undid the snapshots is reported all the same.
        if (error instanceof RowCountRefused) await violations.record(refused, [])
        throw error
      })
    events += counts.events
    written += counts.rows
  }
  return { times, expired, events, written }
}

/** By today's definition of its view, with every feature that it has. */
export function isComputedByToday({ lacking }: Pick<RecordedSnapshot, 'lacking'>): boolean {
  return lacking !== null && lacking.length === 0
}

function historyExpired(
  view: BatchView,
  expired: readonly Micros[],
  storedSince: Micros,
  first: Micros,
): HistoryExpired {
  const snapshots = `the snapshot of ${formatTimestamp(expired[0] ?? 0)}${expired.length === 1 ? '' : ` and ${expired.length - 1} more`}`
  return new HistoryExpired(
    `${snapshots} of feature view "${view.name}" cannot be computed: the events of "${view.events.name}" are kept since ${formatTimestamp(storedSince)}, which makes snapshots from ${formatTimestamp(first)} on possible`,
  )
}

function refusedBy(refused: readonly Violation[]): RowCountRefused {
  const refusals = refused.map(
    ({ view, eventTimestamp, message }) =>
      `feature view "${view}" at ${formatTimestamp(eventTimestamp ?? 0)}: ${message}`,
  )
  return new RowCountRefused(`${refusals.join('; ')}; nothing of these snapshots was written`)
}

/** A key whose last row changes at one snapshot may have to close at the next that is recorded. */
function withFollowers(times: readonly Micros[], recorded: readonly Micros[]): readonly Micros[] {
  const all = new Set(times)
  for (const time of times) {
    const next = recorded.find((other) => other > time)
    if (next !== undefined) all.add(next)
  }
  return [...all].sort((left, right) => left - right)
}

/** Every snapshot time from `from` to `to`, both included, `everyMicros` apart (a multiple of the view's own). */
export function snapshotTimes(
  view: BatchView,
  range: { readonly from: Micros; readonly to: Micros; readonly everyMicros: Micros },
): readonly Micros[] {
  const times: Micros[] = []
  const first = snapshotAt(view, range.from)
  for (let time = first < range.from ? first + view.everyMicros : first; time <= range.to; ) {
    times.push(time)
    time += range.everyMicros
  }
  return times
}
