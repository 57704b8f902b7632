import { type Micros, parseTimestamp } from './timestamp.ts'

const withoutOffset = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?$/
const dateAlone = /^\d{4}-\d{2}-\d{2}$/

/** As RFC 3339 but without its offset: what a clock on the wall showed, as if it were UTC. Null for anything else. */
export function parseLocalTime(text: string): Micros | null {
  return withoutOffset.test(text) ? parseTimestamp(`${text}Z`) : null
}

/** A date alone: its midnight, as if the zone were UTC. Null for anything else. */
export function parseDate(text: string): Micros | null {
  return dateAlone.test(text) ? parseTimestamp(`${text}T00:00:00Z`) : null
}

/** What a clock on the wall showed → the instant. */
export type FromLocalTime = (local: Micros) => Micros

const quarterHour = 900_000_000
const day = 96 * quarterHour

/**
 * Instants of local times in a zone of the IANA database. A time that a clock showed twice is the first of the two; one
 * that it skipped is read with the offset before the gap, as Temporal's `compatible` does. Offsets are asked of Intl once
 * a quarter of an hour; only a quarter in which they change is asked time by time.
 */
export function fromLocalTime(timezone: string): FromLocalTime {
  if (timezone === 'UTC') return (local) => local
  const offsetOf = offsetsOf(timezone)
  const resolve = (local: Micros): Micros => {
    const before = offsetOf(local - day)
    const after = offsetOf(local + day)
    const fits = [local - before, local - after].filter((instant) => local - instant === offsetOf(instant))
    return fits.length === 0 ? local - before : Math.min(...fits)
  }
  /** By quarter of an hour of local time; null where it is not the same throughout. */
  const offsets = new Map<number, number | null>()
  return (local) => {
    const quarter = Math.floor(local / quarterHour)
    let offset = offsets.get(quarter)
    if (offset === undefined) {
      const start = quarter * quarterHour
      const end = start + quarterHour - 1
      const first = start - resolve(start)
      offset = first === end - resolve(end) ? first : null
      offsets.set(quarter, offset)
    }
    return offset === null ? resolve(local) : local - offset
  }
}

/** Local time less UTC at an instant, in microseconds. */
function offsetsOf(timezone: string): (instant: Micros) => number {
  const format = new Intl.DateTimeFormat('en-US-u-ca-iso8601-nu-latn', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  return (instant) => {
    const second = Math.floor(instant / 1_000_000)
    const parts = new Map(
      format.formatToParts(second * 1_000).map(({ type, value }) => [type, Number(value)]),
    )
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0
    const local = Date.UTC(
      part('year'),
      part('month') - 1,
      part('day'),
      part('hour'),
      part('minute'),
      part('second'),
    )
    return (local / 1_000 - second) * 1_000_000
  }
}
