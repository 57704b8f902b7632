import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { ExampleKey } from '../../stores/example-keys.ts'

const hour: Micros = 3_600_000_000
const units = [hour * 24, hour, hour / 60]

/**
 * The last two starts of a month within the span, in UTC; else of a day, an hour or a minute; where the span has none of
 * these, the second after its end. Later ones first.
 */
export function momentsOf(spans: readonly Pick<ExampleKey, 'oldest' | 'newest'>[]): readonly Micros[] {
  if (spans.length === 0) return []
  const oldest = Math.max(...spans.map((span) => span.oldest))
  const newest = Math.max(...spans.map((span) => span.newest))
  const months = [0, 1].map((back) => startOfMonth(newest, back))
  const starts = units.map((unit) => [0, 1].map((back) => (Math.floor(newest / unit) - back) * unit))
  const found = [months, ...starts].find((moments) => moments.every((moment) => moment > oldest))
  return found ?? [(Math.floor(newest / 1_000_000) + 1) * 1_000_000]
}

/** Midnight UTC of the first day of the month that lies so many before the one of the time. */
function startOfMonth(time: Micros, monthsBack: number): Micros {
  const then = new Date(time / 1_000)
  return Date.UTC(then.getUTCFullYear(), then.getUTCMonth() - monthsBack, 1) * 1_000
}

/** As short as it can be: whole seconds without a fraction. */
export function shownTime(time: Micros): string {
  return formatTimestamp(time).replace('.000000', '')
}
