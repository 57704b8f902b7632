import { createHash } from 'node:crypto'
import { isFixedSize, type ValueType } from '../../../definitions/value-type.ts'
import type { OfflineFeature, StoredOfflineView } from '../../offline-view.ts'
import { selectExpression, selectedType, sqlType } from '../sql/column-type.ts'
import { quoteIdentifier, quoteTable } from '../sql/identifier.ts'
import { type ManagedColumn, managedColumn } from './managed-column.ts'

/** The schema of a project's managed tables: `features`, or `features_<project>` beside the default project. */
export function featureSchema(project: string): string {
  return project === 'default' ? 'features' : `features_${project}`
}

/** Where a view's rows stand and what its columns are called there. */
export interface FeatureTable {
  /** What follows FROM: a quoted table, or a query in parentheses. */
  readonly from: string
  readonly column: (name: string) => string
  readonly eventTimestamp: string
  readonly createdTimestamp: string | null
  readonly rowId: string | null
}

/** With the comments behind it. */
const semicolonAtEnd = /;(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*$/

export function featureTable(project: string, view: StoredOfflineView): FeatureTable {
  const { source } = view
  if (source?.kind === 'parquet')
    throw new TypeError(`feature view ${view.name} stands in Parquet files, Postgres does not read it`)
  if (source === null) {
    return {
      from: managedTable(project, view),
      column: quoteIdentifier,
      eventTimestamp: quoteIdentifier('event_timestamp'),
      createdTimestamp: quoteIdentifier('created_timestamp'),
      rowId: quoteIdentifier('row_id'),
    }
  }
  return {
    // The line break keeps a comment at the query's end from swallowing the parenthesis.
    from:
      source.query === undefined
        ? quoteTable(source.table ?? '')
        : `(${source.query.replace(semicolonAtEnd, '')}\n)`,
    column: (name) => quoteIdentifier(source.columns[name] ?? name),
    eventTimestamp: quoteIdentifier(source.eventTimestamp),
    createdTimestamp: source.createdTimestamp === undefined ? null : quoteIdentifier(source.createdTimestamp),
    rowId: source.rowId === undefined ? null : quoteIdentifier(source.rowId),
  }
}

/**
 * A feature's value of a row `x`, as an expression whose result `fromSql` reads: of a widened feature the first of its columns
 * that is not null. One that is narrower than its column comes as the column is, since a cast of a value out of range would
 * end the statement.
 */
export function selectFeature(view: StoredOfflineView, table: FeatureTable, feature: OfflineFeature): string {
  const [written, ...older] = feature.columns
  if (view.source !== null || written === undefined)
    return selectExpression(feature.type, `x.${table.column(feature.name)}`)
  const column = `x.${quoteIdentifier(written.name)}`
  if (older.length === 0) return selectExpression(written.type, column)
  const wider = older.map(({ name }) => `x.${quoteIdentifier(name)}::${sqlType(written.type)}`)
  return selectExpression(written.type, `coalesce(${[column, ...wider].join(', ')})`)
}

/** The type of `selectFeature` in Postgres. */
export function selectedFeatureType({ source }: StoredOfflineView, feature: OfflineFeature): ValueType {
  return selectedType(source === null ? writtenColumn(feature).type : feature.type)
}

/** Where a feature's values are written, in a table of the store's own. */
export function writtenColumn({ columns, name, type }: OfflineFeature): OfflineFeature['columns'][number] {
  return columns[0] ?? { name, type }
}

/** Of a key's rows `x`, by the total order of design section 3.1. */
export function newestFirst(table: FeatureTable): string[] {
  return [
    `x.${table.eventTimestamp} desc`,
    ...(table.createdTimestamp === null ? [] : [`x.${table.createdTimestamp} desc nulls last`]),
    ...(table.rowId === null ? [] : [`x.${table.rowId} desc`]),
  ]
}

export function managedTable(project: string, view: StoredOfflineView): string {
  return `${quoteIdentifier(featureSchema(project))}.${quoteIdentifier(view.id)}`
}

export const closingColumn = 'closing'
/** Of a batch view's row that was pushed: it overrides the snapshots of its time. */
export const pushedColumn = 'pushed'

/** The columns of a feature row that its writer gives, in order: the join keys, both times, the features. */
export function writtenColumns(
  view: StoredOfflineView,
): readonly { readonly name: string; readonly type: ValueType }[] {
  return [
    ...view.entity.joinKeys,
    { name: 'event_timestamp', type: 'timestamp' },
    { name: 'created_timestamp', type: 'timestamp' },
    ...view.features.map(writtenColumn),
  ]
}

/** All that hold values of features, in the features' order. */
function featureColumns({ features }: StoredOfflineView): OfflineFeature['columns'] {
  return features.flatMap(({ columns }) => columns)
}

/** The columns of a managed table, in order. Only feature columns are nullable, so only they can be added later. */
export function managedColumns(view: StoredOfflineView): readonly ManagedColumn[] {
  return [
    ...view.entity.joinKeys.map((key) => managedColumn(key.name, sqlType(key.type), true)),
    managedColumn('event_timestamp', 'timestamp with time zone', true),
    managedColumn('created_timestamp', 'timestamp with time zone', false),
    ...featureColumns(view).map(({ name, type }) => managedColumn(name, sqlType(type), false)),
    // Null is false: nearly every row is an ordinary one.
    ...(view.kind === 'BATCH'
      ? [managedColumn(closingColumn, 'boolean', false), managedColumn(pushedColumn, 'boolean', false)]
      : []),
    managedColumn('row_id', 'bigint', true, ' generated by default as identity'),
    managedColumn('ingested_xid', 'xid8', true, ' default pg_current_xact_id()'),
  ]
}

/** Statements that make a managed table; each can be run again. */
export function createTable(project: string, view: StoredOfflineView): readonly string[] {
  const table = managedTable(project, view)
  const definitions = managedColumns(view).map((column) => `  ${column.definition}`)
  return [
    `create table if not exists ${table} (\n${definitions.join(',\n')}\n)`,
    asOfIndex(project, view),
    `create index if not exists ${indexName(view, 'arrival')} on ${table} (ingested_xid)`,
    // For rows that become due; nearly free, since rows mostly arrive in the order of their events.
    `create index if not exists ${indexName(view, 'due')} on ${table} using brin (event_timestamp)`,
  ]
}

/**
 * One probe answers a row of an as-of join. `nulls last` must stand in the index as in the query, else every probe
 * sorts. Features of fixed size ride along, up to Postgres' 32 columns, so that a probe need not visit the table: the index of
 * a table that got columns later is another one, by its name.
 */
function asOfIndex(project: string, view: StoredOfflineView): string {
  const keys = view.entity.joinKeys.map((key) => quoteIdentifier(key.name))
  const ordered = [...keys, 'event_timestamp desc', 'created_timestamp desc nulls last', 'row_id desc']
  const columns = featureColumns(view)
  const read = [...columns.map(({ name }) => name), ...(view.kind === 'BATCH' ? [closingColumn] : [])]
  const covering = columns.every(({ type }) => isFixedSize(type)) && ordered.length + read.length <= 32
  const include = covering ? `\ninclude (${read.map(quoteIdentifier).join(', ')})` : ''
  const purpose = covering ? `as_of_${shortDigest(JSON.stringify(read))}` : 'as_of'
  return `create index if not exists ${indexName(view, purpose)} on ${managedTable(project, view)}\n(${ordered.join(', ')})${include}`
}

/** At most 63 bytes: a long name is cut and made unique by a digest. */
function indexName(view: StoredOfflineView, purpose: string): string {
  const name = `${view.id}_${purpose}`
  if (name.length <= 63) return quoteIdentifier(name)
  const digest = shortDigest(name)
  return quoteIdentifier(`${view.id.slice(0, 62 - purpose.length - digest.length - 1)}_${digest}_${purpose}`)
}

function shortDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
