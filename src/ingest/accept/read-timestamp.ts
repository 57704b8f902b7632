import { parseDate, parseLocalTime } from '../../definitions/local-time.ts'
import type { EpochUnit, SourceReading } from '../../definitions/source-reading.ts'
import { formatTimestamp, type Micros, parseTimestamp } from '../../definitions/timestamp.ts'
import { type FormattedTime, timestampFormat } from '../../definitions/timestamp-format.ts'
import type { TimeColumn } from '../../stores/file-reader.ts'
import { Unfit } from './unfit.ts'

/** As `FromLocalTime`; where no zone is known it throws, or says what is expected instead. */
type ReadLocalTime = (local: Micros) => Micros | Unfit

export interface ReadTimeOptions {
  /** What numbers of a typed column are; null: values are text or numbers of JSON. */
  readonly timeColumn: TimeColumn | null
  readonly fromLocalTime: ReadLocalTime
  /** A day's midnight as if the zone were UTC → the instant. */
  readonly fromDate: (local: Micros) => Micros
  readonly reading: Pick<SourceReading, 'unit' | 'dates' | 'format'>
}

const expected = 'an RFC 3339 timestamp, from 1684 to 2255'
const outside = new Unfit('a time from 1684 to 2255')

/**
 * A timestamp is RFC 3339 text (as `parseTimestamp` takes it), text of the source's format, a date alone where the source has
 * `dates`, a number where it has a `unit`, or a typed time or date of a file. What only lacks its option is named with it.
 */
export function timestampReader({ timeColumn, fromLocalTime, fromDate, reading }: ReadTimeOptions) {
  const { unit, dates, format } = reading
  const parseFormat = format === null ? null : timestampFormat(format)
  const fromFormatted = ({ kind, micros }: FormattedTime): Micros | Unfit =>
    kind === 'INSTANT' ? micros : kind === 'LOCAL' ? fromLocalTime(micros) : fromDate(micros)

  const readText = (text: string): Micros | Unfit => {
    const formatted = parseFormat?.(text)
    if (formatted) return fromFormatted(formatted)
    const micros = parseTimestamp(text)
    if (micros !== null) return micros
    const local = parseLocalTime(text)
    if (local !== null) return fromLocalTime(local)
    const day = parseDate(text)
    if (day !== null)
      return dates
        ? fromDate(day)
        : new Unfit(expected, 'a date alone is its midnight with dates: true on the source')
    if (epochText.test(text)) return readEpoch(text)
    return new Unfit(expected, hintOf(text, format))
  }

  const readEpoch = (text: string): Micros | Unfit => {
    const formatted = parseFormat?.(text)
    if (formatted) return fromFormatted(formatted)
    if (unit === null) return new Unfit(expected, unitHint(text))
    return epochMicros(text, unit) ?? new Unfit(`${unit} since 1970, from 1684 to 2255`, unitHint(text))
  }

  return (raw: unknown): Micros | Unfit => {
    if (typeof raw === 'string') return readText(raw)
    if (typeof raw === 'bigint') return readEpoch(raw.toString())
    if (typeof raw !== 'number') return new Unfit(expected)
    if (timeColumn === null || timeColumn === 'NUMBER') return readEpoch(plainDigits(raw))
    if (!Number.isSafeInteger(raw)) return outside
    return timeColumn === 'INSTANT' ? raw : timeColumn === 'DATE' ? fromDate(raw) : fromLocalTime(raw)
  }
}

const epochText = /^[+-]?\d+(?:\.\d*)?$/
/** How many digits of a microsecond a unit has behind it. */
const exponents: Readonly<Record<EpochUnit, number>> = { s: 6, ms: 3, us: 0, ns: -3 }

/** By digits, so that nothing is rounded; what is below a microsecond is cut off, towards the past. */
function epochMicros(text: string, unit: EpochUnit): Micros | null {
  const [whole = '', fraction = ''] = text.replace(/^[+-]/, '').split('.')
  const exponent = exponents[unit]
  const digits =
    exponent < 0 ? whole.slice(0, exponent) : whole + fraction.slice(0, exponent).padEnd(exponent, '0')
  const cut = exponent < 0 ? whole.slice(exponent) + fraction : fraction.slice(exponent)
  const isNegative = text.startsWith('-')
  const micros = Number(digits) + (isNegative && /[1-9]/.test(cut) ? 1 : 0)
  return Number.isSafeInteger(micros) ? (isNegative ? 0 - micros : micros) : null
}

/** A number's digits without an exponent. */
function plainDigits(number: number): string {
  if (Number.isSafeInteger(number)) return String(number)
  return Number.isInteger(number) ? BigInt(number).toString() : String(number)
}

/** The unit by which the number is a time of our days, with that time. */
function unitHint(text: string): string {
  const likely = (['s', 'ms', 'us', 'ns'] as const)[
    [1e11, 1e14, 1e17].filter((end) => Math.abs(Number(text)) >= end).length
  ]
  const micros = likely === undefined ? null : epochMicros(text, likely)
  const year = Number(text.slice(0, 4))
  if (/^\d{8}$/.test(text) && year > 1900 && year < 2100)
    return "a date without dashes is read with format: '%Y%m%d' on the source"
  if (micros === null) return ''
  return `with unit: '${likely}' on the source it is ${formatTimestamp(micros)}`
}

function hintOf(text: string, format: string | null): string {
  if (/[Tt ]24:\d{2}/.test(text)) return 'hours end at 23: 24:00 is 00:00 of the next day'
  if (/:60(?:\D|$)/.test(text)) return 'seconds end at 59: a leap second is the next second'
  if (format !== null) return `the source's format is ${JSON.stringify(format)}`
  return /\d.*[/.:-].*\d/.test(text)
    ? "another form is read with a format on the source, as format: '%m/%d/%Y %H:%M'"
    : ''
}
