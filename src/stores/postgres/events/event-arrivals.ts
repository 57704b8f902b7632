import type pg from 'pg'

export const hourMicros = 3_600_000_000
const arrivalsInOne = 50_000

/** Not below what another transaction wrote meanwhile: both stored events of the hour. */
const recordSql = `insert into featuregraph.event_arrivals (project, source, hour, latest_xid)
select $1, $2, to_timestamp(hour * 3600.0), pg_current_xact_id() from unnest($3::bigint[]) as h(hour)
on conflict (project, source, hour) do update set latest_xid = greatest(event_arrivals.latest_xid, excluded.latest_xid)`

/**
 * Hours of event time (counted from 1970) of which the caller's transaction stores events: snapshots that were read before
 * it are stale. At its end, since the hours are locked from here on; in order, so that two writers never wait for each
 * other.
 */
export async function recordArrivals(
  client: pg.ClientBase,
  project: string,
  source: string,
  hours: Iterable<number>,
): Promise<void> {
  const sorted = [...hours].sort((left, right) => left - right)
  for (let start = 0; start < sorted.length; start += arrivalsInOne)
    await client.query(recordSql, [project, source, sorted.slice(start, start + arrivalsInOne)])
}
