import type { Micros } from '../../definitions/timestamp.ts'

const leastMarginMicros = 3_600_000_000

/**
 * How long after its event timestamp a row stays in the online store: the ttl and a tenth of it, at least an hour, so
 * that a reader can distinguish OUTSIDE_TTL from NOT_FOUND for a while. Null: for ever.
 */
export function physicalExpiry(ttlMicros: Micros | null): Micros | null {
  return ttlMicros === null ? null : ttlMicros + Math.max(leastMarginMicros, Math.ceil(ttlMicros / 10))
}
