import { type Decimal, decimalOf, isDecimalScaled, scaledOf } from '../../../src/definitions/decimal.ts'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { ScalarValue } from '../../../src/definitions/value.ts'
import { decimalDigits, isDecimal, type ScalarType } from '../../../src/definitions/value-type.ts'
import type { WindowedAggregation } from '../../../src/definitions/windowed-aggregation.ts'
import { compareEventPlaces } from '../../../src/windows/aggregates/first-last.ts'
import { isPresent, windowValue } from '../../oracle/window-oracle.ts'
import type { PlacedEvent, WindowWorld } from './window-world.ts'

export interface ExpectedRow {
  readonly key: string
  readonly time: Micros
  readonly closing: boolean
  readonly values: readonly ExpectedValue[]
}

export interface ExpectedValue {
  readonly value: ScalarValue | null
  /** Null: it has none. */
  readonly tolerance: number | null
}

/** The rows of a world by the windows' oracle: key by key, time by time, event by event. */
export function expectedSnapshots({ view, times, previous, events }: WindowWorld): readonly ExpectedRow[] {
  const keys = new Map<string, PlacedEvent[]>()
  for (const event of countedEvents(events)) {
    const key = JSON.stringify(view.entity.joinKeys.map(({ name }) => String(event.fields[name])))
    keys.set(key, [...(keys.get(key) ?? []), event])
  }
  const rows: ExpectedRow[] = []
  for (const [key, own] of keys) {
    let open = previous !== null && isPresent(view.aggregations, own, previous)
    for (const time of times) {
      const present = isPresent(view.aggregations, own, time)
      if (present || open)
        rows.push({
          key,
          time,
          closing: !present,
          values: view.aggregations.map((aggregation) => expectedValue(aggregation, own, time)),
        })
      open = present
    }
  }
  return rows
}

/** Those that count, in their total order; what is no finite number is null. */
export function countedEvents(events: readonly PlacedEvent[]): readonly PlacedEvent[] {
  return events
    .filter(({ counts }) => counts)
    .toSorted((left, right) => compareEventPlaces(placeOf(left), placeOf(right)))
    .map((event) => ({
      ...event,
      fields: Object.fromEntries(
        Object.entries(event.fields).map(([name, value]) => [
          name,
          typeof value === 'number' && !Number.isFinite(value) ? null : value,
        ]),
      ),
    }))
}

function placeOf({ at, topic, partition, offset }: PlacedEvent) {
  return { timestamp: at, topic, partition, offset }
}

/** The oracle's value; where its numbers would round, exactly. */
export function expectedValue(
  aggregation: WindowedAggregation,
  events: readonly PlacedEvent[],
  time: Micros,
): ExpectedValue {
  const { aggregate, field, windowMicros, hopMicros, where } = aggregation
  const type = field?.type ?? 'int64'
  const start = Math.floor((time - windowMicros) / hopMicros) * hopMicros
  const values = events
    .filter(
      ({ at, fields }) =>
        at >= start && at < time && where.every((one) => (fields[one.field.name] ?? null) === one.value),
    )
    .map(({ fields }) => fields[field?.name ?? ''] ?? null)
    .filter((value): value is ScalarValue => value !== null)
  const isFloat = type === 'float32' || type === 'float64'
  const numbers = values.map(Number)
  // By a scale, since values near the end of float64 would leave it on their way.
  const scaled = numbers.map((number) => number * 2 ** -64)
  const unscaled = (number: number): number | null =>
    Number.isFinite(number * 2 ** 64) ? number * 2 ** 64 : null
  const total = scaled.reduce((left, right) => left + right, 0)
  const magnitude = scaled.reduce((left, right) => left + Math.abs(right), 0)
  const variance = numbers.length < 2 ? null : sampleVariance(numbers)
  switch (aggregate) {
    case 'sum':
      if (isFloat) return { value: unscaled(total), tolerance: magnitude * 1e-9 * 2 ** 64 }
      return { value: exactSum(type, values), tolerance: null }
    case 'mean':
      if (numbers.length === 0) return { value: null, tolerance: null }
      if (isDecimal(type)) {
        const mean = Number(exactTotal(type, values)) / numbers.length / 10 ** decimalDigits(type)
        return { value: mean, tolerance: Math.abs(mean) * 1e-15 }
      }
      return {
        value: unscaled(total / numbers.length),
        tolerance: (magnitude / numbers.length) * 1e-9 * 2 ** 64,
      }
    case 'variance':
    case 'stddev': {
      if (variance === null || !Number.isFinite(variance)) return { value: null, tolerance: null }
      const allowed =
        1e-9 * variance + 1e-14 * Math.abs(total / numbers.length) * 2 ** 64 * Math.sqrt(variance)
      return aggregate === 'variance'
        ? { value: variance, tolerance: allowed }
        : { value: Math.sqrt(variance), tolerance: variance === 0 ? 0 : allowed / Math.sqrt(variance) }
    }
    case 'min':
    case 'max':
      return {
        value: values.reduce<ScalarValue | null>(
          (found, value) =>
            found === null || Number(value) < Number(found) === (aggregate === 'min') ? value : found,
          null,
        ),
        tolerance: null,
      }
    case 'countDistinct':
      return {
        value: new Set(
          values.map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value)),
        ).size,
        tolerance: null,
      }
    default:
      return { value: windowValue(aggregation, events, time), tolerance: null }
  }
}

/** Of equal values exactly 0, and null where their squares would leave float64. */
function sampleVariance(numbers: readonly number[]): number | null {
  const [first = 0] = numbers
  if (numbers.every((number) => number === first)) return 0
  if (numbers.some((number) => Math.abs(number) > 1e150)) return null
  const mean = first + numbers.reduce((sum, number) => sum + (number - first), 0) / numbers.length
  return numbers.reduce((sum, number) => sum + (number - mean) ** 2, 0) / (numbers.length - 1)
}

/** In units of the last digit. */
function exactTotal(type: ScalarType, values: readonly ScalarValue[]): bigint {
  return values.reduce<bigint>(
    (left, value) =>
      left + (isDecimal(type) ? scaledOf(value as Decimal, decimalDigits(type)) : BigInt(String(value))),
    0n,
  )
}

function exactSum(type: ScalarType, values: readonly ScalarValue[]): ScalarValue | null {
  const exact = exactTotal(type, values)
  if (!isDecimalScaled(exact)) return null
  if (isDecimal(type)) return decimalOf(exact, decimalDigits(type))
  return Number.isSafeInteger(Number(exact)) ? Number(exact) : String(exact)
}
