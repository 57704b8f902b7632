import type pg from 'pg'
import type { Micros } from '../../../definitions/timestamp.ts'

/** An event that is about to be stored by the caller's transaction. */
interface Claimant {
  readonly eventId: string | null
  readonly eventTimestamp: Micros
}

/**
 * By ascending digests, so that two writers wait only for the ids that both have, and never for each other. Of equal ids in
 * one statement the first claims.
 */
const claimSql = `with offered as materialized (
  select o.place, o.at, featuregraph.event_digest($1, $2, o.id) as digest
  from unnest($3::text[], $4::bigint[]) with ordinality as o(id, at, place)
), first as materialized (
  select distinct on (digest) digest, place, at from offered order by digest, place
), claimed as (
  insert into featuregraph.event_claims (digest, project, source, event_timestamp)
  select digest, $1, $2, timestamptz 'epoch' + at * interval '1 microsecond' from first order by digest
  on conflict do nothing returning digest
)
select o.place from offered as o
where not exists (select from claimed as c join first as f on f.digest = c.digest where f.place = o.place)`

/**
 * Claims the events' ids, inside the transaction that stores them: of equal ids, the event whose transaction claimed first
 * counts, whichever way it came. Resolves with the indexes of those that do not count. One statement, which waits for
 * another transaction only where that has claimed an id of these and not ended; none where no event has an id.
 */
export async function claimEvents(
  client: pg.ClientBase,
  project: string,
  source: string,
  events: readonly Claimant[],
): Promise<ReadonlySet<number>> {
  const indexes: number[] = []
  const ids: string[] = []
  const times: Micros[] = []
  events.forEach(({ eventId, eventTimestamp }, index) => {
    if (eventId === null) return
    indexes.push(index)
    ids.push(eventId)
    times.push(eventTimestamp)
  })
  if (ids.length === 0) return new Set()
  const { rows } = await client.query<{ place: string }>(claimSql, [project, source, ids, times])
  return new Set(rows.map(({ place }) => indexes[Number(place) - 1] ?? -1))
}
