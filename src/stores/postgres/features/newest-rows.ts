import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { EntityKey } from '../../../definitions/value.ts'
import type { MaterializedPoint, NewestRowsRequest, NewestRowsScope } from '../../newest-rows.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import { arrayParameter, microsOf, selectExpression } from '../sql/column-type.ts'
import type { Sql } from '../sql/statement.ts'
import {
  closingColumn,
  type FeatureTable,
  featureTable,
  newestFirst,
  selectFeature,
} from '../tables/feature-table.ts'
import { isCurrentSql, viewParameters } from '../windows/computed-by.ts'

/**
 * The newest due row of each key, by (event timestamp, created timestamp with null oldest, row id). Columns: the join
 * keys, event and created timestamp in microseconds, the row id, the features, and for a batch view whether it is a
 * closing row and whether today's definition computed it. FULL and RANGE walk the table's as-of
 * index; ARRIVED finds the keys by the arrival and due indexes and probes each once.
 */
export function newestRowsSql(project: string, { view, now, scope }: NewestRowsRequest): Sql {
  const table = featureTable(project, view)
  return scope.kind === 'ARRIVED'
    ? arrivedSql(project, table, view, now, scope.since)
    : scannedSql(project, table, view, now, scope)
}

/**
 * Whether today's definition computed the row `n` of a batch view. A closing row only says that there is none, which the
 * newest snapshot says again. None for other views.
 */
function currentColumns(project: string, view: StoredOfflineView, values: unknown[]): string[] {
  if (view.kind !== 'BATCH') return []
  const parameters = viewParameters(project, view, values, null)
  const closing = `n.c${3 + view.features.length}`
  return [isCurrentSql(parameters, `case when ${closing} then $1::timestamptz else n.at end`)]
}

/** The columns of a row, named for the statement around it. */
function namedColumns(table: FeatureTable, view: StoredOfflineView): string[] {
  return [
    ...rowColumns(table, view).map((expression, index) => `${expression} as c${index}`),
    ...(view.kind === 'BATCH' ? [`x.${table.eventTimestamp} as at`] : []),
  ]
}

function columnNames(table: FeatureTable, view: StoredOfflineView): string[] {
  return rowColumns(table, view).map((_, index) => `n.c${index}`)
}

function keyExpressions(table: FeatureTable, view: StoredOfflineView): string[] {
  return view.entity.joinKeys.map((key) => selectExpression(key.type, `x.${table.column(key.name)}`))
}

function rowColumns(table: FeatureTable, view: StoredOfflineView): string[] {
  return [
    microsOf(`x.${table.eventTimestamp}::timestamptz`),
    table.createdTimestamp === null ? 'null' : microsOf(`x.${table.createdTimestamp}::timestamptz`),
    table.rowId === null ? 'null' : `x.${table.rowId}::text`,
    ...view.features.map((feature) => selectFeature(view, table, feature)),
    ...(view.kind === 'BATCH' ? [`x.${closingColumn}`] : []),
  ]
}

type ScannedScope = Exclude<NewestRowsScope, { readonly kind: 'ARRIVED' }>

function scannedSql(
  project: string,
  table: FeatureTable,
  view: StoredOfflineView,
  now: Micros,
  scope: ScannedScope,
): Sql {
  const keys = keyExpressions(table, view)
  const event = `x.${table.eventTimestamp}`
  const values: unknown[] = [formatTimestamp(now)]
  // A mapped table may hold keys and times that no entity row can name.
  const conditions = [
    ...(view.source === null ? [] : [...keys.map((key) => `${key} is not null`), `isfinite(${event})`]),
    `${event} <= $1::timestamptz`,
  ]
  if (scope.kind === 'RANGE') {
    if (scope.from !== null) conditions.push(`${event} >= $${values.push(formatTimestamp(scope.from))}`)
    if (scope.to !== null) conditions.push(`${event} < $${values.push(formatTimestamp(scope.to))}`)
  }
  const isBatch = view.kind === 'BATCH'
  const columns = isBatch
    ? [...keys.map((key, index) => `${key} as k${index}`), ...namedColumns(table, view)]
    : [...keys, ...rowColumns(table, view)]
  const rows = [
    `select distinct on (${keys.join(', ')}) ${columns.join(', ')}`,
    `from ${table.from} as x`,
    `where ${conditions.join(' and ')}`,
    `order by ${[...keys, ...newestFirst(table)].join(', ')}`,
  ].join('\n')
  if (!isBatch) return { text: rows, values }
  // Around the rows, so that it is asked of those alone.
  const outputs = [
    ...keys.map((_, index) => `n.k${index}`),
    ...columnNames(table, view),
    ...currentColumns(project, view, values),
  ]
  return { text: `select ${outputs.join(', ')}\nfrom (\n${rows}\n) as n`, values }
}

function arrivedSql(
  project: string,
  table: FeatureTable,
  view: StoredOfflineView,
  now: Micros,
  since: MaterializedPoint,
): Sql {
  const columns = view.entity.joinKeys.map((key) => table.column(key.name))
  const named = columns.map((column, index) => `${column} as key_${index}`).join(', ')
  const probe = columns.map((column, index) => `x.${column} = k.key_${index}`)
  const keys = view.entity.joinKeys.map((key, index) => selectExpression(key.type, `k.key_${index}`))
  const event = table.eventTimestamp
  const values: unknown[] = [
    formatTimestamp(now),
    since.snapshotXmin,
    formatTimestamp(since.materializedUntil),
  ]
  const current = currentColumns(project, view, values)
  const text = [
    `select ${[...keys, ...columnNames(table, view), ...current].join(', ')}`,
    'from (',
    `  select ${named} from ${table.from} where ingested_xid >= $2::xid8 and ${event} <= $1::timestamptz`,
    '  union',
    `  select ${named} from ${table.from} where ${event} > $3::timestamptz and ${event} <= $1::timestamptz`,
    ') as k',
    ...newestOfKey(table, namedColumns(table, view), probe),
  ]
  return { text: text.join('\n'), values }
}

