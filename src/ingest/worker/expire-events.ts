import { formatDuration } from '../../definitions/duration.ts'
import { type Clock, formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { EventSource } from '../../registry/registry.ts'
import type { EventRetention } from '../../stores/event-retention.ts'

export interface ExpiryTargets {
  readonly retention: EventRetention
  readonly clock: Clock
}

/** A source whose old events are dropped. */
export type ExpiringSource = EventSource & { readonly retentionMicros: Micros }

/** What was done, in words for the log. */
interface Expired {
  /** Null: nothing was dropped. */
  readonly dropped: string | null
  /** Months that have to be tried again soon; null: none. */
  readonly left: string | null
}

export function expires(source: EventSource): source is ExpiringSource {
  return source.retentionMicros !== null && source.table === null
}

/**
 * Drops the months of a source's stored events that are wholly older than its retention. May be repeated at any time.
 * Rejects with StoreFailed.
 */
export async function expireEvents(
  { retention, clock }: ExpiryTargets,
  source: ExpiringSource,
): Promise<Expired> {
  const { storedSince, dropped, inUse } = await retention.expire(source, clock() - source.retentionMicros)
  const since = storedSince === null ? '' : `; kept since ${formatTimestamp(storedSince)}`
  return {
    dropped:
      dropped.length === 0
        ? null
        : `${source.name}: the events of ${dropped.map(month).join(', ')} are dropped${since}`,
    left:
      inUse.length === 0
        ? null
        : `${source.name}: the events of ${inUse.map(month).join(', ')} are in use, and will be dropped later${since}`,
  }
}

/** `2026-01`. */
function month(start: Micros): string {
  return formatTimestamp(start).slice(0, 7)
}

/** `payments: months of events that are older than 400d dropped` */
export function describeExpiry({ name, retentionMicros }: ExpiringSource): string {
  return `${name}: months of events that are older than ${formatDuration(retentionMicros)} dropped`
}
