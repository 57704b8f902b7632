import type pg from 'pg'
import type { KeyValue } from '../../definitions/value.ts'
import type { NewestRowsReading, NewestRowsRequest, OfflineView, StoredFeatureRow } from '../offline-store.ts'
import { fromSql } from './column-type.ts'
import { newestRowsSql } from './newest-rows.ts'
import { storeFailed } from './pool.ts'
import { systemIdentifier } from './system-identifier.ts'

export interface ReadNewestRowsOptions {
  readonly project: string
  readonly countNonFinite: (view: string) => void
}

const fetchRows = 2_000

/**
 * A cursor in one repeatable-read transaction, so that all batches and the transaction id are of one snapshot. Without
 * pg-cursor: `declare` and `fetch` are plain statements. Holds one connection of the pool until the end.
 */
export async function readNewestRows(
  pool: pg.Pool,
  request: NewestRowsRequest,
  { project, countNonFinite }: ReadNewestRowsOptions,
  receive: (rows: readonly StoredFeatureRow[]) => Promise<void>,
): Promise<NewestRowsReading> {
  const { view } = request
  const failed = storeFailed(`reading the newest rows of ${view.name}`)
  const identifier = await systemIdentifier(pool).catch(failed)
  const scope = scopeToRead(request, identifier)
  const sql = newestRowsSql(project, { ...request, scope })
  const client = await pool.connect().catch(failed)
  let ended = false
  try {
    await client.query('begin isolation level repeatable read read only').catch(failed)
    // The whole result is fetched, so the plan that is best for all of it.
    await client.query('set local cursor_tuple_fraction = 1').catch(failed)
    const snapshot = await client
      .query<{ xmin: string }>('select pg_snapshot_xmin(pg_current_snapshot())::text as xmin')
      .catch(failed)
    await client
      .query({ text: `declare newest_rows no scroll cursor for\n${sql.text}`, values: [...sql.values] })
      .catch(failed)
    const count = (): void => countNonFinite(view.name)
    const fetchNext = () => {
      const fetching = client
        .query<unknown[]>({ text: `fetch ${fetchRows} from newest_rows`, rowMode: 'array' })
        .catch(failed)
      // Where the receiver has thrown, nobody waits for it any more.
      fetching.catch(() => {})
      return fetching
    }
    // The server works on the next batch while the receiver has this one.
    let next = fetchNext()
    for (;;) {
      const { rows } = await next
      const isLast = rows.length < fetchRows
      if (!isLast) next = fetchNext()
      if (rows.length > 0) await receive(rows.map((columns) => readRow(view, columns, count)))
      if (isLast) break
    }
    await client.query('commit').catch(failed)
    ended = true
    return {
      snapshotXmin: snapshot.rows[0]?.xmin ?? '0',
      systemIdentifier: identifier,
      scope: scope.kind,
    }
  } finally {
    // A connection in the midst of a cursor is not worth mending.
    client.release(!ended)
  }
}

function scopeToRead({ view, scope }: NewestRowsRequest, identifier: string): NewestRowsRequest['scope'] {
  if (scope.kind !== 'ARRIVED') return scope
  if (view.source !== null || scope.since.systemIdentifier !== identifier) return { kind: 'FULL' }
  return scope
}

function readRow(
  view: OfflineView,
  columns: readonly unknown[],
  countNonFinite: () => void,
): StoredFeatureRow {
  const keys = view.entity.joinKeys
  const created = columns[keys.length + 1]
  const rowId = Number(columns[keys.length + 2] ?? Number.NaN)
  return {
    key: keys.map((key, index) => fromSql(key.type, columns[index], countNonFinite) as KeyValue),
    eventTimestamp: Number(columns[keys.length]),
    createdTimestamp: created === null || created === undefined ? null : Number(created),
    rowId: Number.isSafeInteger(rowId) ? rowId : null,
    values: view.features.map((feature, index) =>
      fromSql(feature.type, columns[keys.length + 3 + index], countNonFinite),
    ),
    closing: view.kind === 'BATCH' && columns[keys.length + 3 + view.features.length] === true,
  }
}
