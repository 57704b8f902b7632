import { type DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { KeyValue, Value } from '../../../definitions/value.ts'
import { StoreFailed } from '../../../errors.ts'
import type { AsOfColumns, AsOfException, ColumnJoin } from '../../as-of-snapshot.ts'
import type { EntityRows } from '../../entity-rows.ts'
import type { JoinedKnownAt, RowRead } from '../../file-join.ts'
import { newestRowStatements } from '../../join-sql/newest-row-sql.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import type { ReadFiles } from '../../read-files.ts'
import type { TableEstimate } from '../../table-estimate.ts'
import { ValueColumn } from '../../value-column.ts'
import { firstLineOf } from '../duckdb-files.ts'
import { fromDuckDb } from '../lake/mapped-value.ts'
import { valueColumn } from '../stored-column.ts'
import { joinedRowsSql } from './joined-files.ts'

/** Rows of one key, in the order of a view's join keys; see `deletionCheck`. */
export type RowDeletions = (
  fields: readonly { readonly name: string; readonly type: RowRead['keys'][number]['type'] }[],
) => Promise<
  | ((
      rows: readonly { readonly key: readonly (Value | null)[]; readonly eventTimestamp: Micros }[],
    ) => Promise<readonly boolean[]>)
  | null
>

export interface JoinedStores {
  readonly deletions: RowDeletions
  readonly countNonFinite: (view: string) => void
}

/** A data chunk holds no more. */
const chunkRows = 2_048

/** The as-of join of one file view, column by column, on a connection of its own. */
export async function joinFileView(
  connection: DuckDBConnection,
  view: ParquetOfflineView,
  files: ReadFiles,
  { rows }: Pick<ColumnJoin, 'rows'>,
  { deletions, countNonFinite }: JoinedStores,
): Promise<AsOfColumns> {
  const target = {
    eventTimestamps: new Float64Array(rows.length).fill(Number.NaN),
    columns: view.features.map(({ type }) => new ValueColumn(type, rows.length)),
    exceptions: new Map<number, AsOfException>(),
  }
  if (rows.length === 0) return target
  try {
    for (const { knownAt, places } of knownTogether(rows)) {
      await fillAsked(connection, view, rows, places)
      await findInFiles(connection, view, files, knownAt)
      const isDeleted = await deletions(view.entity.joinKeys)
      await takeFound(connection, view, {
        rows,
        target,
        isDeleted,
        countNonFinite: () => countNonFinite(view.name),
      })
      await connection.run('drop table found; drop table asked; drop view file_rows')
    }
    return target
  } catch (error) {
    await connection.run(
      'drop table if exists found; drop table if exists asked; drop view if exists file_rows',
    )
    if (error instanceof Error && error.constructor !== Error) throw error
    throw new StoreFailed(`the files of "${view.name}" cannot be joined: ${firstLineOf(error)}`, {
      cause: error,
    })
  }
}

/** Rows that are known in one way: in a training set all, else as many as there are delays. */
function knownTogether({
  length,
  asOf,
  knownAt,
}: EntityRows): readonly { readonly knownAt: JoinedKnownAt; readonly places: readonly number[] }[] {
  const byDelay = new Map<number | null, number[]>()
  const moments = new Set<number | null>()
  for (let row = 0; row < length; row += 1) {
    const known = knownAt(row)
    moments.add(known)
    const delay = known === null ? null : known - (asOf[row] ?? 0)
    const places = byDelay.get(delay)
    if (places) places.push(row)
    else byDelay.set(delay, [row])
  }
  const [only] = moments
  if (moments.size === 1 && only !== undefined && only !== null)
    return [{ knownAt: { kind: 'MOMENT', at: only }, places: [...byDelay.values()].flat() }]
  return [...byDelay].map(([delay, places]) => ({
    knownAt: delay === null ? { kind: 'ALL' } : { kind: 'ROW', delayMicros: delay },
    places,
  }))
}

async function fillAsked(
  connection: DuckDBConnection,
  { entity: { joinKeys } }: ParquetOfflineView,
  { keys, asOf }: EntityRows,
  places: readonly number[],
): Promise<void> {
  const stored = [
    ...joinKeys.map(({ type }) => valueColumn(type)),
    valueColumn('int64'),
    valueColumn('int64'),
  ]
  const types = stored.map(({ type }) => type)
  const names = [...joinKeys.map((_, index) => `k${index}`), 't', 'place']
  await connection.run(
    `create temp table asked (${names.map((name, index) => `${name} ${types[index]}`).join(', ')})`,
  )
  const appender = await connection.createAppender('asked', null, 'temp')
  const sources: (readonly (KeyValue | null)[])[] = [
    ...keys.map((column) => places.map((place) => column[place] ?? null)),
    places.map((place) => asOf[place] ?? 0),
    places,
  ]
  for (let start = 0; start < places.length; start += chunkRows) {
    const count = Math.min(chunkRows, places.length - start)
    const chunk = DuckDBDataChunk.create(types, count)
    stored.forEach(({ write }, column) => {
      write(chunk, column, sources[column] ?? [], start, count)
    })
    appender.appendDataChunk(chunk)
  }
  appender.closeSync()
}

async function findInFiles(
  connection: DuckDBConnection,
  view: ParquetOfflineView,
  files: ReadFiles,
  knownAt: JoinedKnownAt,
): Promise<void> {
  const rows = await joinedRowsSql(connection, view, files, { knownAt, features: 'STORED' })
  await connection.run(`create temp view file_rows as ${rows}`)
  for (const statement of statements(view, knownAt)) await connection.run(statement)
}

function statements({ entity, features }: ParquetOfflineView, knownAt: JoinedKnownAt): readonly string[] {
  const keys = entity.joinKeys.map(({ name, type }, place) => ({ name, type, place }))
  const read = { keys, features: features.map(({ name, type }) => ({ name, type, emptyValue: null })) }
  return newestRowStatements(read, { rows: 'file_rows', asked: 'asked', found: 'found' }, knownAt)
}

/** The statements of one view, for a reader; `file_rows` are the rows of its files. */
export function statementText(view: ParquetOfflineView): string {
  return statements(view, { kind: 'ALL' }).join(';\n')
}

interface Taking {
  readonly rows: EntityRows
  readonly target: AsOfColumns & { readonly columns: readonly ValueColumn[] }
  readonly isDeleted: Awaited<ReturnType<RowDeletions>>
  readonly countNonFinite: () => void
}

async function takeFound(
  connection: DuckDBConnection,
  { features }: ParquetOfflineView,
  { rows, target, isDeleted, countNonFinite }: Taking,
): Promise<void> {
  const list = features.map((_, index) => `, f${index}`).join('')
  // What closes a key's history has no row.
  const result = await connection.stream(
    `select place::DOUBLE, e::DOUBLE${list} from found where not closing`,
  )
  for (
    let chunk = await result.fetchChunk();
    chunk && chunk.rowCount > 0;
    chunk = await result.fetchChunk()
  ) {
    const { rowCount } = chunk
    const places = Array.from({ length: rowCount }, (_, index) =>
      Number(chunk.getColumnVector(0).getItem(index)),
    )
    const events = Array.from({ length: rowCount }, (_, index) =>
      Number(chunk.getColumnVector(1).getItem(index)),
    )
    const deleted = await isDeleted?.(
      places.map((place, index) => ({
        key: rows.keys.map((column) => column[place] ?? null),
        eventTimestamp: events[index] ?? 0,
      })),
    )
    const isKept = (index: number): boolean => deleted?.[index] !== true
    places.forEach((place, index) => {
      if (isKept(index)) target.eventTimestamps[place] = events[index] ?? Number.NaN
    })
    features.forEach(({ type }, at) => {
      const vector = chunk.getColumnVector(at + 2)
      const column = target.columns[at]
      for (let index = 0; index < rowCount; index += 1)
        if (isKept(index))
          column?.set(places[index] ?? 0, fromDuckDb(type, vector.getItem(index), countNonFinite))
    })
  }
}

/** By the files' footers; how many keys there are they do not say. */
export async function estimateFiles(
  connection: DuckDBConnection,
  { files }: ReadFiles,
): Promise<TableEstimate> {
  if (files.length === 0) return { rows: 0, keys: 1, probeShare: null, spanMicros: null }
  const list = files.map(({ path }) => `'${path.replace(/[*?[]/g, '[$&]').replaceAll("'", "''")}'`)
  const reader = await connection.runAndReadAll(
    `select coalesce(sum(num_rows), 0)::DOUBLE from parquet_file_metadata([${list.join(', ')}])`,
  )
  const rows = Number(reader.getRows()[0]?.[0])
  return { rows, keys: Math.max(1, Math.sqrt(rows)), probeShare: null, spanMicros: null }
}
