import type { Micros } from '../../definitions/timestamp.ts'
import type { Value } from '../../definitions/value.ts'
import {
  decimalDigits,
  elementType,
  isDecimal,
  type PlainType,
  type ValueType,
} from '../../definitions/value-type.ts'

import { sparkDialect } from '../window-sql/spark-dialect.ts'

/** What differs between the engines that join over files. Times are microseconds in 64-bit integers in both. */
export interface SqlDialect {
  readonly name: 'duckdb' | 'spark'
  readonly quoted: (name: string) => string
  readonly text: (text: string) => string
  readonly typeOf: (type: ValueType) => string
  /** Of an expression that is a timestamp. */
  readonly microsOf: (expression: string) => string
  readonly ifFinite: (expression: string) => string
  /** Remainder with the divisor's sign. */
  readonly modulo: (dividend: string, divisor: string) => string
  /** Null for what the type cannot hold. */
  readonly tryCast: (expression: string, type: string) => string
}

/** Digits of a scaled 64-bit integer. */
const decimalWidth = 18

const duckDbTypes: Readonly<Record<PlainType, string>> = {
  ...{ int32: 'INTEGER', int64: 'BIGINT', float32: 'FLOAT', float64: 'DOUBLE', bool: 'BOOLEAN' },
  ...{ string: 'VARCHAR', uuid: 'VARCHAR', bytes: 'BLOB', timestamp: 'TIMESTAMP WITH TIME ZONE' },
}

const sparkTypes: Readonly<Record<PlainType, string>> = {
  ...{ int32: 'int', int64: 'bigint', float32: 'float', float64: 'double', bool: 'boolean' },
  ...{ string: 'string', uuid: 'string', bytes: 'binary', timestamp: 'timestamp' },
}

export const duckDb: SqlDialect = {
  name: 'duckdb',
  text: literalText,
  quoted: (name) => `"${name.replaceAll('"', '""')}"`,
  typeOf: (type) => typeName(type, duckDbTypes, (element) => `${element}[]`),
  microsOf: (expression) => `epoch_us(${expression})`,
  ifFinite: (expression) => `case when isfinite(${expression}) then ${expression} end`,
  modulo: (dividend, divisor) => `((${dividend}) % ${divisor} + ${divisor}) % ${divisor}`,
  tryCast: (expression, type) => `try_cast(${expression} as ${type})`,
}

export const spark: SqlDialect = {
  name: 'spark',
  text: sparkDialect.text,
  quoted: (name) => `\`${name.replaceAll('`', '``')}\``,
  typeOf: (type) => typeName(type, sparkTypes, (element) => `array<${element}>`),
  microsOf: (expression) => `unix_micros(${expression})`,
  ifFinite: (expression) =>
    `case when not isnan(${expression}) and abs(${expression}) < double('infinity') then ${expression} end`,
  modulo: (dividend, divisor) => `pmod(${dividend}, ${divisor})`,
  tryCast: (expression, type) => `try_cast(${expression} as ${type})`,
}

function typeName(
  type: ValueType,
  plain: Readonly<Record<PlainType, string>>,
  list: (element: string) => string,
): string {
  const element = elementType(type)
  if (element !== null) return list(plain[element])
  if (isDecimal(type)) return `decimal(${decimalWidth}, ${decimalDigits(type)})`
  return plain[type as PlainType]
}

/** A text as DuckDB writes it. */
export function literalText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** Of an empty window: numbers, and null. */
export function literalValue(value: Value | null, type: string, { text }: SqlDialect): string {
  if (value === null) return `cast(null as ${type})`
  if (typeof value === 'boolean') return String(value)
  return `cast(${typeof value === 'number' ? value : text(String(value))} as ${type})`
}

/** The first instant of a sawtooth window at an instant, as `windowStart`. */
export function windowStartSql(
  at: string,
  windowMicros: Micros,
  hopMicros: Micros,
  { modulo }: SqlDialect,
): string {
  const tail = `${at} - ${windowMicros}`
  return `${tail} - ${modulo(tail, String(hopMicros))}`
}
