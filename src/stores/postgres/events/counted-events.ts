import type { StoredEventSource } from '../../stored-event-source.ts'
import { eventTable } from '../tables/event-table.ts'

/** When the stored event `x` counts: one from ahead from the moment that it was stored, so that none lies in the future. */
export const countedAt = 'least(x.event_timestamp, x.ingested_at)'
/** No stored event lies further ahead of that moment. */
export const furthestAhead = `interval '10 minutes'`

/**
 * A condition on the stored event `x`: of several events with one id the one counts that was stored first. So it holds among
 * the events known at any moment too: what makes an event not count was known before it.
 */
export function countsSql(project: string, source: StoredEventSource): string {
  if (source.eventId === null) return 'true'
  return `(x.event_id is null or not exists (
    select from ${eventTable(project, source)} as d where d.event_id = x.event_id
      and (d.ingested_at, d.topic_id, d.partition, d."offset") < (x.ingested_at, x.topic_id, x.partition, x."offset")))`
}
