import type pg from 'pg'
import { z } from 'zod'
import type { FilledView, FilledViews } from '../../filled-views.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import { storeFailed } from '../sql/pool.ts'
import { featureSchema } from '../tables/feature-table.ts'
import { hasEventsSql } from './computed-by.ts'

const filledRow = z.object({
  materialized: z.boolean(),
  digests: z.record(z.string(), z.string()).nullable(),
  snapshots: z.boolean(),
  events: z.boolean(),
})

export function postgresFilledViews(pool: pg.Pool, project: string): FilledViews {
  return {
    async filled(views) {
      if (views.length === 0) return []
      const values: unknown[] = [project]
      const text = views.map((view, index) => filledSql(view, index, values)).join('\nunion all\n')
      const { rows } = await pool
        .query(`${text}\norder by place`, values)
        .catch(storeFailed('reading what is materialized'))
      return rows.map((row): FilledView => {
        const { materialized, digests, snapshots, events } = filledRow.parse(row)
        return { materialized: materialized ? { digests } : null, hasSnapshots: snapshots, hasEvents: events }
      })
    },
    async abandoned(ids) {
      const { rows } = await pool
        .query<{ id: string; definition: string | null }>(abandonedSql, [
          project,
          ids,
          featureSchema(project),
        ])
        .catch(storeFailed('reading views of other definitions'))
      return rows.flatMap(({ id, definition }) => (definition === null ? [] : [{ id, definition }]))
    },
  }
}

/** Of a view without a recorded definition that of its newest snapshot. */
const abandonedSql = `select v.id, coalesce((
    select d.definition from featuregraph.view_definitions as d
    where d.project = v.project and d.view_id = v.id order by d.used_at desc limit 1
  ), (
    select s.definition from featuregraph.snapshots as s
    where s.project = v.project and s.view_id = v.id order by s.as_of desc limit 1
  )) as definition
from featuregraph.views as v
where v.project = $1 and v.id <> all ($2::text[])
  and exists (select from pg_tables where schemaname = $3 and tablename = v.id)
order by v.id`

function filledSql(view: StoredOfflineView, place: number, values: unknown[]): string {
  const name = `$${values.push(view.id)}::text`
  const events =
    view.kind === 'BATCH'
      ? hasEventsSql(view, { project: '$1::text', before: `'infinity'`, visible: null }, values)
      : 'false'
  return [
    `select ${place} as place, w.project is not null as materialized, d.digests, ${events} as events, exists (`,
    '  select from featuregraph.snapshots as s where s.project = v.project and s.view_id = v.id) as snapshots',
    `from (select $1::text as project, (select v.id from featuregraph.views as v where v.project = $1 and v.name = ${name}) as id) as v`,
    'left join featuregraph.watermarks as w on w.project = v.project and w.view_id = v.id',
    'left join featuregraph.view_definitions as d',
    '  on d.project = v.project and d.view_id = v.id and d.definition = w.definition',
  ].join('\n')
}
