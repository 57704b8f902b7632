import type { BatchView } from '../../registry/registry.ts'
import type { FoldedSnapshots, Span, Timeline } from '../../stores/snapshot-store.ts'
import { count } from '../../windows/aggregates/count.ts'
import { slideWindows } from '../../windows/sliding-window.ts'
import { foldKey, type GrowingFold, type SnapshotTimes } from './fold-key.ts'
import type { SnapshotPlan } from './snapshot-plan.ts'

/** Timelines of spans → the rows that are missing, by `foldKey`. */
export function foldSnapshots(
  view: BatchView,
  plan: SnapshotPlan,
  times: SnapshotTimes,
  timelines: readonly Timeline<Span>[],
): FoldedSnapshots {
  const folded: GrowingFold = { rows: [], violations: [], quarantined: [] }
  for (const timeline of timelines) {
    const { found: spans } = timeline
    const numbers = spans.map((span) => span.number)
    const cells = spans.map((span) => span.cells)
    const events = slideWindows(
      count,
      numbers,
      spans.map((span) => span.events),
      plan.presence,
    )
    const valueAt = plan.features.map(({ aggregated, windows }) =>
      aggregated.span.slide(numbers, cells, aggregated.offset, windows),
    )
    const valuesAt = (snapshot: number) =>
      (events[snapshot] ?? 0) > 0 ? valueAt.map((at) => at(snapshot)) : null
    foldKey(view, plan.times, times, timeline, valuesAt, folded)
  }
  return folded
}
