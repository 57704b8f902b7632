import type pg from 'pg'
import { z } from 'zod'
import type { OfflineView, StoredOfflineView, StreamedOfflineView } from '../../offline-view.ts'
import type { TableEstimate } from '../../table-estimate.ts'
import { sqlType } from '../sql/column-type.ts'
import type { Sql } from '../sql/statement.ts'
import { eventPartitionSchema, eventTable } from '../tables/event-table.ts'
import { featureTable } from '../tables/feature-table.ts'
import { probe } from './as-of-join.ts'

/**
 * Three plans that are asked for and not run, so that tables, partitions, views and queries are all estimated by what Postgres
 * knows of them: all rows, one per key, and the newest of one key.
 */
export async function tableEstimate(
  client: pg.ClientBase,
  project: string,
  view: OfflineView,
): Promise<TableEstimate> {
  if (view.kind === 'STREAM') return await eventsEstimate(client, project, view)
  const table = featureTable(project, view)
  const keys = view.entity.joinKeys.map(({ name }) => `x.${table.column(name)}`).join(', ')
  const all = await planOf(client, `select from ${table.from} as x`)
  const groups = await planOf(client, `select ${keys} from ${table.from} as x group by ${keys}`)
  const one = await probeCost(client, project, view)
  return {
    rows: all.rows,
    keys: Math.max(1, groups.rows),
    probeShare: Math.min(1, one / Math.max(one, all.cost)),
    spanMicros: null,
  }
}

/** Of any key: the planner takes one that it does not know for one of the usual size. */
async function probeCost(client: pg.ClientBase, project: string, view: StoredOfflineView): Promise<number> {
  const keys = view.entity.joinKeys.map(({ type }, index) => `$${index + 1}::${sqlType(type)}`)
  const names = keys.map((_, index) => `key_${index}`)
  const row = `select ${[...keys.map((key, index) => `${key} as ${names[index]}`), 'now() as as_of', 'null::timestamptz as known_at'].join(', ')}`
  const text = `select from (${row} offset 0) as e\n${probe(project, view, 0, null)}`
  const { cost } = await planOf(
    client,
    text,
    view.entity.joinKeys.map(({ type }) => sampleKeys[type]),
  )
  return cost
}

const sampleKeys = { int32: 1, int64: 1, string: 'a', uuid: '00000000-0000-4000-8000-000000000000' } as const

async function eventsEstimate(
  client: pg.ClientBase,
  project: string,
  { events, entity }: StreamedOfflineView,
): Promise<TableEstimate> {
  const table = eventTable(project, events)
  const all = await planOf(client, `select from ${table} as x`)
  const sql = monthsSql(
    project,
    table,
    entity.joinKeys.map(({ name }) => name),
  )
  const { rows } = await client.query<{ span: string | null; keys: number | null }>(sql.text, [...sql.values])
  const { span = null, keys = null } = rows[0] ?? {}
  return {
    rows: all.rows,
    keys: Math.max(1, Math.min(all.rows, Math.round(keys ?? 1))),
    probeShare: null,
    spanMicros: span === null ? null : Math.round(Number(span) * 1_000_000),
  }
}

/**
 * Of the months' statistics, since the whole table has none: seconds between the outermost bounds of the times, and how many keys
 * the month with the most has (of several join keys, each with each). Null before the first ANALYZE.
 */
function monthsSql(project: string, table: string, keys: readonly string[]): Sql {
  const bounds = 's.histogram_bounds::text::timestamptz[]'
  return {
    text: `with s as (
  select s.attname, s.histogram_bounds, case when s.n_distinct < 0 then -s.n_distinct * greatest(c.reltuples, 0) else s.n_distinct end as keys
  from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
  join pg_stats as s on s.schemaname = $1 and s.tablename = c.relname
  where i.inhparent = $2::regclass
)
select (
  select extract(epoch from max((${bounds})[array_upper(${bounds}, 1)]) - min((${bounds})[1]))
  from s where attname = 'event_timestamp'
) as span, (
  select exp(sum(ln(greatest(k.keys, 1)))) from (select max(keys) as keys from s where attname = any ($3) group by attname) as k
) as keys`,
    values: [eventPartitionSchema(project), table, keys],
  }
}

const planned = z.tuple([z.object({ Plan: z.object({ 'Total Cost': z.number(), 'Plan Rows': z.number() }) })])

async function planOf(
  client: pg.ClientBase,
  text: string,
  values: readonly unknown[] = [],
): Promise<{ readonly cost: number; readonly rows: number }> {
  const { rows } = await client.query<{ 'QUERY PLAN': unknown }>(`explain (format json) ${text}`, [...values])
  const [{ Plan: plan }] = planned.parse(rows[0]?.['QUERY PLAN'])
  return { cost: plan['Total Cost'], rows: plan['Plan Rows'] }
}
