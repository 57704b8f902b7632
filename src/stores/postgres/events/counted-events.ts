import type { KeptEventSource } from '../../stored-event-source.ts'
import { eventTable } from '../tables/event-table.ts'

/** When the kept event `x` counts: one from ahead from the moment that it was kept, so that none lies in the future. */
export const countedAt = 'least(x.event_timestamp, x.ingested_at)'
/** No kept event lies further ahead of that moment. */
export const furthestAhead = `interval '10 minutes'`

/**
 * A condition on the kept event `x`: of several events with one id the one counts that was kept first. So it holds among
 * the events known at any moment too: what makes an event not count was known before it.
 */
export function countsSql(project: string, source: KeptEventSource): string {
  if (source.eventId === null) return 'true'
  return `(x.event_id is null or not exists (
    select from ${eventTable(project, source)} as d where d.event_id = x.event_id
      and (d.ingested_at, d.topic_id, d.partition, d."offset") < (x.ingested_at, x.topic_id, x.partition, x."offset")))`
}
