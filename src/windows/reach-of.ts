import type { Micros } from '../definitions/timestamp.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'

/** The longest window and its hop: an event of longer ago is in none of the view's windows. */
export function reachOf({
  aggregations,
}: {
  readonly aggregations: readonly Pick<WindowedAggregation, 'windowMicros' | 'hopMicros'>[]
}): Micros {
  return Math.max(...aggregations.map(({ windowMicros, hopMicros }) => windowMicros + hopMicros))
}
