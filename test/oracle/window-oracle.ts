import type { Micros } from '../../src/definitions/timestamp.ts'
import type { ScalarValue } from '../../src/definitions/value.ts'
import type { WindowedAggregation } from '../../src/definitions/windowed-aggregation.ts'
import type { TestEvent } from './store-events.ts'

/**
 * The window function straight from its definition (design sections 3.5 and 3.6), event by event and in no hurry: what
 * everything that computes windows is held against. Events in their total order.
 */
export function windowValue(
  { aggregate, field, windowMicros, hopMicros, where }: WindowedAggregation,
  events: readonly TestEvent[],
  t: Micros,
): ScalarValue | null {
  const start = Math.floor((t - windowMicros) / hopMicros) * hopMicros
  const inside = events.filter(
    ({ at, fields }) =>
      at >= start && at < t && where.every((one) => (fields[one.field.name] ?? null) === one.value),
  )
  if (aggregate === 'count') return inside.length
  const values = inside
    .map(({ fields }) => fields[field?.name ?? ''] ?? null)
    .filter((value): value is ScalarValue => value !== null)
  const numbers = values.map(Number)
  const total = numbers.reduce((sum, number) => sum + number, 0)
  const average = total / numbers.length
  const variance = numbers.reduce((sum, number) => sum + (number - average) ** 2, 0) / (numbers.length - 1)
  switch (aggregate) {
    case 'sum':
      return total
    case 'mean':
      return values.length === 0 ? null : average
    case 'min':
      return values.length === 0 ? null : Math.min(...numbers)
    case 'max':
      return values.length === 0 ? null : Math.max(...numbers)
    case 'variance':
      return values.length < 2 ? null : variance
    case 'stddev':
      return values.length < 2 ? null : Math.sqrt(variance)
    case 'countDistinct':
      return new Set(values).size
    case 'first':
      return values[0] ?? null
    case 'last':
      return values.at(-1) ?? null
  }
}

/** A key without an event in the longest window has no row. */
export function isPresent(
  aggregations: readonly WindowedAggregation[],
  events: readonly TestEvent[],
  t: Micros,
): boolean {
  return aggregations.some(({ windowMicros, hopMicros }) => {
    const start = Math.floor((t - windowMicros) / hopMicros) * hopMicros
    return events.some(({ at }) => at >= start && at < t)
  })
}
