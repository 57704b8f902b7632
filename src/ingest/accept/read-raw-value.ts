import { parseLocalTime } from '../../definitions/local-time.ts'
import { type Micros, parseTimestamp } from '../../definitions/timestamp.ts'
import { acceptKeyValue, acceptValue, type Value } from '../../definitions/value.ts'
import { elementType, isDecimal, joinKeyType, type ValueType } from '../../definitions/value-type.ts'
import type { FileForm } from '../../stores/file-reader.ts'

/** What stands where the type needs something else. */
export class Unfit {
  readonly expected: string
  constructor(expected: string) {
    this.expected = expected
  }
}

/** A file's value → the form that every store keeps; null and undefined are null. */
export type ReadValue = (raw: unknown) => Value | null | Unfit

export interface ReadValueOptions {
  readonly type: ValueType
  readonly form: FileForm
  /** Join keys have rules of their own. */
  readonly isKey: boolean
  /** Times of a typed column that are local. */
  readonly isLocalTime: boolean
  readonly fromLocalTime: ReadLocalTime
}

/** As `FromLocalTime`; where no zone is known it throws, or says what is expected instead. */
type ReadLocalTime = (local: Micros) => Micros | Unfit

const timestampExpected = 'an RFC 3339 timestamp with at most 6 fraction digits, from 1684 to 2255'

/**
 * By the rules of `acceptValue` and `acceptKeyValue`. In CSV a number is its decimal digits, an integer also with a
 * fraction of zeros (as pandas writes integers with nulls), a bool true or false in any case, bytes base64 and a list
 * JSON; in JSON bytes are base64. A timestamp is RFC 3339 text (its offset
 * may lack the minutes, as Postgres and DuckDB write it), or typed; neither a date nor a number is one.
 */
export function readRawValue({ type, form, isKey, isLocalTime, fromLocalTime }: ReadValueOptions): ReadValue {
  const convert = converter(type, form, { isLocalTime, fromLocalTime })
  const key = isKey ? joinKeyType.safeParse(type).data : undefined
  const accept = (value: unknown): Value | null | Unfit => {
    const outcome = key === undefined ? acceptValue(type, value) : acceptKeyValue(key, value)
    return outcome.ok ? outcome.value : new Unfit(outcome.expected)
  }
  const isCanonical = key === undefined ? canonical[type] : undefined
  return (raw) => {
    if (raw === null || raw === undefined) return null
    if (form === 'TYPED' && isCanonical?.(raw)) return raw as Value
    const value = convert(raw)
    return value instanceof Unfit ? value : accept(value)
  }
}

/** The common values of a typed column, which need no second look. Ten million rows make this worth its lines. */
const canonical: Readonly<Partial<Record<ValueType, (raw: unknown) => boolean>>> = {
  float64: (raw) => typeof raw === 'number' && Number.isFinite(raw),
  bool: (raw) => typeof raw === 'boolean',
  // What comes from UTF-8 has no lone surrogates.
  string: (raw) => typeof raw === 'string' && !raw.includes('\0'),
}

type Convert = (raw: unknown) => unknown

type LocalTimes = Pick<ReadValueOptions, 'isLocalTime' | 'fromLocalTime'>

