import type pg from 'pg'
import { TablesDiffer } from '../../errors.ts'
import type { AsOfJoin, AsOfRow, OfflineStore, OfflineView } from '../offline-store.ts'
import { asOfColumnCount, asOfJoinSql } from './as-of-join.ts'
import { fromSql } from './column-type.ts'
import { ensureTables } from './ensure-tables.ts'
import { insertRowsSql } from './insert-rows.ts'
import { inTransaction, storeFailed } from './pool.ts'
import { runCancellable } from './run-cancellable.ts'

export interface PostgresOfflineStoreOptions {
  readonly project: string
  /** For making tables: building an index on a table that has rows may take long, so without a statement timeout. */
  readonly unboundedPool: pg.Pool
  /** Told for every NaN and ±Infinity that a mapped table held; the value is answered as null. */
  readonly countNonFinite: (view: string) => void
}

const insertBatch = 5_000

/** The offline store on Postgres 14 or later, without extensions. `close` ends `pool`. */
export function postgresOfflineStore(pool: pg.Pool, options: PostgresOfflineStoreOptions): OfflineStore {
  const { project, countNonFinite } = options
  return {
    async asOfJoin(join, signal) {
      if (join.rows.length === 0 || join.views.length === 0) return join.views.map(() => [])
      const raw = await runCancellable(pool, asOfJoinSql(project, join), signal).catch(
        storeFailed('the as-of join'),
      )
      return readAnswer(join, raw, countNonFinite)
    },
    async insertRows(view, rows) {
      const rowIds: number[] = []
      for (let start = 0; start < rows.length; start += insertBatch) {
        const sql = insertRowsSql(project, view, rows.slice(start, start + insertBatch))
        const result = await pool
          .query<{ row_id: string }>(sql.text, [...sql.values])
          .catch(storeFailed(`writing feature rows of ${view.name}`))
        for (const row of result.rows) rowIds.push(Number(row.row_id))
      }
      return rowIds
    },
    async ensureTables(views) {
      await inTransaction(options.unboundedPool, async (client) => {
        await client.query(`select pg_advisory_xact_lock(hashtext('featuregraph tables'))`)
        await ensureTables(client, project, views)
      }).catch((error: unknown) => {
        if (error instanceof TablesDiffer) throw error
        return storeFailed('making tables')(error)
      })
    },
    async ping() {
      await pool.query('select 1').catch(storeFailed('answering'))
    },
    async close() {
      await pool.end()
    },
  }
}

/** Rows of the statement → per view, one entry per entity row. */
function readAnswer(
  { views }: AsOfJoin,
  raw: readonly (readonly unknown[])[],
  countNonFinite: (view: string) => void,
): (AsOfRow | null)[][] {
  let start = 0
  return views.map((view) => {
    const first = start
    start += asOfColumnCount(view)
    const count = (): void => countNonFinite(view.name)
    return raw.map((columns) => readRow(view, columns, first, count))
  })
}

function readRow(
  view: OfflineView,
  columns: readonly unknown[],
  first: number,
  countNonFinite: () => void,
): AsOfRow | null {
  const event = columns[first]
  if (event === null || event === undefined) return null
  const created = columns[first + 1]
  return {
    eventTimestamp: Number(event),
    createdTimestamp: created === null || created === undefined ? null : Number(created),
    values: view.features.map((feature, index) =>
      fromSql(feature.type, columns[first + 2 + index], countNonFinite),
    ),
  }
}
