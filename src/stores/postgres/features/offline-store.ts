import type pg from 'pg'
import { z } from 'zod'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { EntityKey, FeatureRow, KeyValue } from '../../../definitions/value.ts'
import { TablesDiffer } from '../../../errors.ts'
import type { AsOfEntry, AsOfJoin, AsOfRow } from '../../as-of-reader.ts'
import type { InsertedOnce, InsertedRows, PushReceipt } from '../../feature-rows.ts'
import type { StoredFeatureRow } from '../../newest-rows.ts'
import type { OfflineStore } from '../../offline-store.ts'
import type { OfflineView, StoredOfflineView } from '../../offline-view.ts'
import { deletedFlags } from '../deletion/deletion-check.ts'
import { fromSql } from '../sql/column-type.ts'
import { databaseNow } from '../sql/database-clock.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { runCancellable } from '../sql/run-cancellable.ts'
import type { Sql } from '../sql/statement.ts'
import { systemIdentifier } from '../sql/system-identifier.ts'
import { ensureTables } from '../tables/ensure-tables.ts'
import { readStreamedValues } from '../windows/streamed-as-of.ts'
import { asOfColumnCount, asOfJoinSql } from './as-of-join.ts'
import { insertRowsSql } from './insert-rows.ts'
import {
  isLargerThanSql,
  materializeLagSql,
  newestKeysSql,
  newestOfKeysSql,
  sampleKeysSql,
} from './newest-rows.ts'
import { readNewestRow, readNewestRows } from './read-newest-rows.ts'

