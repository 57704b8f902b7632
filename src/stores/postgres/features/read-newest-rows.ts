import type pg from 'pg'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { KeyValue } from '../../../definitions/value.ts'
import type { ValueType } from '../../../definitions/value-type.ts'
import type { NewestRowsReading, NewestRowsRequest, StoredFeatureRow } from '../../newest-rows.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import { fromSql } from '../sql/column-type.ts'
import { copyOut } from '../sql/copy-out.ts'
import { storeFailed } from '../sql/pool.ts'
import { systemIdentifier } from '../sql/system-identifier.ts'
import { selectedFeatureType } from '../tables/feature-table.ts'
import { isCurrentSql, viewParameters } from '../windows/computed-by.ts'
import { newestRowsSql } from './newest-rows.ts'

export interface ReadNewestRowsOptions {
  readonly project: string
  readonly countNonFinite: (view: string) => void
}

const batchRows = 2_000

/**
 * One COPY in a repeatable-read transaction, so that all batches and the transaction id are of one snapshot. The server
 * goes on while the receiver has a batch, as far as the socket's buffers reach. Holds one connection of the pool until
 * the end.
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
    const snapshot = await client
      .query<{ xmin: string }>('select pg_snapshot_xmin(pg_current_snapshot())::text as xmin')
      .catch(failed)
    const isCurrent = await readIsCurrent(client, project, request).catch(failed)
    const count = (): void => countNonFinite(view.name)
    const batches = copyOut(client, sql, rowTypes(view))
    let batch: StoredFeatureRow[] = []
    for (;;) {
      const next = await batches.next().catch(failed)
      for (const columns of next.done === true ? [] : next.value)
        batch.push(readNewestRow(view, columns, count))
      if (batch.length >= batchRows || (next.done === true && batch.length > 0)) {
        await receive(batch)
        batch = []
      }
      if (next.done === true) break
    }
    await client.query('commit').catch(failed)
    ended = true
    return {
      snapshotXmin: snapshot.rows[0]?.xmin ?? '0',
      systemIdentifier: identifier,
      files: null,
      scope: scope.kind,
      isCurrent,
    }
  } finally {
    // A connection in the midst of a COPY is not worth mending.
    client.release(!ended)
  }
}

async function readIsCurrent(
  client: pg.PoolClient,
  project: string,
  { view, now }: NewestRowsRequest,
): Promise<boolean> {
  if (view.kind !== 'BATCH') return true
  const values: unknown[] = [formatTimestamp(now)]
  const expression = isCurrentSql(viewParameters(project, view, values, null), '$1::timestamptz')
  const { rows } = await client.query<{ current: boolean }>(`select ${expression} as current`, values)
  return rows[0]?.current === true
}

function scopeToRead({ view, scope }: NewestRowsRequest, identifier: string): NewestRowsRequest['scope'] {
  if (scope.kind !== 'ARRIVED') return scope
  if (view.source !== null || scope.since.systemIdentifier !== identifier) return { kind: 'FULL' }
  return scope
}

/** Of the statement's columns, as they leave Postgres (`selectExpression`). */
function rowTypes(view: StoredOfflineView): readonly ValueType[] {
  return [
    ...view.entity.joinKeys.map(({ type }) => type),
    'int64',
    'int64',
    'string',
    ...view.features.map((feature) => selectedFeatureType(view, feature)),
    ...(view.kind === 'BATCH' ? (['bool', 'bool'] as const) : []),
  ]
}

/** From the columns of `newestRowsSql`. */
export function readNewestRow(
  view: StoredOfflineView,
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
    isCurrent: view.kind !== 'BATCH' || columns[keys.length + 4 + view.features.length] === true,
  }
}
