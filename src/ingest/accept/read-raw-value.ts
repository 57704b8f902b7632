import type { SourceReading } from '../../definitions/source-reading.ts'
import { acceptKeyValue, acceptValue, int64Range, type Value } from '../../definitions/value.ts'
import { maxValueBytes, valueBytes } from '../../definitions/value-bytes.ts'
import { elementType, isDecimal, joinKeyType, type ValueType } from '../../definitions/value-type.ts'
import type { FileForm } from '../../stores/file-reader.ts'
import { type ReadTimeOptions, timestampReader } from './read-timestamp.ts'
import { Unfit } from './unfit.ts'

/** A file's value → the form that every store keeps; null and undefined are null. */
export type ReadValue = (raw: unknown) => Value | null | Unfit

export interface ReadValueOptions extends ReadTimeOptions {
  readonly type: ValueType
  readonly form: FileForm
  /** Join keys have rules of their own. */
  readonly isKey: boolean
  readonly reading: SourceReading
}

/**
 * By the rules of `acceptValue` and `acceptKeyValue`. In CSV a number is its decimal digits, an integer also with a
 * fraction of zeros (as pandas writes integers with nulls), a bool true, false, 0 or 1, bytes base64 and a list
 * JSON, each with spaces around it; in JSON bytes are base64. A timestamp: see `timestampReader`. NaN is null. A value of
 * more than 1 MB is none.
 */
export function readRawValue(options: ReadValueOptions): ReadValue {
  const { type, form, isKey } = options
  const convert = converter(type, form, options)
  const key = isKey ? joinKeyType.safeParse(type).data : undefined
  const accept = (value: unknown): Value | null | Unfit => {
    const outcome = key === undefined ? acceptValue(type, value) : acceptKeyValue(key, value)
    if (!outcome.ok) return new Unfit(outcome.expected)
    return valueBytes(outcome.value) > maxValueBytes ? tooLarge : outcome.value
  }
  const isNumber = numberTypes.has(type)
  const isCanonical = key === undefined ? canonical[type] : undefined
  return (raw) => {
    if (raw === null || raw === undefined) return null
    if (form === 'TYPED' && isCanonical?.(raw)) return raw as Value
    const value = convert(raw)
    if (value instanceof Unfit) return value
    return isNumber && Number.isNaN(value) ? null : accept(value)
  }
}

const tooLarge = new Unfit(`a value of at most ${maxValueBytes} bytes`)

/** The common values of a typed column, which need no second look. Ten million rows make this worth its lines. */
const canonical: Readonly<Partial<Record<ValueType, (raw: unknown) => boolean>>> = {
  float64: (raw) => typeof raw === 'number' && Number.isFinite(raw),
  bool: (raw) => typeof raw === 'boolean',
  // What comes from UTF-8 has no lone surrogates.
  string: (raw) => typeof raw === 'string' && !raw.includes('\0') && raw.length <= maxValueBytes / 4,
}

const numberTypes: ReadonlySet<ValueType> = new Set(['int32', 'int64', 'float32', 'float64', 'bool'])

type Convert = (raw: unknown) => unknown

function converter(type: ValueType, form: FileForm, options: ReadValueOptions): Convert {
  const element = elementType(type)
  if (element !== null) {
    const convert = converter(element, form === 'TEXT' ? 'JSON' : form, options)
    const convertAll = (raw: unknown): unknown => {
      if (!Array.isArray(raw)) return raw
      const items: readonly unknown[] = raw.map((item) => (item === null ? null : convert(item)))
      return items.find((item) => item instanceof Unfit) ?? items
    }
    return form === 'TEXT' ? (raw) => convertAll(parseJson(String(raw))) : convertAll
  }
  const { decimalComma } = options.reading
  if (isDecimal(type)) return form === 'TEXT' ? numeral(decimalRaw, decimalComma) : decimalRaw
  switch (type) {
    case 'int32':
    case 'int64':
      if (form === 'TEXT') return numeral((text) => integerOf(text, type), decimalComma)
      return (raw) => {
        if (typeof raw === 'bigint') return smallest(raw)
        // DuckDB returns decimals and integers beyond 64 bits as text.
        return form === 'TYPED' && typeof raw === 'string' ? integerOf(raw, type) : raw
      }
    case 'float32':
    case 'float64':
      if (form === 'TEXT') return numeral(numberOf, decimalComma)
      return (raw) => (typeof raw === 'bigint' ? Number(raw) : raw)
    case 'bool':
      return form === 'TEXT'
        ? (raw) => boolOf(String(raw).trim())
        : (raw) => (typeof raw === 'bigint' ? Number(raw) : raw)
    case 'bytes':
      return form === 'TYPED' ? asIs : bytesOf
    case 'timestamp': {
      const read = timestampReader(options)
      return (raw) => read(typeof raw === 'string' ? raw.trim() : raw)
    }
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
  if (!integerText.test(text))
    return new Unfit(type === 'int32' ? 'a 32-bit integer' : 'a 64-bit integer', numeralHint(text))
  const number = Number(text)
  if (Number.isSafeInteger(number)) return number
  const digits = text.replace(/\.0*$/, '').replace('+', '')
  if (type === 'int32') return number
  return digits.length > 40 ? new Unfit(int64Range) : smallest(BigInt(digits))
}

const numberText = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const notFinite: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
])

function numberOf(text: string): unknown {
  if (numberText.test(text)) return Number(text)
  return notFinite.get(text.replace(/^[+-]/, '').toLowerCase()) ?? new Unfit('a number', numeralHint(text))
}

/** Of a number's text without spaces around it, with a point before its fraction. */
function numeral(read: (text: string) => unknown, decimalComma: boolean): Convert {
  if (!decimalComma) return (raw) => read(String(raw).trim())
  return (raw) => {
    const text = String(raw).trim()
    return text.includes('.') ? new Unfit('a number with a decimal comma') : read(text.replace(',', '.'))
  }
}

function numeralHint(text: string): string {
  return /^[+-]?\d+,\d+$/.test(text) && !/^[+-]?\d{1,3},\d{3}$/.test(text)
    ? 'a decimal comma is read with decimalComma: true on the source'
    : ''
}

/** Decimals are read exactly, from what stands there; a NaN as text is none, as a NaN is. */
function decimalRaw(raw: unknown): unknown {
  return typeof raw === 'string' ? (notFinite.get(raw.toLowerCase()) ?? raw) : raw
}

function boolOf(text: string): unknown {
  const lower = text.toLowerCase()
  if (/^[01](?:\.0*)?$/.test(lower)) return Number(lower)
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
