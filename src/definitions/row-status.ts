import type { Micros } from './timestamp.ts'

/** Of a view's row. NOT_FOUND has no event timestamp; OUTSIDE_TTL keeps it, with null values. */
export type RowStatus = 'PRESENT' | 'NOT_FOUND' | 'OUTSIDE_TTL' | 'UNAVAILABLE'

/** Of a single value: its row's status, or why the value itself is missing. */
export type FeatureStatus = RowStatus | 'NULL_VALUE' | 'FAILED'

/** By their numbers, where many of them stand in a column. */
export const featureStatuses: readonly FeatureStatus[] = [
  ...(['PRESENT', 'NOT_FOUND', 'OUTSIDE_TTL', 'UNAVAILABLE', 'NULL_VALUE', 'FAILED'] as const),
]

/** The place of a status among `featureStatuses`. */
export function statusCode(status: FeatureStatus): number {
  return featureStatuses.indexOf(status)
}

/**
 * The rule of both clocks for a row that was found: PRESENT up to and including an age of ttl, and of maxAge.
 * A row from ahead of `at` (clocks of two machines) has age 0.
 */
export function foundRowStatus(
  eventTimestamp: Micros,
  at: Micros,
  ttlMicros: Micros | null,
  maxAgeMicros: Micros | null,
): 'PRESENT' | 'OUTSIDE_TTL' {
  const age = at - eventTimestamp
  if (ttlMicros !== null && age > ttlMicros) return 'OUTSIDE_TTL'
  if (maxAgeMicros !== null && age > maxAgeMicros) return 'OUTSIDE_TTL'
  return 'PRESENT'
}

/** The status of a value in a row of this status. */
export function featureStatus(rowStatus: RowStatus, isNull: boolean): FeatureStatus {
  return rowStatus === 'PRESENT' && isNull ? 'NULL_VALUE' : rowStatus
}
