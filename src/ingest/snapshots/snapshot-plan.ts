import type { Micros } from '../../definitions/timestamp.ts'
import type { BatchView } from '../../registry/registry.ts'
import type { SpanAggregation } from '../../stores/snapshot-store.ts'
import { spanAggregate } from '../../windows/aggregates/aggregates.ts'
import type { SpanAggregate } from '../../windows/aggregates/span-aggregate.ts'
import { firstTimeSince, windowStart } from '../../windows/hop.ts'
import type { SpanWindow } from '../../windows/sliding-window.ts'

/** One feature's part: which of the spans' aggregations it takes, and the spans of its window at each snapshot. */
interface PlannedFeature {
  readonly aggregated: PlannedAggregation
  readonly windows: readonly SpanWindow[]
}

interface PlannedAggregation {
  readonly aggregation: SpanAggregation
  readonly span: SpanAggregate
  /** Where its cells begin in a span's. */
  readonly offset: number
}

/** How the snapshots of a view at some times are made of spans. */
export interface SnapshotPlan {
  /** Oldest first. */
  readonly times: readonly Micros[]
  readonly bounds: readonly Micros[]
  /** Each once, however many windows it is asked over. */
  readonly aggregations: readonly SpanAggregation[]
  /** In the order of the view's features. */
  readonly features: readonly PlannedFeature[]
  /** The longest window at each snapshot: a key without an event in it has no row. */
  readonly presence: readonly SpanWindow[]
}

/**
 * Spans begin and end where a window or a snapshot does: with daily snapshots and windows of days they are days. A single
 * snapshot has one span, in which each aggregation takes the events of its own window only: so nothing is merged, and
 * different values are counted where they are, not sent.
 */
export function planSnapshots(view: BatchView, times: readonly Micros[]): SnapshotPlan {
  const startsOf = (time: Micros): Micros[] =>
    view.aggregations.map(({ windowMicros, hopMicros }) => windowStart(time, windowMicros, hopMicros))
  const isSingle = times.length === 1
  const bounds = [
    ...new Set(
      times.flatMap((time) => [time, ...(isSingle ? [Math.min(...startsOf(time))] : startsOf(time))]),
    ),
  ].sort((left, right) => left - right)
  const numberOf = new Map(bounds.map((bound, number) => [bound, number]))
  const spans = (from: Micros, to: Micros): SpanWindow => ({
    from: numberOf.get(from) ?? 0,
    to: numberOf.get(to) ?? 0,
  })
  const planned = new Map<string, PlannedAggregation>()
  let offset = 0
  const features = view.aggregations.map((aggregation): PlannedFeature => {
    const { aggregate, field, where, windowMicros, hopMicros } = aggregation
    const since = isSingle ? windowStart(times[0] ?? 0, windowMicros, hopMicros) : null
    const same = JSON.stringify([
      aggregate,
      field?.name,
      where.map((one) => [one.field.name, one.value]),
      since,
    ])
    let aggregated = planned.get(same)
    if (!aggregated) {
      aggregated = {
        aggregation: { ...aggregation, since },
        span: spanAggregate(aggregation, isSingle),
        offset,
      }
      offset += aggregated.span.cells.length
      planned.set(same, aggregated)
    }
    const windows = times.map((time) =>
      isSingle ? { from: 0, to: 1 } : spans(windowStart(time, windowMicros, hopMicros), time),
    )
    return { aggregated, windows }
  })
  return {
    times,
    bounds,
    aggregations: [...planned.values()].map(({ aggregation }) => aggregation),
    features,
    presence: times.map((time) => spans(Math.min(...startsOf(time)), time)),
  }
}

/** The first time whose windows hold no event from before an instant. */
export function firstSnapshotSince({ aggregations }: BatchView, instant: Micros): Micros {
  return Math.max(
    ...aggregations.map(({ windowMicros, hopMicros }) => firstTimeSince(instant, windowMicros, hopMicros)),
  )
}
