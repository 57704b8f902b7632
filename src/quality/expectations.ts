import { formatDuration } from '../definitions/duration.ts'
import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import type { Value } from '../definitions/value.ts'
import type { ValueType } from '../definitions/value-type.ts'
import type { Expectation } from '../registry/registry.ts'

type ExpectationRule = 'MIN' | 'MAX' | 'NOT_NULL' | 'ONE_OF' | 'MAX_AGE'

/** A rule that is broken, and by what; value and bound as text, for people. */
export interface BrokenRule {
  readonly rule: ExpectationRule
  readonly value: string | null
  readonly bound: string | null
  /** `Value 12000 above maximum 10000` */
  readonly message: string
}

/** The rules that a value breaks, in the order min, max, notNull, oneOf. Null breaks only notNull. */
export function brokenRules(
  expectation: Expectation,
  type: ValueType,
  value: Value | null,
): readonly BrokenRule[] {
  const { min, max, notNull, oneOf } = expectation
  if (value === null) {
    return notNull ? [{ rule: 'NOT_NULL', value: null, bound: null, message: 'Value is null' }] : []
  }
  const shown = valueText(type, value)
  const broken: BrokenRule[] = []
  // An int64 beyond 2^53 is a string of digits; next to a bound, which is a float, its rounding decides nothing.
  const number = Number(value)
  if (min !== null && number < min) broken.push(brokenBy('MIN', shown, String(min), 'below minimum'))
  if (max !== null && number > max) broken.push(brokenBy('MAX', shown, String(max), 'above maximum'))
  if (oneOf !== null && !oneOf.some((allowed) => allowed === value))
    broken.push(brokenBy('ONE_OF', shown, oneOf.join(', '), 'is none of'))
  return broken
}

function brokenBy(rule: ExpectationRule, value: string, bound: string, how: string): BrokenRule {
  return { rule, value, bound, message: `Value ${value} ${how} ${bound}` }
}

/** The age of a row's event timestamp when it enters, against `maxAge`; the bound itself is allowed. */
export function brokenAge(expectation: Expectation, eventTimestamp: Micros, now: Micros): BrokenRule | null {
  const { maxAgeMicros } = expectation
  if (maxAgeMicros === null || now - eventTimestamp <= maxAgeMicros) return null
  const value = formatTimestamp(eventTimestamp)
  const bound = formatDuration(maxAgeMicros)
  return { rule: 'MAX_AGE', value, bound, message: `Event timestamp ${value} is older than ${bound}` }
}

function valueText(type: ValueType, value: Value): string {
  if (type === 'timestamp') return formatTimestamp(Number(value))
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value)
}
