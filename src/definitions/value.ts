import { acceptDecimal } from './decimal.ts'
import type { Micros } from './timestamp.ts'
import {
  decimalDigits,
  elementType,
  type JoinKeyType,
  type ScalarType,
  type ValueType,
} from './value-type.ts'

/** int64 beyond the safe integers is its canonical decimal string; every other integer is a number. */
export type Int64 = number | string

/** timestamp: microseconds; bytes: a Buffer; uuid: lower-cased text; int64: see `Int64`; decimal(n): see `Decimal`. */
export type ScalarValue = number | string | boolean | Uint8Array
export type Value = ScalarValue | readonly ScalarValue[]

export type KeyValue = number | string
/** The join keys' values in the entity's declared order, in canonical form: equal keys are equal values. */
export type EntityKey = readonly KeyValue[]

/** Times of a row; created null means known always. */
interface RowTimes {
  readonly eventTimestamp: Micros
  readonly createdTimestamp: Micros | null
}

/** One row of a feature view; `values` in the view's feature order. */
export interface FeatureRow extends RowTimes {
  readonly key: EntityKey
  readonly values: readonly (Value | null)[]
}

export type Accepted<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly expected: string }

function accepted<T>(value: T): Accepted<T> {
  return { ok: true, value }
}

function refused(expected: string): Accepted<never> {
  return { ok: false, expected }
}

const int64Pattern = /^(?:0|-?[1-9]\d{0,18})$/
const maxInt64 = 9_223_372_036_854_775_807n
const minInt64 = -9_223_372_036_854_775_808n

/** A safe integer or a canonical decimal string within 64 bits; anything that could have been rounded is refused. */
export function acceptInt64(input: unknown): Accepted<Int64> {
  const expected = 'a 64-bit integer: a safe integer, or a decimal string'
  if (typeof input === 'number') return Number.isSafeInteger(input) ? accepted(input + 0) : refused(expected)
  if (typeof input === 'string' && int64Pattern.test(input)) {
    const number = Number(input)
    if (Number.isSafeInteger(number)) return accepted(number)
    const exact = BigInt(input)
    return exact >= minInt64 && exact <= maxInt64 ? accepted(input) : refused(int64Range)
  }
  return refused(typeof input === 'string' && tooLong.test(input) ? int64Range : expected)
}

const tooLong = /^-?[1-9]\d{19,}$/

/** What is expected of an integer that has too many digits. */
export const int64Bounds: readonly string[] = [String(minInt64), String(maxInt64)]
export const int64Range = `a value within int64, from ${int64Bounds.join(' to ')}`
const int32Range = 'a value within int32, from -2147483648 to 2147483647'

function acceptInt32(input: unknown): Accepted<number> {
  if (typeof input === 'number' && (input | 0) === input) return accepted(input | 0)
  return refused(Number.isInteger(input) ? int32Range : 'a 32-bit integer')
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** In any case; lower-cased, so that equal ones are equal text. */
function acceptUuid(input: unknown): Accepted<string> {
  return typeof input === 'string' && uuidPattern.test(input)
    ? accepted(input.toLowerCase())
    : refused('a UUID, as 123e4567-e89b-12d3-a456-426614174000')
}

const maxKeyBytes = 1_024

/**
 * One join key's value in canonical form. Strings: at most 1,024 bytes of UTF-8, without U+0000 (Postgres has none)
 * and without lone surrogates (they have no UTF-8, so two keys could meet). An empty string is a key like any other.
 */
export function acceptKeyValue(type: JoinKeyType, input: unknown): Accepted<KeyValue> {
  switch (type) {
    case 'int32':
      return acceptInt32(input)
    case 'int64':
      return acceptInt64(input)
    case 'uuid':
      return acceptUuid(input)
    case 'string': {
      if (typeof input !== 'string') return refused('a string')
      if (input.includes('\0') || !input.isWellFormed())
        return refused('a string without U+0000 and lone surrogates')
      if (Buffer.byteLength(input) > maxKeyBytes)
        return refused(`a string of at most ${maxKeyBytes} bytes of UTF-8`)
      return accepted(input)
    }
  }
}

/**
 * A feature's value in the form that every store keeps. NaN becomes null; ±Infinity is refused; 0 and 1 are bools too.
 * float32 passes `Math.fround`, so that both stores answer the same digits. Null stays null.
 */
export function acceptValue(type: ValueType, input: unknown): Accepted<Value | null> {
  if (input === null || input === undefined) return accepted(null)
  const element = elementType(type)
  if (element === null) return acceptScalar(type as ScalarType, input)
  if (!Array.isArray(input)) return refused(`a list of ${element}`)
  const items: ScalarValue[] = []
  for (const [index, item] of input.entries()) {
    const outcome = acceptScalar(element, item)
    if (!outcome.ok || outcome.value === null) {
      const wrong = item === null || Number.isNaN(item) ? `item ${index + 1} is ${item}` : ''
      return refused(`a list of ${element} without nulls and NaN${wrong && ` (${wrong})`}`)
    }
    items.push(outcome.value)
  }
  return accepted(items)
}

function acceptScalar(type: ScalarType, input: unknown): Accepted<ScalarValue | null> {
  switch (type) {
    case 'int32':
      return acceptInt32(input)
    case 'int64':
      return acceptInt64(input)
    case 'float32':
    case 'float64': {
      if (typeof input !== 'number') return refused('a number')
      if (Number.isNaN(input)) return accepted(null)
      const number = type === 'float32' ? Math.fround(input) : input
      if (Number.isFinite(number)) return accepted(number)
      return refused(Number.isFinite(input) ? `a value within ${type}` : `a finite ${type}`)
    }
    case 'string':
      return typeof input === 'string' && !input.includes('\0') && input.isWellFormed()
        ? accepted(input)
        : refused('a string without U+0000 and lone surrogates')
    case 'bool':
      if (input === 0 || input === 1) return accepted(input === 1)
      return typeof input === 'boolean' ? accepted(input) : refused('true or false')
    case 'timestamp':
      return Number.isSafeInteger(input)
        ? accepted(input as number)
        : refused('whole microseconds since the epoch')
    case 'bytes':
      return input instanceof Uint8Array ? accepted(input) : refused('bytes')
    case 'uuid':
      return acceptUuid(input)
    default:
      return acceptDecimal(decimalDigits(type), input)
  }
}
