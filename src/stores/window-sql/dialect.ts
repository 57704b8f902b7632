import { type Decimal, decimalText, scaledOf } from '../../definitions/decimal.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { ScalarValue } from '../../definitions/value.ts'
import { decimalDigits, isDecimal, type PlainType, type ScalarType } from '../../definitions/value-type.ts'
import type { Aggregated, AggregateSql } from './aggregate-sql.ts'

/** What the SQL of one engine differs by. */
export interface Dialect {
  readonly quote: (name: string) => string
  /** A string literal, in which nothing stands for anything but itself. */
  readonly text: (value: string) => string
  /** A literal of 64 bits. */
  readonly int: (value: number) => string
  readonly double: (value: number) => string
  readonly instant: (micros: Micros) => string
  readonly types: Readonly<Record<PlainType, string>>
  /** Microseconds since the epoch of an instant, and back. */
  readonly toMicros: (instant: string) => string
  readonly fromMicros: (micros: string) => string
  /** A whole quotient; of negative ones it may be rounded either way. */
  readonly quotient: (dividend: string, divisor: string) => string
  /** The multiple of the hop at or before a time, also before 1970. */
  readonly floor: (micros: string, hop: Micros) => string
  /** An integer that is summed without a bound. */
  readonly summable: (integer: string) => string
  readonly isFinite: (double: string) => string
  /** One of some times, by an index from 0. */
  readonly timeAt: (times: readonly Micros[], index: string) => string
  /** Merges cells over the tiles that a window holds. */
  readonly merge: (call: string, window: number) => string
  /** The variance, whose state is no sum. */
  readonly spread: (aggregated: Aggregated) => SpreadSql
  readonly distinct: (aggregated: Aggregated) => AggregateSql
  readonly end: (aggregated: Aggregated, end: 'first' | 'last') => AggregateSql
}

/** Sample variance out of merged columns, where not all values are equal and none is too large to be squared. */
interface SpreadSql extends Pick<AggregateSql, 'cells' | 'events' | 'parts'> {
  readonly variance: string
}

/** 19 digits hold every scaled integer of 64 bits. */
export function typeName({ types }: Dialect, type: ScalarType): string {
  return isDecimal(type) ? `decimal(19, ${decimalDigits(type)})` : types[type]
}

/** Of what a definition can write down: no timestamps and no bytes. */
export function literal(dialect: Dialect, type: ScalarType, value: ScalarValue): string {
  if (isDecimal(type)) {
    const digits = decimalDigits(type)
    return `cast('${decimalText(scaledOf(value as Decimal, digits), digits)}' as ${typeName(dialect, type)})`
  }
  if (type === 'float32' || type === 'float64')
    return `cast('${String(value)}' as ${typeName(dialect, type)})`
  if (typeof value === 'string' && (type === 'string' || type === 'uuid')) return dialect.text(value)
  return `cast(${String(value)} as ${typeName(dialect, type)})`
}
