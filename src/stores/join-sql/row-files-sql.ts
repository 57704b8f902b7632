import { elementType, type ValueType } from '../../definitions/value-type.ts'
import type { JoinedKnownAt, RowRead } from '../file-join.ts'
import type { SqlDialect } from './sql-dialect.ts'

/** What a file's column is, as far as its reading depends on it. */
export type FileColumns = ReadonlyMap<string, 'INSTANT' | 'LOCAL' | 'OTHER'>

/**
 * The feature rows of a read's files under the names that joins use: keys `k0` …, `e` and `c` (event and created timestamp), `r`
 * (row id), `closing`, features `f0` …. Rows without a key or an event timestamp are left out, and so are those that are
 * created behind one moment at which all is known.
 */
export function rowFilesSql(
  { keys, features, view: { source } }: Pick<RowRead, 'keys' | 'features' | 'view'>,
  {
    from,
    columns,
    knownAt,
  }: { readonly from: string; readonly columns: FileColumns; readonly knownAt: JoinedKnownAt },
  dialect: SqlDialect,
): string {
  const { quoted, typeOf } = dialect
  const columnOf = (name: string): string => source.columns[name] ?? name
  const instant = (column: string): string =>
    dialect.microsOf(instantSql(column, { columns, timezone: source.timezone ?? null }, dialect))
  const created =
    source.createdTimestamp === undefined ? 'cast(null as bigint)' : instant(source.createdTimestamp)
  const rowId = source.rowId === undefined ? '0' : `coalesce(cast(${quoted(source.rowId)} as bigint), 0)`
  const closing = source.closing === undefined ? 'false' : `coalesce(${quoted(source.closing)}, false)`
  const selected = [
    ...keys.map(
      ({ name, type }, index) => `${keySql(quoted(columnOf(name)), type, typeOf(type))} as k${index}`,
    ),
    `${instant(source.eventTimestamp)} as e`,
    `${created} as c`,
    `cast(${rowId} as bigint) as r`,
    `${closing} as closing`,
    ...features.map(
      ({ name, type }, index) =>
        `${valueSql(columnOf(name), type, { columns, timezone: source.timezone ?? null }, dialect)} as f${index}`,
    ),
  ]
  const conditions = [
    ...keys.map(({ name }) => `${quoted(columnOf(name))} is not null`),
    `${quoted(source.eventTimestamp)} is not null`,
    ...(knownAt.kind === 'MOMENT' && source.createdTimestamp !== undefined
      ? [`(${quoted(source.createdTimestamp)} is null or ${created} <= ${knownAt.at})`]
      : []),
  ]
  return `select ${selected.join(', ')}\nfrom ${from}\nwhere ${conditions.join(' and ')}`
}

interface TimeReading {
  readonly columns: FileColumns
  readonly timezone: string | null
}

function instantSql(column: string, { columns, timezone }: TimeReading, dialect: SqlDialect): string {
  const name = dialect.quoted(column)
  if (columns.get(column) !== 'LOCAL') return name
  const zone = `'${timezone ?? 'UTC'}'`
  return dialect.name === 'duckdb' ? `timezone(${zone}, ${name})` : `to_utc_timestamp(${name}, ${zone})`
}

function keySql(column: string, type: ValueType, stored: string): string {
  return type === 'uuid' ? `lower(cast(${column} as ${stored}))` : `cast(${column} as ${stored})`
}

function valueSql(column: string, type: ValueType, reading: TimeReading, dialect: SqlDialect): string {
  const stored = dialect.typeOf(type)
  if (type === 'timestamp') return `cast(${instantSql(column, reading, dialect)} as ${stored})`
  const value = `cast(${dialect.quoted(column)} as ${stored})`
  return (type === 'float32' || type === 'float64') && elementType(type) === null
    ? dialect.ifFinite(value)
    : value
}
