import type { Micros } from '../definitions/timestamp.ts'

/** Microseconds by the machine's clock. */
export function systemClock(): Micros {
  return Date.now() * 1_000
}
