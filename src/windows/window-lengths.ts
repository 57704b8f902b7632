import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'

export type WindowLength = Pick<WindowedAggregation, 'windowMicros' | 'hopMicros'>

export function isOfLength(one: WindowLength, other: WindowLength): boolean {
  return one.windowMicros === other.windowMicros && one.hopMicros === other.hopMicros
}

/** Each window and hop once, in the order of their first use. */
export function distinctLengths(aggregations: readonly WindowLength[]): readonly WindowLength[] {
  return aggregations.filter(
    (one, index) => aggregations.findIndex((other) => isOfLength(one, other)) === index,
  )
}
