import pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { EventRetention } from '../../event-retention.ts'
import { microsOf } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { eventTable } from '../tables/event-table.ts'

/** A reader or writer of the source that comes meanwhile queues behind the drop that waits. */
const dropLockTimeout = '1s'
const lockNotAvailable = '55P03'

const selectMonths = `select n.nspname as schema, c.relname as name,
  ${microsOf('b.bounds[1]::timestamptz')} as starts, ${microsOf('b.bounds[2]::timestamptz')} as ends
from pg_inherits as i
join pg_class as c on c.oid = i.inhrelid
join pg_namespace as n on n.oid = c.relnamespace
cross join lateral regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \\('([^']+)'\\) TO \\('([^']+)'\\)$$) as b(bounds)
where i.inhparent = to_regclass($1) and b.bounds[2]::timestamptz <= $2::timestamptz
order by b.bounds[2]::timestamptz`

const moveStoredSince = `insert into featuregraph.event_retention (project, source, kept_since) values ($1, $2, $3)
on conflict (project, source) do update set kept_since = greatest(event_retention.kept_since, excluded.kept_since)`

const forgetClaims = `delete from featuregraph.event_claims
where project = $1 and source = $2 and event_timestamp < $3`

/** `pool` has no statement timeout. */
export function postgresEventRetention(pool: pg.Pool, project: string): EventRetention {
  return {
    async expire(source, before) {
      const failed = storeFailed(`dropping old events of ${source.name}`)
      const { rows } = await pool
        .query<{ schema: string; name: string; starts: string; ends: string }>(selectMonths, [
          eventTable(project, source),
          formatTimestamp(before),
        ])
        .catch(failed)
      const newest = rows.at(-1)
      if (newest !== undefined) {
        const values = [project, source.name, formatTimestamp(Number(newest.ends))]
        await pool.query(moveStoredSince, values).catch(failed)
      }
      const dropped: Micros[] = []
      const inUse: Micros[] = []
      for (const { schema, name, starts } of rows) {
        const partition = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
        // Who holds one month up would hold up the next, and everybody behind it.
        if (inUse.length === 0 && (await dropMonth(pool, partition).catch(failed)))
          dropped.push(Number(starts))
        else inUse.push(Number(starts))
      }
      const storedSince = await readStoredSince(pool, project, source.name).catch(failed)
      if (storedSince !== null)
        await pool.query(forgetClaims, [project, source.name, formatTimestamp(storedSince)]).catch(failed)
      return { storedSince, dropped, inUse }
    },
  }
}

/** False: it is in use. */
async function dropMonth(pool: pg.Pool, partition: string): Promise<boolean> {
  try {
    await inTransaction(pool, async (client) => {
      await client.query(`set local lock_timeout = '${dropLockTimeout}'`)
      await client.query(`drop table if exists ${partition}`)
    })
    return true
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === lockNotAvailable) return false
    throw error
  }
}

/**
 * From when on a source's events are all there; null: nothing was dropped. It is recorded before anything is dropped: what
 * asks in its own statement after it has read finds whatever may have been missing there.
 */
export async function readStoredSince(
  client: Pick<pg.Pool, 'query'> | Pick<pg.ClientBase, 'query'>,
  project: string,
  source: string,
): Promise<Micros | null> {
  const { rows } = await client.query<{ kept_since: string }>(
    `select ${microsOf('kept_since')} as kept_since from featuregraph.event_retention where project = $1 and source = $2`,
    [project, source],
  )
  return rows[0] === undefined ? null : Number(rows[0].kept_since)
}
