import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { KeyValue } from '../../../definitions/value.ts'
import { StoreFailed } from '../../../errors.ts'
import type {
  MaterializedPoint,
  NewestRowsRequest,
  NewestRowsScope,
  StoredFeatureRow,
} from '../../newest-rows.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import { firstLineOf } from '../duckdb-files.ts'
import { allTimes, type TimeRange } from './file-times.ts'
import type { Fileset } from './fileset.ts'
import { fingerprint, type LakeFile } from './lake-files.ts'
import { comparedKey } from './lake-sql.ts'
import { fromDuckDb } from './mapped-value.ts'
import { newestOfTime } from './view-rows.ts'

/** What a point of files says instead of a database. */
export const lakeIdentifier = 'parquet'

/** Table of the connection that the rows are handed over from, once all files are read. */
const newestTable = 'newest_rows'

/**
 * Reads the newest due row of each key of the scope into a table of the connection's own; returns the scope that was read. ARRIVED reads
 * the files that the point lacks, and of the others those that may have rows which became due, or newer ones of the same keys.
 */
export async function collectNewestRows(
  connection: DuckDBConnection,
  fileset: Fileset,
  { view, now, scope }: NewestRowsRequest & { readonly view: ParquetOfflineView },
): Promise<NewestRowsScope['kind']> {
  if (scope.kind === 'ARRIVED') {
    const isNew = newFiles(fileset, scope.since)
    if (isNew !== null) {
      const rowsSql = await arrivedKeysRows(connection, fileset, { view, now, since: scope.since, isNew })
      await connection.run(newestRowsSql(view, rowsSql))
      return 'ARRIVED'
    }
  }
  const range: TimeRange = scope.kind === 'RANGE' ? scope : allTimes
  const rowsSql = await fileset.rowsSql(fileset.within({ from: range.from, to: upTo(range.to, now) }))
  await connection.run(newestRowsSql(view, `select * from (${rowsSql}) where ${within(range, now)}`))
  return scope.kind === 'RANGE' ? 'RANGE' : 'FULL'
}

/** The files that the point lacks; null where it is no point of these files, or one of its own has changed or is gone. */
export function newFiles({ files }: Fileset, since: MaterializedPoint): ((file: LakeFile) => boolean) | null {
  if (since.files === null || since.systemIdentifier !== lakeIdentifier) return null
  const known = new Set(since.files)
  const found = files.filter((file) => known.has(fingerprint(file))).length
  return found === known.size && found > 0 ? (file) => !known.has(fingerprint(file)) : null
}

/** Rows of the keys that have one which arrived or became due, from the oldest of these on: the newest of each is among them. */
async function arrivedKeysRows(
  connection: DuckDBConnection,
  fileset: Fileset,
  {
    view,
    now,
    since,
    isNew,
  }: {
    readonly view: ParquetOfflineView
    readonly now: Micros
    readonly since: MaterializedPoint
    readonly isNew: (file: LakeFile) => boolean
  },
): Promise<string> {
  const due: TimeRange = { from: since.materializedUntil + 1, to: now + 1 }
  const inDue = fileset.within(due)
  const arrived = await fileset.rowsSql(isNew)
  const became = await fileset.rowsSql((file) => !isNew(file) && inDue(file))
  const keys = view.entity.joinKeys.map((_, index) => `${comparedKey(view, index, 'a')} as k${index}`)
  await connection.run(
    `create or replace temp table arrived_keys as
select ${keys.join(', ')}, min(event) as first from (
  select * from (${arrived}) where ${within(allTimes, now)}
  union all select * from (${became}) where ${within(due, now)}
) as a group by all`,
  )
  const reader = await connection.runAndReadAll('select epoch_us(min(first)) from arrived_keys')
  const first = reader.getRows()[0]?.[0] ?? null
  if (first === null) return `select * from (${await fileset.rowsSql(() => false)})`
  const range = { from: Number(first), to: null }
  const rows = await fileset.rowsSql(fileset.within({ ...range, to: now + 1 }))
  const sameKey = view.entity.joinKeys.map(
    (_, index) => `${comparedKey(view, index, 'r')} = arrived_keys.k${index}`,
  )
  return `select r.* from (${rows}) as r semi join arrived_keys on ${sameKey.join(' and ')} where ${within(range, now)}`
}

/** Of rows as `viewRowsSql` gives them, into a table of the connection: the newest of each key. */
export function newestRowsSql(view: ParquetOfflineView, rowsSql: string): string {
  const keys = view.entity.joinKeys.map((_, index) => comparedKey(view, index, 'x')).join(', ')
  const columns = [
    ...view.entity.joinKeys.map((_, index) => comparedKey(view, index, 'x')),
    'epoch_us(event)',
    'case when isfinite(created) then epoch_us(created) end',
    'row_id',
    'closing',
    ...view.features.map((_, index) => `f${index}`),
  ]
  return `create or replace temp table ${newestTable} as
with rows_read as (
${rowsSql}
), newest as (
  select * from rows_read as x qualify event = max(event) over (partition by ${keys})
)
select ${columns.map((column, index) => `${column} as c${index}`).join(', ')} from newest as x
qualify row_number() over (partition by ${keys} order by ${newestOfTime(view)}) = 1`
}

/** Conditions on `event`, as literals, so that DuckDB passes over what the files' statistics rule out. */
export function within({ from, to }: TimeRange, now: Micros): string {
  return [
    `event <= make_timestamptz(${now})`,
    ...(from === null ? [] : [`event >= make_timestamptz(${from})`]),
    ...(to === null ? [] : [`event < make_timestamptz(${to})`]),
  ].join(' and ')
}

function upTo(to: Micros | null, now: Micros): Micros {
  return Math.min(to ?? now + 1, now + 1)
}

/** Hands over what `collectNewestRows` found, some thousand rows at a time. */
export async function handOverNewestRows(
  connection: DuckDBConnection,
  view: ParquetOfflineView,
  countNonFinite: () => void,
  receive: (rows: readonly StoredFeatureRow[]) => Promise<void>,
): Promise<void> {
  const failed = (error: unknown): never => {
    throw new StoreFailed(`DuckDB failed at reading the newest rows of ${view.name}: ${firstLineOf(error)}`, {
      cause: error,
    })
  }
  const result = await connection.stream(`from ${newestTable}`).catch(failed)
  for (;;) {
    const chunk = await result.fetchChunk().catch(failed)
    if (chunk === null || chunk.rowCount === 0) return
    await receive(chunk.getRows().map((columns) => readRow(view, columns, countNonFinite)))
  }
}

function readRow(
  { entity, features }: ParquetOfflineView,
  columns: readonly DuckDBValue[],
  countNonFinite: () => void,
): StoredFeatureRow {
  const keys = entity.joinKeys
  const [event, created = null, rowId = null, closing, ...values] = columns.slice(keys.length)
  const id = rowId === null ? Number.NaN : Number(rowId)
  return {
    key: keys.map(({ type }, index) => fromDuckDb(type, columns[index] ?? null, countNonFinite) as KeyValue),
    eventTimestamp: Number(event),
    createdTimestamp: created === null ? null : Number(created),
    rowId: Number.isSafeInteger(id) ? id : null,
    values: features.map(({ type }, index) => fromDuckDb(type, values[index] ?? null, countNonFinite)),
    closing: closing === true,
    isCurrent: true,
  }
}