export interface PostgresOfflineStoreOptions {
  readonly project: string
  /** Without a statement timeout: building an index on a table that has rows, or reading all of them, may take long. */
  readonly unboundedPool: pg.Pool
  /** Called for every NaN and ±Infinity that a mapped table held, and every value of a wider column that is out of range; it is answered as null. */
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
    now: () => databaseNow(pool).catch(storeFailed('reading its clock')),
    insertRows: (view, rows, dueAt) =>
      inTransaction(pool, (client) => insertRows(client, project, view, rows, dueAt)).catch(
        storeFailed(`writing feature rows of ${view.name}`),
      ),
    insertRowsOnce: (view, rows, receipt, dueAt) =>
      inTransaction(pool, (client) => insertOnce(client, project, view, rows, receipt, dueAt)).catch(
        storeFailed(`writing pushed rows of ${view.name}`),
      ),
    deletedRows: (view, rows) =>
      deletedFlags(pool, project, view.entity.joinKeys, rows).catch(
        storeFailed(`asking for deletions of ${view.name}`),
      ),
    newestRows: (request, receive) => readNewestRows(options.unboundedPool, request, options, receive),
    async materializeLag(view, now, since) {
      const failed = storeFailed(`reading how far ${view.name} is materialized`)
      const own = since === null ? null : await systemIdentifier(options.unboundedPool).catch(failed)
      const known = since !== null && since.systemIdentifier === own ? since : null
      const sql = materializeLagSql(project, view, now, known)
      const { rows } = await options.unboundedPool
        .query<{ newest: string | null; waiting: string | null }>(sql.text, [...sql.values])
        .catch(failed)
      const [row] = rows
      return {
        newestEventTimestamp: (row?.newest ?? null) === null ? null : Number(row?.newest),
        oldestNotMaterialized: (row?.waiting ?? null) === null ? null : Number(row?.waiting),
      }
    },
    async isLargerThan(view, rows) {
      const sql = isLargerThanSql(project, view, rows)
      const result = await options.unboundedPool
        .query<{ larger: boolean }>(sql.text, [...sql.values])
        .catch(storeFailed(`counting the rows of ${view.name}`))
      return result.rows[0]?.larger === true
    },
    async newestOfSample(view, now, keys) {
      if (view.source !== null) return []
      const failed = storeFailed(`reading a sample of ${view.name}`)
      const sample = await readKeys(options.unboundedPool, view, sampleKeysSql(project, view, keys)).catch(
        failed,
      )
      return await newestOf(options.unboundedPool, project, view, sample, now).catch(failed)
    },
    async newestKeys(view, now, limit) {
      return await readKeys(options.unboundedPool, view, newestKeysSql(project, view, now, limit)).catch(
        storeFailed(`reading the newest keys of ${view.name}`),
      )
    },
    async ensureTables(views, sources, mode) {
      return await inTransaction(options.unboundedPool, async (client) => {
        await client.query(`select pg_advisory_xact_lock(hashtext('featuregraph tables'))`)
        return await ensureTables(client, project, views, sources, mode === 'CHECK')
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

async function readKeys(pool: pg.Pool, view: StoredOfflineView, sql: Sql): Promise<readonly EntityKey[]> {
  const { rows } = await pool.query<unknown[]>({ text: sql.text, values: [...sql.values], rowMode: 'array' })
  return rows.map((columns) =>
    view.entity.joinKeys.map(({ type }, index) => fromSql(type, columns[index], () => {}) as KeyValue),
  )
}

/** On the connection's transaction, which gets its id before it looks at the deletions. See `FeatureRows.insertRows`. */
export async function insertRows(
  client: pg.PoolClient,
  project: string,
  view: StoredOfflineView,
  rows: readonly FeatureRow[],
  dueAt?: Micros,
): Promise<InsertedRows> {
  await client.query('select pg_current_xact_id()')
  const deleted = await deletedFlags(client, project, view.entity.joinKeys, rows)
  const allowed = rows.filter((_, index) => !deleted[index])
  const inserted: number[] = []
  for (let start = 0; start < allowed.length; start += insertBatch) {
    const sql = insertRowsSql(project, view, allowed.slice(start, start + insertBatch))
    const result = await client.query<{ row_id: string }>(sql.text, [...sql.values])
    for (const row of result.rows) inserted.push(Number(row.row_id))
  }
  const rowIds = inserted.values()
  return {
    rowIds: deleted.map((isDeleted) => (isDeleted ? null : (rowIds.next().value ?? 0))),
    newest: await newestOf(
      client,
      project,
      view,
      allowed.map(({ key }) => key),
      dueAt,
    ),
  }
}

async function newestOf(
  client: Pick<pg.ClientBase, 'query'> | Pick<pg.Pool, 'query'>,
  project: string,
  view: StoredOfflineView,
  all: readonly EntityKey[],
  dueAt: Micros | undefined,
): Promise<readonly StoredFeatureRow[]> {
  if (dueAt === undefined) return []
  const newest: StoredFeatureRow[] = []
  for (let start = 0; start < all.length; start += insertBatch) {
    const keys = all.slice(start, start + insertBatch)
    const sql = newestOfKeysSql(project, view, keys, dueAt)
    const found = await client.query<unknown[]>({
      text: sql.text,
      values: [...sql.values],
      rowMode: 'array',
    })
    for (const columns of found.rows) newest.push(readNewestRow(view, columns, () => {}))
  }
  return newest
}

const storedReceipt = z.object({
  digest: z.string(),
  answer: z.object({ rowIds: z.array(z.number().nullable()), arrival: z.number() }),
})

/** The receipt goes first: a second try under the same key waits there until the first has committed or is gone. */
async function insertOnce(
  client: pg.PoolClient,
  project: string,
  view: StoredOfflineView,
  rows: readonly FeatureRow[],
  { idempotencyKey, digest, arrival }: PushReceipt,
  dueAt?: Micros,
): Promise<InsertedOnce> {
  const place = [project, view.id, idempotencyKey]
  const taken = await client.query(
    `insert into featuregraph.push_receipts (project, view_id, idempotency_key, digest, answer)
     values ($1, $2, $3, $4, '{}') on conflict do nothing`,
    [...place, digest],
  )
  const where = 'project = $1 and view_id = $2 and idempotency_key = $3'
  if (taken.rowCount === 1) {
    const { rowIds, newest } = await insertRows(client, project, view, rows, dueAt)
    await client.query(`update featuregraph.push_receipts set answer = $4 where ${where}`, [
      ...place,
      JSON.stringify({ rowIds, arrival }),
    ])
    return { status: 'INSERTED', rowIds, newest, arrival }
  }
  const found = await client.query(
    `select digest, answer from featuregraph.push_receipts where ${where}`,
    place,
  )
  const stored = storedReceipt.parse(found.rows[0])
  if (stored.digest !== digest) return { status: 'OTHER_ROWS' }
  const deleted = await deletedFlags(client, project, view.entity.joinKeys, rows)
  const rowIds = rows.map((_, index) => (deleted[index] ? null : (stored.answer.rowIds[index] ?? null)))
  const left = rows.filter((_, index) => rowIds[index] !== null).map(({ key }) => key)
  const newest = await newestOf(client, project, view, left, dueAt)
  return { status: 'REPEATED', rowIds, newest, arrival: stored.answer.arrival }
}

/** Rows of the statement → per view, one entry per entity row. */
export function readAnswer(
  { views }: Pick<AsOfJoin, 'views'>,
  raw: readonly (readonly unknown[])[],
  countNonFinite: (view: string) => void,
): AsOfEntry[][] {
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
): AsOfEntry {
  if (view.kind === 'STREAM') {
    const storedSince = columns[first + asOfColumnCount(view) - 1]
    if (storedSince !== null && storedSince !== undefined) return { storedSince: Number(storedSince) }
  }
  if (view.kind !== 'BATCH') return readFound(view, columns, first, countNonFinite)
  const [notComputed, lacking] = columns.slice(first + asOfColumnCount(view) - 2)
  if (notComputed === 'RECOMPUTING' || notComputed === 'NEVER_FILLED') return { notComputed }
  const row = readFound(view, columns, first, countNonFinite)
  return Array.isArray(lacking) ? { row, lacking: lacking.map(String) } : row
}

function readFound(
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
    values:
      view.kind === 'STREAM'
        ? readStreamedValues(view, columns, first + 2, countNonFinite)
        : view.features.map((feature, index) =>
            fromSql(feature.type, columns[first + 2 + index], countNonFinite),
          ),
    closing: view.kind === 'BATCH' && columns[first + 2 + view.features.length] === true,
  }
}
