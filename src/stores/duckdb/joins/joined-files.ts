import type { DuckDBConnection } from '@duckdb/node-api'
import { elementType, isDecimal, type ValueType } from '../../../definitions/value-type.ts'
import { BadUserInput } from '../../../errors.ts'
import type { JoinedKnownAt, WindowRead } from '../../file-join.ts'
import { duckDb } from '../../join-sql/sql-dialect.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import type { ReadFiles } from '../../read-files.ts'
import { fileColumnsReader } from '../lake/file-columns.ts'
import { deltaGroups } from '../lake/fileset.ts'
import { UnfitFiles } from '../lake/unfit-files.ts'
import { groupFiles, viewRowsSql } from '../lake/view-rows.ts'

/**
 * Feature rows under the names that joins use: keys `k0` …, `e` and `c` (event and created timestamp), `r` (row id), `closing`,
 * features `f0` …. TYPED features are of the types of a training set, STORED ones as `fromDuckDb` reads them. Rows that are created
 * behind one moment at which all is known are left out.
 * @throws BadUserInput naming file, column and both types where a file cannot be read as the view.
 */
export async function joinedRowsSql(
  connection: DuckDBConnection,
  view: ParquetOfflineView,
  { files, version }: ReadFiles,
  { knownAt, features }: { readonly knownAt: JoinedKnownAt; readonly features: 'TYPED' | 'STORED' },
): Promise<string> {
  const columns = fileColumnsReader()
  const listed = files.map(({ path, bytes }) => ({ path, size: bytes, modified: '' }))
  const rows = await (view.source.format === 'delta'
    ? deltaGroups(connection, view, version).then((groups) => viewRowsSql(view, groups))
    : columns.columnsOf(connection, listed).then((found) => viewRowsSql(view, groupFiles(listed, found)))
  ).catch((error: unknown) => {
    throw error instanceof UnfitFiles
      ? new BadUserInput(`feature view "${view.name}": ${error.message}`)
      : error
  })
  const selected = [
    ...view.entity.joinKeys.map(({ type }, index) => `${keySql(`k${index}`, type)} as k${index}`),
    'epoch_us(event) as e',
    'case when isfinite(created) then epoch_us(created) end as c',
    'coalesce(row_id, 0) as r',
    'closing',
    ...view.features.map(({ type }, index) =>
      features === 'STORED' ? `f${index}` : `${typedSql(`f${index}`, type)} as f${index}`,
    ),
  ]
  const known =
    knownAt.kind === 'MOMENT'
      ? `\nwhere created is null or not isfinite(created) or epoch_us(created) <= ${knownAt.at}`
      : ''
  return `select ${selected.join(', ')}\nfrom (${rows})${known}`
}

function keySql(column: string, type: ValueType): string {
  return type === 'uuid' ? `lower(${column})` : `${column}::${duckDb.typeOf(type)}`
}

/** What is no value of the type is null; a hole makes a whole list unknown. */
function typedSql(column: string, type: ValueType): string {
  const element = elementType(type)
  if (element === null) return typedScalar(column, type)
  const item = typedScalar('item', element)
  return `case when len(list_filter(${column}, item -> ${item} is null)) = 0 then list_transform(${column}, item -> ${item}) end`
}

function typedScalar(column: string, type: ValueType): string {
  const stored = duckDb.typeOf(type)
  if (type === 'timestamp') return `make_timestamptz(${column})`
  if (type === 'uuid') return `lower(${column})`
  const value = `try_cast(${column} as ${stored})`
  if (isDecimal(type)) return value
  return type === 'float32' || type === 'float64' ? duckDb.ifFinite(value) : value
}

/** The files of exported events as a relation. @throws BadUserInput where they lack what the windows need. */
export async function joinedEventsRelation(
  connection: DuckDBConnection,
  { view, keys, files: { path, files }, aggregations }: WindowRead,
): Promise<string> {
  const list = files.map((file) => `'${file.path.replace(/[*?[]/g, '[$&]').replaceAll("'", "''")}'`)
  const from = `read_parquet([${list.join(', ')}], union_by_name = true, hive_partitioning = false)`
  const reader = await connection.runAndReadAll(`describe select * from ${from}`)
  const there = new Set(reader.getRows().map(([name]) => String(name)))
  const fields = aggregations.flatMap(({ field, where }) => [
    ...(field === null ? [] : [field.name]),
    ...where.map((one) => one.field.name),
  ])
  const own = ['_counted_at', '_stored_at', '_topic', '_partition', '_offset', 'counts']
  const missing = [...new Set([...keys.map(({ name }) => name), ...fields, ...own])].filter(
    (name) => !there.has(name),
  )
  if (missing.length > 0)
    throw new BadUserInput(
      `feature view "${view}" reads ${path}, whose files have no column ${missing.map((name) => `"${name}"`).join(', ')}; expected what \`featuregraph export\` writes of its source`,
    )
  return from
}