function converter(type: ValueType, form: FileForm, local: LocalTimes): Convert {
  const element = elementType(type)
  if (element !== null) {
    const convert = converter(element, form === 'TEXT' ? 'JSON' : form, local)
    const convertAll = (raw: unknown): unknown => {
      if (!Array.isArray(raw)) return raw
      const items: readonly unknown[] = raw.map(convert)
      return items.find((item) => item instanceof Unfit) ?? items
    }
    return form === 'TEXT' ? (raw) => convertAll(parseJson(String(raw))) : convertAll
  }
  if (isDecimal(type)) return decimalRaw
  switch (type) {
    case 'int32':
    case 'int64':
      if (form === 'TEXT') return (raw) => integerOf(String(raw), type)
      return (raw) => {
        if (typeof raw === 'bigint') return smallest(raw)
        // DuckDB returns decimals and integers beyond 64 bits as text.
        return form === 'TYPED' && typeof raw === 'string' ? integerOf(raw, type) : raw
      }
    case 'float32':
    case 'float64':
      if (form === 'TEXT') return (raw) => numberOf(String(raw))
      return (raw) => (typeof raw === 'bigint' ? Number(raw) : raw)
    case 'bool':
      return form === 'TEXT' ? (raw) => boolOf(String(raw)) : asIs
    case 'bytes':
      return form === 'TYPED' ? asIs : bytesOf
    case 'timestamp':
      return (raw) => timestampOf(raw, form === 'TYPED', local)
    default:
      return asIs
  }
}

function asIs(raw: unknown): unknown {
  return raw
}

/** The values of an event id column: any scalar as text; the rules of a string join key. */
export function readEventId(raw: unknown): string | null | Unfit {
  if (raw === null || raw === undefined) return null
  const isScalar = ['string', 'number', 'bigint', 'boolean'].includes(typeof raw)
  const outcome = acceptKeyValue('string', isScalar ? String(raw) : raw)
  return outcome.ok ? String(outcome.value) : new Unfit(outcome.expected)
}

function smallest(integer: bigint): number | string {
  const number = Number(integer)
  return Number.isSafeInteger(number) ? number : integer.toString()
}

const integerText = /^[+-]?\d+(?:\.0*)?$/

/** `+7` and `007.0` are 7; anything that is no integer goes on as it is, to be refused. */
function integerOf(text: string, type: 'int32' | 'int64'): unknown {
  if (!integerText.test(text)) return new Unfit(type === 'int32' ? 'a 32-bit integer' : 'a 64-bit integer')
  const number = Number(text)
  if (Number.isSafeInteger(number)) return number
  const digits = text.replace(/\.0*$/, '').replace('+', '')
  return digits.length > 40 ? number : smallest(BigInt(digits))
}

const numberText = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const notFinite: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
])

function numberOf(text: string): unknown {
  if (numberText.test(text)) return Number(text)
  return notFinite.get(text.replace(/^[+-]/, '').toLowerCase()) ?? text
}

/** Decimals are read exactly, from what stands there; a NaN as text is none, as a NaN is. */
function decimalRaw(raw: unknown): unknown {
  return typeof raw === 'string' ? (notFinite.get(raw.toLowerCase()) ?? raw) : raw
}

function boolOf(text: string): unknown {
  const lower = text.toLowerCase()
  return lower === 'true' ? true : lower === 'false' ? false : text
}

function bytesOf(raw: unknown): unknown {
  if (typeof raw !== 'string') return new Unfit('base64')
  const bytes = Buffer.from(raw, 'base64')
  return bytes.toString('base64') === raw ? bytes : new Unfit('base64')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return new Unfit('a list as JSON')
  }
}

/** What Postgres and DuckDB write: `2026-01-31 09:30:00+00`. */
const hoursOnly = /:\d{2}(?:\.\d{1,6})?[+-]\d{2}$/

function timestampOf(raw: unknown, isTyped: boolean, local: LocalTimes): Micros | Unfit {
  if (isTyped && typeof raw === 'number') {
    if (!Number.isSafeInteger(raw)) return new Unfit('a time from 1684 to 2255')
    return local.isLocalTime ? local.fromLocalTime(raw) : raw
  }
  if (typeof raw !== 'string') return new Unfit(timestampExpected)
  const micros = parseTimestamp(raw) ?? (hoursOnly.test(raw) ? parseTimestamp(`${raw}:00`) : null)
  if (micros !== null) return micros
  const shown = parseLocalTime(raw)
  return shown === null ? new Unfit(timestampExpected) : local.fromLocalTime(shown)
}
