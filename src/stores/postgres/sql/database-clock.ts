import type pg from 'pg'
import type { Micros } from '../../../definitions/timestamp.ts'
import { microsOf } from './column-type.ts'

/** The present by Postgres' clock, which all processes of a project share. One round trip. */
export async function databaseNow(
  client: Pick<pg.Pool, 'query'> | Pick<pg.ClientBase, 'query'>,
): Promise<Micros> {
  const { rows } = await client.query<{ now: string }>(
    `select ${microsOf('c.now')} as now from (select featuregraph.moment() as now) as c`,
  )
  return Number(rows[0]?.now)
}