/** The newest due row of each of some keys, with the columns of `newestRowsSql`. One probe of the as-of index a key. */
export function newestOfKeysSql(
  project: string,
  view: StoredOfflineView,
  keys: readonly EntityKey[],
  now: Micros,
): Sql {
  const table = featureTable(project, view)
  const parts = view.entity.joinKeys.map(({ name, type }, index) => {
    const { arrayType, encode, expression } = arrayParameter(type)
    return {
      column: table.column(name),
      selected: selectExpression(type, `k.key_${index}`),
      parameter: `$${index + 2}::${arrayType}`,
      given: `${expression(`i.c${index}`)} as key_${index}`,
      values: keys.map((key) => encode(key[index] ?? '')),
    }
  })
  const values: unknown[] = [formatTimestamp(now), ...parts.map((part) => part.values)]
  const selected = parts.map((part) => part.selected)
  const current = currentColumns(project, view, values)
  const text = [
    `select ${[...selected, ...columnNames(table, view), ...current].join(', ')}`,
    `from (select distinct ${parts.map(({ given }) => given).join(', ')}`,
    `  from unnest(${parts.map(({ parameter }) => parameter).join(', ')}) as i(${parts.map((_, index) => `c${index}`).join(', ')})) as k`,
    ...newestOfKey(
      table,
      namedColumns(table, view),
      parts.map(({ column }, index) => `x.${column} = k.key_${index}`),
    ),
  ]
  return { text: text.join('\n'), values }
}

/** Joined to `k`: the newest row of its key that is due at $1. */
function newestOfKey(
  table: FeatureTable,
  outputs: readonly string[],
  ofKey: readonly string[],
): readonly string[] {
  return [
    'cross join lateral (',
    `  select ${outputs.join(', ')}`,
    `  from ${table.from} as x`,
    `  where ${[...ofKey, `x.${table.eventTimestamp} <= $1::timestamptz`].join(' and ')}`,
    `  order by ${newestFirst(table).join(', ')}`,
    '  limit 1',
    ') as n',
  ]
}

/** One row: whether there are more rows than $1. */
export function isLargerThanSql(project: string, view: StoredOfflineView, rows: number): Sql {
  const { from } = featureTable(project, view)
  const text = `select count(*) > $1 as larger from (select from ${from} as x limit $1 + 1) as r`
  return { text, values: [String(rows)] }
}

/**
 * Keys of about $1 rows picked by chance: pages of the table, by how many rows Postgres thinks that it has; all of a table
 * that it knows nothing of.
 */
export function sampleKeysSql(project: string, view: StoredOfflineView, keys: number): Sql {
  const table = featureTable(project, view)
  const share = `(select case when c.reltuples > 0 then least(100, greatest(0.0001, 200.0 * $1::int / c.reltuples)) else 100 end
  from pg_class as c where c.oid = '${table.from}'::regclass)`
  const text = [
    `select ${keyExpressions(table, view).join(', ')} from ${table.from} as x tablesample system (${share})`,
    'order by random() limit $1::int',
  ]
  return { text: text.join('\n'), values: [String(keys)] }
}

/** The keys of the newest due rows. */
export function newestKeysSql(project: string, view: StoredOfflineView, now: Micros, limit: number): Sql {
  const table = featureTable(project, view)
  const keys = keyExpressions(table, view)
  const event = `x.${table.eventTimestamp}::timestamptz`
  const text = [
    `select ${keys.join(', ')}`,
    `from ${table.from} as x`,
    `where ${[...keys.map((key) => `${key} is not null`), `isfinite(${event})`, `${event} <= $1::timestamptz`].join(' and ')}`,
    `order by ${event} desc limit $2`,
  ]
  return { text: text.join('\n'), values: [formatTimestamp(now), String(limit)] }
}

/** One row: the newest event timestamp, and that of the oldest due row after the point, in microseconds. */
export function materializeLagSql(
  project: string,
  view: StoredOfflineView,
  now: Micros,
  since: MaterializedPoint | null,
): Sql {
  const table = featureTable(project, view)
  const event = `x.${table.eventTimestamp}::timestamptz`
  const values: string[] = [formatTimestamp(now)]
  const conditions = [`${event} <= $1::timestamptz`]
  if (since !== null) {
    const later = [`${event} > $${values.push(formatTimestamp(since.materializedUntil))}::timestamptz`]
    if (view.source === null) later.push(`x.ingested_xid >= $${values.push(since.snapshotXmin)}::xid8`)
    conditions.push(`(${later.join(' or ')})`)
  }
  const text = [
    `select ${microsOf(`max(${event})`)} as newest,`,
    `  ${microsOf(`min(${event}) filter (where ${conditions.join(' and ')})`)} as waiting`,
    `from ${table.from} as x where isfinite(${event})`,
  ]
  return { text: text.join('\n'), values }
}
