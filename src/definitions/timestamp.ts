/** An instant: whole microseconds since 1970-01-01T00:00:00Z. Exact in a number until the year 2255. */
export type Micros = number

/** The clock is an argument everywhere; only entry points make one. */
export type Clock = () => Micros

const pattern =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:([Zz])| ?(UTC|utc)| ?([+-])(\d{2})(?::?(\d{2}))?)$/

/** The earliest and the latest instant that is reported exactly, as whole seconds: 1684-07-28 to 2255-06-05. */
const limitMicros = Number.MAX_SAFE_INTEGER

/**
 * RFC 3339 with an explicit offset → microseconds; digits below a microsecond (at most 9 in all) are cut off. The same time
 * may be written as databases and tools write it: a space for the T, lower case, an offset without its colon or its minutes,
 * or ` UTC`.
 * Null for anything else: no offset, a day that the month does not have, hour 24 and second 60 (the next day or minute has
 * a name of its own, and microseconds since the epoch have no room for a leap second), or an instant outside 1684 to 2255
 * (it could not be held exactly).
 */
export function parseTimestamp(text: string): Micros | null {
  const match = pattern.exec(text)
  if (match === null) return null
  const [, year, month, day, hour, minute, second, fraction = '', , , sign, offsetHour, offsetMinute = '0'] =
    match
  let offsetMinutes = 0
  if (sign !== undefined) {
    const oh = Number(offsetHour)
    const om = Number(offsetMinute)
    if (oh > 23 || om > 59) return null
    offsetMinutes = (sign === '-' ? -1 : 1) * (oh * 60 + om)
  }
  return civilMicros({
    ...{ year: Number(year), month: Number(month), day: Number(day) },
    ...{ hour: Number(hour), minute: Number(minute), second: Number(second), fraction, offsetMinutes },
  })
}

/** A time as a calendar and a clock show it; `fraction`: the digits behind the second. */
export interface CivilTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly fraction: string
  /** Local time less UTC. */
  readonly offsetMinutes: number
}

/** Null where there is no such time, or it cannot be held exactly; digits below a microsecond are cut off. */
export function civilMicros(civil: CivilTime): Micros | null {
  const { year, month, day, hour, minute, second, fraction, offsetMinutes } = civil
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return null
  if (!(hour <= 23 && minute <= 59 && second <= 59) || Number.isNaN(offsetMinutes)) return null
  const seconds =
    daysFromEpoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offsetMinutes * 60
  const micros = seconds * 1_000_000 + Number(fraction.slice(0, 6).padEnd(6, '0'))
  return Math.abs(micros) <= limitMicros ? micros : null
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** Days of the proleptic Gregorian calendar; H. Hinnant's algorithm, with the year beginning in March. */
function daysFromEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** The inverse of `daysFromEpoch`, as `2026-11-23`. */
function formatDay(days: number): string {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return `${String(year).padStart(4, '0')}-${pad2(month)}-${pad2(day)}`
}

function pad2(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

let lastDay = Number.NaN
let lastDayText = ''

/**
 * UTC, always 6 fraction digits and Z: `2026-11-23T09:05:00.000000Z`.
 * Integer arithmetic with the last day's text kept (rows of one answer share few days): `Date.toISOString` doubled
 * the time of an answer with freshness.
 */
export function formatTimestamp(micros: Micros): string {
  const days = Math.floor(micros / 86_400_000_000)
  if (days !== lastDay) {
    lastDayText = formatDay(days)
    lastDay = days
  }
  const microsOfDay = micros - days * 86_400_000_000
  const secondsOfDay = Math.floor(microsOfDay / 1_000_000)
  const fraction = String(microsOfDay - secondsOfDay * 1_000_000).padStart(6, '0')
  const hours = Math.floor(secondsOfDay / 3_600)
  const minutes = Math.floor((secondsOfDay - hours * 3_600) / 60)
  return `${lastDayText}T${pad2(hours)}:${pad2(minutes)}:${pad2(secondsOfDay % 60)}.${fraction}Z`
}
