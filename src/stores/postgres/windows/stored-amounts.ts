import type pg from 'pg'
import type { Amount, StoredAmounts } from '../../stored-amounts.ts'
import { storeFailed } from '../sql/pool.ts'
import { eventTable } from '../tables/event-table.ts'
import { managedTable } from '../tables/feature-table.ts'

/** Up to here rows are counted; of more the planner's estimate is taken. */
const countedRows = 1_000_000

export function postgresStoredAmounts(pool: pg.Pool, project: string): StoredAmounts {
  return {
    async snapshots(viewId) {
      const { rows } = await pool
        .query<{ snapshots: number }>(
          `select count(*)::integer as snapshots from featuregraph.snapshots
           where project = $1 and view_id = $2`,
          [project, viewId],
        )
        .catch(storeFailed('counting snapshots'))
      return rows[0]?.snapshots ?? 0
    },
    rows: (view) => amountOf(pool, managedTable(project, view)),
    events: (source) => amountOf(pool, eventTable(project, source)),
  }
}

async function amountOf(pool: pg.Pool, table: string): Promise<Amount> {
  const failed = storeFailed('counting stored rows')
  const { rows: found } = await pool
    .query<{ there: boolean }>('select to_regclass($1) is not null as there', [table])
    .catch(failed)
  if (found[0]?.there !== true) return { rows: 0, isExact: true }
  const { rows: counted } = await pool
    .query<{ rows: number }>(
      `select count(*)::integer as rows from (select from ${table} limit ${countedRows + 1}) as counted`,
    )
    .catch(failed)
  const rows = counted[0]?.rows ?? 0
  if (rows <= countedRows) return { rows, isExact: true }
  const { rows: estimated } = await pool
    .query<{ rows: number }>(
      `select coalesce(sum(greatest(c.reltuples, 0)), 0)::float8 as rows
       from pg_partition_tree($1::regclass) as p join pg_class as c on c.oid = p.relid
       where p.isleaf`,
      [table],
    )
    .catch(failed)
  return { rows: Math.max(rows, Math.round(estimated[0]?.rows ?? 0)), isExact: false }
}
