import { z } from 'zod'
import type { Micros } from './timestamp.ts'

const unitMicros = {
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
} as const satisfies Record<string, Micros>

const pattern = /^(\d{1,9})(ms|s|m|h|d)$/

function isUnit(unit: string): unit is keyof typeof unitMicros {
  return Object.hasOwn(unitMicros, unit)
}

/**
 * `250ms`, `30s`, `5m`, `1h`, `90d` → whole microseconds; null for anything else.
 * A day is 86,400 seconds: instants are UTC, so no calendar is asked.
 */
export function parseDuration(text: string): Micros | null {
  const [, count, unit] = pattern.exec(text) ?? []
  if (count === undefined || unit === undefined || !isUnit(unit)) return null
  const micros = Number(count) * unitMicros[unit]
  return Number.isSafeInteger(micros) ? micros : null
}

/** The shortest form that parses back to the same: 3,600,000,000 → `1h`. Below a millisecond it rounds up. */
export function formatDuration(micros: Micros): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (micros >= unitMicros[unit] && micros % unitMicros[unit] === 0)
      return `${micros / unitMicros[unit]}${unit}`
  }
  return `${Math.ceil(micros / unitMicros.ms)}ms`
}

/** A duration in a definition; the parsed value is microseconds. */
export const duration = z.string().refine((text) => (parseDuration(text) ?? 0) > 0, {
  error: 'a duration is a whole number above 0 and a unit, as 250ms, 30s, 5m, 1h or 90d',
})
