import type pg from 'pg'
import type { GuardRecord } from '../../guard-record.ts'
import { storeFailed } from '../sql/pool.ts'

interface Row {
  readonly epoch: string
  readonly check_number: string
  readonly fills: readonly { readonly epoch: number; readonly viewId: string; readonly generation: number }[]
  readonly views: readonly {
    readonly viewId: string
    readonly generation: number
    readonly filled: boolean
  }[]
}

const momentSql = `select coalesce(max(epoch), 0) as epoch, coalesce(max(check_number), 0) as check_number
from featuregraph.online_guards where project = $1`

const readSql = `select m.epoch, m.check_number,
  coalesce((select json_agg(json_build_object('epoch', f.epoch, 'viewId', f.view_id, 'generation', f.generation))
    from featuregraph.online_fills as f where f.project = $1 and f.epoch >= m.epoch - 1), '[]') as fills,
  coalesce((select json_agg(json_build_object('viewId', v.view_id, 'generation', v.generation, 'filled', v.filled))
    from featuregraph.online_views as v where v.project = $1), '[]') as views
from (${momentSql}) as m`

/** The row of the guard is locked, so that no epoch begins meanwhile. */
const recordFillSql = `with g as (
  select epoch from featuregraph.online_guards where project = $1 and epoch = $2 for share
), v as (
  insert into featuregraph.online_views as o (project, view_id, generation, filled)
  select $1, $3, $4, true from g
  on conflict (project, view_id) do update set filled = true where o.generation = excluded.generation
  returning 1
)
insert into featuregraph.online_fills as f (project, epoch, view_id, generation)
select $1, $2, $3, $4 from v
on conflict (project, epoch, view_id) do update set generation = excluded.generation`

const renewSql = `with v as (
  insert into featuregraph.online_views as o (project, view_id, generation) values ($1, $2, $4)
  on conflict (project, view_id) do update set generation = excluded.generation where o.generation = $3
  returning 1
)
insert into featuregraph.online_leftovers (project, key_prefix) select $1, $5 from v
on conflict (project, key_prefix) do update set retired_at = excluded.retired_at`

export function postgresGuardRecord(pool: pg.Pool, project: string): GuardRecord {
  return {
    async read() {
      const { rows } = await pool
        .query<Row>(readSql, [project])
        .catch(storeFailed('reading what the online store holds'))
      const { epoch = '0', check_number: check = '0', fills = [], views = [] } = rows[0] ?? {}
      return {
        epoch: Number(epoch),
        check: Number(check),
        fills,
        generations: new Map(views.map(({ viewId, generation }) => [viewId, generation])),
        filledOnce: new Set(views.filter(({ filled }) => filled).map(({ viewId }) => viewId)),
      }
    },
    async moment() {
      const { rows } = await pool
        .query<Pick<Row, 'epoch' | 'check_number'>>(momentSql, [project])
        .catch(storeFailed("reading the guard's epoch"))
      return { epoch: Number(rows[0]?.epoch ?? 0), check: Number(rows[0]?.check_number ?? 0) }
    },
    async generation(viewId) {
      const { rows } = await pool
        .query<{ generation: number }>(
          'select generation from featuregraph.online_views where project = $1 and view_id = $2',
          [project, viewId],
        )
        .catch(storeFailed("reading the generation of a view's online keys"))
      return rows[0]?.generation ?? 0
    },
    async renew({ viewId, from, to, oldPrefix }) {
      const { rowCount } = await pool
        .query(renewSql, [project, viewId, from, to, oldPrefix])
        .catch(storeFailed("beginning new keys of a view's online rows"))
      return rowCount === 1
    },
    async recordFill({ epoch, viewId, generation }) {
      const { rowCount } = await pool
        .query(recordFillSql, [project, epoch, viewId, generation])
        .catch(storeFailed('recording that a view is filled'))
      return rowCount === 1
    },
  }
}
