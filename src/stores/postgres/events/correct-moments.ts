import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { StoredEventSource } from '../../stored-event-source.ts'
import { databaseNow } from '../sql/database-clock.ts'
import { inTransaction } from '../sql/pool.ts'
import { eventTable } from '../tables/event-table.ts'
import { allowedAheadMicros, furthestAhead } from './counted-events.ts'
import { recordArrivals } from './event-arrivals.ts'
import { makeEventMonth } from './event-months.ts'

/** Moments so far ahead are not worth a correction: a clock that is set by the network's moves by less. */
export const toleratedAheadMicros: Micros = 1_000_000

const checkSql = `select coalesce(max(p.stored_at) > featuregraph.moment() + interval '${toleratedAheadMicros} microseconds', false) as is_ahead,
  (select coalesce(max(c.id), 0) from featuregraph.clock_corrections as c where c.project = $1 and c.source = $2) as correction
from featuregraph.event_positions as p where p.project = $1 and p.source = $2`

/** Those who store events hold these rows until they have committed, and wait here for the correction. */
const lockSql = `select from featuregraph.event_positions where project = $1 and source = $2
order by topic_id, partition for update`

const setPositionsSql = `update featuregraph.event_positions
set stored_at = least(stored_at, $3::timestamptz), level_at = least(level_at, $3::timestamptz)
where project = $1 and source = $2`

const recordSql = `insert into featuregraph.clock_corrections (project, source, corrected_at, latest, events)
values ($1, $2, $3, $4, $5)`

/**
 * The hours that the events counted in before and after. One that was stamped by the clock that was ahead counts from its
 * moment whatever its own timestamp says; that is cut so that it lies no further ahead than `furthestAhead`, by which
 * queries find it.
 */
function correctSql(table: string): string {
  return `with ahead as materialized (
  select topic_id, partition, "offset", event_timestamp, ingested_at from ${table} where ingested_at > $1::timestamptz
), corrected as (
  update ${table} as x set ingested_at = $1::timestamptz,
    event_timestamp = least(x.event_timestamp, $1::timestamptz + ${furthestAhead})
  from ahead as a
  where x.topic_id = a.topic_id and x.partition = a.partition and x."offset" = a."offset"
    and x.event_timestamp = a.event_timestamp
  returning a.ingested_at, least(a.event_timestamp, a.ingested_at) as before, least(x.event_timestamp, x.ingested_at) as after
)
select (select count(*) from corrected) as events, (select max(ingested_at)::text from corrected) as latest,
  array(
    select distinct floor(extract(epoch from c.counted_at) / 3600)::bigint
    from corrected cross join lateral unnest(array[before, after]) as c(counted_at)
  ) as hours`
}

/**
 * Where stored moments of the source lie ahead of the database's clock, sets them to the present, in one transaction with a
 * record of it; resolves with the number of the source's latest correction, 0 for none. One statement where nothing is
 * ahead; a correction finds the events by the index of their moments. Snapshots of their hours become stale.
 */
export async function correctMoments(
  pool: pg.Pool,
  project: string,
  source: StoredEventSource,
): Promise<number> {
  const place = [project, source.name]
  const check = async () => {
    const { rows } = await pool.query<{ is_ahead: boolean; correction: string }>(checkSql, place)
    return { isAhead: rows[0]?.is_ahead === true, correction: Number(rows[0]?.correction ?? 0) }
  }
  const { isAhead, correction } = await check()
  if (!isAhead || source.table !== null) return correction
  // For those whose timestamps are cut.
  await makeEventMonth(pool, pool, project, source, (await databaseNow(pool)) + allowedAheadMicros)
  await inTransaction(pool, async (client) => {
    await client.query(lockSql, place)
    const now = formatTimestamp(await databaseNow(client))
    const { rows } = await client.query<{ events: string; latest: string | null; hours: readonly string[] }>(
      correctSql(eventTable(project, source)),
      [now],
    )
    const [corrected] = rows
    await client.query(setPositionsSql, [...place, now])
    if (!corrected?.latest) return
    await recordArrivals(client, project, source.name, corrected.hours.map(Number))
    await client.query(recordSql, [...place, now, corrected.latest, corrected.events])
  })
  return (await check()).correction
}
