import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import { HistoryExpired } from '../../errors.ts'
import type { BatchView } from '../../registry/registry.ts'
import { snapshotAt } from '../../registry/snapshot-at.ts'
import type { RecordedSnapshot, SnapshotStore } from '../../stores/snapshot-store.ts'
import { reachOf } from '../../windows/reach-of.ts'
import { firstSnapshotSince } from './snapshot-plan.ts'

/** Which snapshots: those at some times, or those whose events or definition have changed since. */
export type BatchScope =
  | { readonly kind: 'TIMES'; readonly times: readonly Micros[] }
  /** Of times from `since` on; null: all. */
  | { readonly kind: 'STALE'; readonly since: Micros | null }

export interface PlannedRun {
  /** Oldest first; a recorded snapshot that follows a computed one is computed too, since keys may close there. */
  readonly times: readonly Micros[]
  /** Stale ones that stay as they are, oldest first: of their events some were dropped. */
  readonly expired: readonly Micros[]
  readonly recorded: readonly RecordedSnapshot[]
}

/** @throws HistoryExpired when events of a time that was asked for were dropped; StoreFailed. */
export async function planRun(
  snapshots: Pick<SnapshotStore, 'recorded' | 'storedSince'>,
  view: BatchView,
  scope: BatchScope,
): Promise<PlannedRun> {
  if (scope.kind === 'TIMES' && scope.times.length === 0) return { times: [], expired: [], recorded: [] }
  const recorded = await snapshots.recorded(view, {
    reachMicros: reachOf(view),
    since: scope.kind === 'TIMES' ? Math.min(...scope.times) : scope.since,
  })
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
  return { times, expired, recorded }
}

/** By today's definition of its view, with every feature that it has. */
export function isComputedByToday({ lacking }: Pick<RecordedSnapshot, 'lacking'>): boolean {
  return lacking !== null && lacking.length === 0
}

/** A key whose last row changes at one snapshot may have to close at the next that is recorded; oldest first, as both are. */
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
