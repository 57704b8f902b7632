import type { Micros } from '../../definitions/timestamp.ts'
import type { Int64, ScalarValue } from '../../definitions/value.ts'
import { isDecimal, type ScalarType, type ValueType } from '../../definitions/value-type.ts'
import type { EventAggregate } from './event-aggregate.ts'
import type { SpanAggregate } from './span-aggregate.ts'

/** Where an event stands in the total order of its source's events. */
export interface EventPlace {
  readonly timestamp: Micros
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** `overflow`: an exact integer result that 64 bits cannot hold; the value is null then. */
export interface Finalised {
  readonly value: ScalarValue | null
  readonly overflow: boolean
}

/**
 * An aggregate in parts: `merge` is associative and commutative, so events may be added in any order and grouping, span
 * by span; `finalise` is called once, at read. `add` may change the state that it is given, and returns the new one;
 * `merge` and `finalise` change nothing.
 */
export interface Aggregate<State> {
  readonly empty: () => State
  /** A null is skipped, but for count. */
  readonly add: (state: State, value: ScalarValue | null, place: EventPlace) => State
  readonly merge: (left: State, right: State) => State
  readonly finalise: (state: State) => Finalised
}

/** All that one aggregate is, but its SQL, which is `stores/postgres/windows/span-cells.ts`, in the same order. */
export interface AggregateDefinition {
  /** The type of its value over fields of a type; null: it does not take such fields. */
  readonly resultType: (field: ScalarType) => ValueType | null
  /** The value of a window without events. */
  readonly emptyValue: 0 | null
  /** Over events that come one by one: what spans are made of. */
  readonly ofEvents: (field: ScalarType) => EventAggregate
  /** Over what Postgres has aggregated. `isSingle`: there is one span, so that Postgres counts different values. */
  readonly ofSpans: (field: ScalarType, isSingle: boolean) => SpanAggregate
}

export function exactResult(value: ScalarValue | null): Finalised {
  return { value, overflow: false }
}

export function isIntegerType(type: ScalarType): boolean {
  return type === 'int32' || type === 'int64'
}

export function isNumberType(type: ScalarType): boolean {
  return isIntegerType(type) || type === 'float32' || type === 'float64' || isDecimal(type)
}

/** A number while it is a safe integer, else its digits. */
export function int64Of(exact: bigint): Int64 {
  const number = Number(exact)
  return Number.isSafeInteger(number) ? number : exact.toString()
}
