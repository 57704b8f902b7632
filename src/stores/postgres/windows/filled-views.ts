import type pg from 'pg'
import { z } from 'zod'
import type { FilledView, FilledViews } from '../../filled-views.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import { storeFailed } from '../sql/pool.ts'
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
  }
}

function filledSql(view: StoredOfflineView, place: number, values: unknown[]): string {
  const name = `$${values.push(view.name)}::text`
  const events =
    view.kind === 'BATCH'
      ? hasEventsSql(view, {
          project: '$1::text',
          source: `$${values.push(view.events.name)}::text`,
          before: `'infinity'`,
        })
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
