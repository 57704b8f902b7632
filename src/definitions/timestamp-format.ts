import { civilMicros, type Micros } from './timestamp.ts'

/** What a text of a format says: an instant, a time of some zone's clock, or a day of some zone's calendar. */
export interface FormattedTime {
  readonly kind: 'INSTANT' | 'LOCAL' | 'DATE'
  /** Of LOCAL and DATE as if the zone were UTC. */
  readonly micros: Micros
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const fullMonths = [
  ...['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august'],
  ...['september', 'october', 'november', 'december'],
]

/** By directive: the text that it stands for. Numbers may lack their leading zero, as strptime has it. */
const directives: Readonly<Record<string, string>> = {
  Y: '(?<Y>\\d{4})',
  y: '(?<y>\\d{2})',
  m: '(?<m>\\d{1,2})',
  d: '(?<d>\\d{1,2})',
  H: '(?<H>\\d{1,2})',
  I: '(?<I>\\d{1,2})',
  M: '(?<M>\\d{1,2})',
  S: '(?<S>\\d{1,2})',
  f: '(?<f>\\d{1,9})',
  p: '(?<p>[AaPp][Mm])',
  b: `(?<b>${months.join('|')})`,
  B: `(?<B>${fullMonths.join('|')})`,
  a: '(?:mon|tue|wed|thu|fri|sat|sun)',
  A: '(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)',
  z: '(?<z>Z|[+-]\\d{2}:?\\d{2}|[+-]\\d{2})',
  '%': '%',
}

/** Why a format cannot be read by; null: it can. */
export function formatProblem(format: string): string | null {
  const used = [...format.matchAll(/%(.?)/gs)].map(([, directive = '']) => directive)
  const known = Object.keys(directives).map((directive) => `%${directive}`)
  const unknown = used.find((directive) => directives[directive] === undefined)
  if (unknown !== undefined) return `the format has %${unknown}; known are ${known.join(', ')}`
  const twice = used.find((directive, index) => directive !== '%' && used.indexOf(directive) < index)
  if (twice !== undefined) return `the format has %${twice} twice`
  const has = (...any: readonly string[]): boolean => any.some((directive) => used.includes(directive))
  if (!has('Y', 'y') || !has('m', 'b', 'B') || !has('d'))
    return 'a format has a year (%Y, %y), a month (%m, %b, %B) and a day (%d), as %m/%d/%Y %H:%M'
  if (has('I') !== has('p')) return 'an hour of a half day (%I) needs %p, and %p needs %I'
  if (has('H') && has('I')) return 'the format has two hours, %H and %I'
  return null
}

/**
 * A reader of texts of a format, by strptime's directives; months and days of the week are English. A space stands for any
 * number of them. Hours end at 23 and seconds at 59, as in RFC 3339 texts. Our own, since the libraries that know these
 * directives end at milliseconds.
 */
export function timestampFormat(format: string): (text: string) => FormattedTime | null {
  const source = format.replace(/%(.)|\s+|[^%\s]+/gs, (found, directive: string | undefined) =>
    directive !== undefined
      ? (directives[directive] ?? '')
      : /^\s/.test(found)
        ? '\\s+'
        : found.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&'),
  )
  const pattern = new RegExp(`^${source}$`, 'i')
  return (text) => {
    const parts = pattern.exec(text)?.groups
    if (!parts) return null
    const { Y, y, m, b, B, d, H, I, M = '0', S = '0', f = '', p, z } = parts
    // As POSIX has it: 69 to 99 are of the last century.
    const year = Y === undefined ? Number(y) + (Number(y) < 69 ? 2000 : 1900) : Number(Y)
    const month = m === undefined ? monthOf(b, B) : Number(m)
    const hour = I === undefined ? Number(H ?? 0) : halfDayHour(Number(I), p ?? '')
    const micros = civilMicros({
      ...{ year, month, day: Number(d), hour, minute: Number(M), second: Number(S) },
      ...{ fraction: f, offsetMinutes: z === undefined ? 0 : offsetOf(z) },
    })
    if (micros === null) return null
    const hasTime = H !== undefined || I !== undefined
    return { kind: z !== undefined ? 'INSTANT' : hasTime ? 'LOCAL' : 'DATE', micros }
  }
}

function monthOf(short: string | undefined, full: string | undefined): number {
  return (
    (full === undefined
      ? months.indexOf((short ?? '').toLowerCase())
      : fullMonths.indexOf(full.toLowerCase())) + 1
  )
}

/** NaN where it is none. */
function halfDayHour(hour: number, half: string): number {
  if (hour < 1 || hour > 12) return Number.NaN
  return (hour % 12) + (half.toLowerCase() === 'pm' ? 12 : 0)
}

function offsetOf(text: string): number {
  if (text.toLowerCase() === 'z') return 0
  const hours = Number(text.slice(1, 3))
  const minutes = Number(text.slice(3).replace(':', '') || 0)
  if (hours > 23 || minutes > 59) return Number.NaN
  return (text.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
}
