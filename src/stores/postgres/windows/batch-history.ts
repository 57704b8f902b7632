import type pg from 'pg'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { BatchOfflineView } from '../../offline-view.ts'
import { microsOf } from '../sql/column-type.ts'
import { quoteTable } from '../sql/identifier.ts'
import { storeFailed } from '../sql/pool.ts'
import { definitionsSql, viewIdSql, viewParameters } from './computed-by.ts'

/** What decides whether a batch view's rows answer, where it is the same for all of them. */
export interface BatchHistory {
  /** All snapshots are of today's definition, with every feature that it has, and none ever was of another. */
  readonly isOfOneDefinition: boolean
  readonly firstSnapshot: Micros | null
  /** Before then the source had no event; null: it never had one. Of a mapped table nobody knows when: the least moment. */
  readonly eventsSince: Micros | null
}

/** One statement. */
export async function batchHistory(
  pool: pg.Pool,
  project: string,
  view: BatchOfflineView,
): Promise<BatchHistory> {
  const values: unknown[] = []
  const parameters = viewParameters(project, view, values, null)
  const where = `s.project = ${parameters.project} and s.view_id = ${viewIdSql(parameters)}`
  const source = view.events.table
  const since =
    source === null
      ? `(select ${microsOf('min(a.hour)')} from featuregraph.event_arrivals as a where a.project = ${parameters.project} and a.source = $${values.push(view.events.name)}::text)`
      : `(select -9007199254740991 where exists (select from ${quoteTable(source)}))`
  const sql = [
    `with d as (${definitionsSql(parameters)})`,
    `select (select ${microsOf('min(s.as_of)')} from featuregraph.snapshots as s where ${where}) as first,`,
    `${since} as since,`,
    `not exists (select from featuregraph.snapshots as s left join d on d.definition = s.definition where ${where} and d.lacking is distinct from '{}')`,
    `and not exists (select from featuregraph.superseded_definitions as s where ${where}) as one`,
  ].join('\n')
  const { rows } = await pool
    .query<{ first: string | null; since: string | null; one: boolean }>(sql, values)
    .catch(storeFailed(`reading the snapshots of ${view.name}`))
  const { first = null, since: from = null, one = false } = rows[0] ?? {}
  return {
    isOfOneDefinition: one,
    firstSnapshot: first === null ? null : Number(first),
    eventsSince: from === null ? null : Number(from),
  }
}
