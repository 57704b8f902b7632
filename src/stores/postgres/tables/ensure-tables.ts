import type pg from 'pg'
import { type Problem, StoreFailed, TablesDiffer } from '../../../errors.ts'
import type { TableReport } from '../../offline-store.ts'
import type { OfflineView, StoredOfflineView } from '../../offline-view.ts'
import type { StoredEventSource } from '../../stored-event-source.ts'
import { quoteIdentifier, quoteTable } from '../sql/identifier.ts'
import {
  createEventTable,
  eventColumns,
  eventPartitionSchema,
  eventSchema,
  eventTable,
} from './event-table.ts'
import { createTable, featureSchema, featureTable, managedColumns, managedTable } from './feature-table.ts'
import type { ManagedColumn } from './managed-column.ts'
import {
  type ColumnKind,
  columnKinds,
  columnProblems,
  type MappedColumn,
  mappedColumn,
} from './mapped-columns.ts'
import { missingRight, readSession } from './missing-right.ts'
import { type StoredColumn, storedColumns } from './stored-columns.ts'
import { describeIgnored, ignorableColumns, unwritableColumns, type WantedTable } from './unknown-columns.ts'

/** A table, view or query of the user's and what is read from it. */
interface MappedTable {
  readonly path: string
  /** What follows FROM. */
  readonly from: string
  readonly columns: readonly MappedColumn[]
}

/**
 * Creates missing tables and missing nullable columns, and checks everything else; see `OfflineStore.ensureTables`. Runs
 * inside the caller's transaction, so that nothing is changed when something differs.
 * @throws TablesDiffer; StoreUnsuitable when the role may not make what is missing.
 */
export async function ensureTables(
  client: pg.PoolClient,
  project: string,
  views: readonly OfflineView[],
  sources: readonly StoredEventSource[],
  isCheckOnly: boolean,
): Promise<TableReport> {
  const schemas = [
    featureSchema(project),
    ...(sources.some(({ table }) => table === null)
      ? [eventSchema(project), eventPartitionSchema(project)]
      : []),
  ]
  const statements = await missingSchemas(client, schemas)
  const problems: Problem[] = []
  const missingColumns: string[] = []
  const ignoredColumns: string[] = []
  const stored = views.filter((view) => view.kind !== 'STREAM')
  const mapped = [
    ...stored.flatMap((view) => mappedView(project, view)),
    ...sources.flatMap((source) => mappedEvents(source)),
  ]
  for (const table of mapped) problems.push(...(await checkMapped(client, table)))
  const wanted = [
    ...stored.filter((view) => view.source === null).map((view) => viewTable(project, view)),
    ...sources.filter(({ table }) => table === null).map((source) => sourceTable(project, source)),
  ]
  for (const table of wanted) {
    const stored = await storedColumns(client, table.table)
    if (stored.length > 0) {
      const missing = missingIn(table, stored)
      for (const { name, definition } of missing) {
        statements.push(`alter table ${table.table} add column ${definition}`)
        missingColumns.push(`${table.table}.${quoteIdentifier(name)}`)
      }
      const ignored = ignorableColumns(table, stored)
      ignoredColumns.push(...describeIgnored(table, ignored, missing))
      problems.push(...differences(table, stored), ...unwritableColumns(table, stored))
    }
    statements.push(...(await missingParts(client, table, stored.length > 0)))
  }
  if (problems.length > 0) throw new TablesDiffer(problems)
  if (!isCheckOnly && statements.length > 0) {
    const lacking = missingRight(await readSession(client), {
      schema: schemas.join('", "'),
      owner: 'featuregraph status',
    })
    for (const statement of statements) await client.query(statement).catch(lacking)
  }
  return { missingColumns, ignoredColumns }
}

/** Statements that make them. Only those: `create schema if not exists` needs a right that nothing else here needs. */
async function missingSchemas(client: pg.PoolClient, schemas: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    'select nspname as name from pg_namespace where nspname = any ($1::text[])',
    [schemas],
  )
  const there = new Set(rows.map(({ name }) => name))
  return schemas
    .filter((schema) => !there.has(schema))
    .map((schema) => `create schema if not exists ${quoteIdentifier(schema)}`)
}

const indexStatement = /^create index if not exists ("(?:[^"]|"")+") [^(]*(\(.*)$/s

/** What an index is over, written by Postgres or here. */
const comparable = (columns: string): string => columns.toLowerCase().replace(/["\s]/g, '')

/**
 * Of the statements that make a table, those that are not done. One that makes an index waits, before it finds the index
 * there, for everyone who is writing to the table: a gateway would not start while a file is imported. An index of another
 * name over the same columns, or more that ride along, will do: the as-of index was not always named by them.
 */
async function missingParts(
  client: pg.PoolClient,
  { table, create }: WantedTable,
  isThere: boolean,
): Promise<string[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    'select relname as name, pg_get_indexdef(oid) as definition from pg_index join pg_class on oid = indexrelid where indrelid = to_regclass($1)',
    [table],
  )
  const indexes = rows.map(({ name }) => quoteIdentifier(name))
  const covered = rows.map(({ definition }) => comparable(definition.slice(definition.indexOf('('))))
  return create
    .filter((statement) => !(isThere && statement.startsWith('create table ')))
    .filter((statement) => {
      const [, name = '', columns = ''] = indexStatement.exec(statement) ?? []
      const wanted = comparable(columns)
      return !indexes.includes(name) && !(wanted !== '' && covered.some((one) => one.startsWith(wanted)))
    })
}

function viewTable(project: string, view: StoredOfflineView): WantedTable {
  return {
    table: managedTable(project, view),
    owner: `feature view "${view.name}"`,
    part: 'feature',
    partNames: view.features.flatMap(({ columns }) => columns.map(({ name }) => name)),
    columns: managedColumns(view),
    create: createTable(project, view),
  }
}

function sourceTable(project: string, source: StoredEventSource): WantedTable {
  return {
    table: eventTable(project, source),
    owner: `event source "${source.name}"`,
    part: 'field',
    partNames: source.fields.map(({ name }) => name),
    columns: eventColumns(source),
    create: createEventTable(project, source),
  }
}

/** Only nullable columns can be added to a table that may hold rows. */
function missingIn({ columns }: WantedTable, stored: readonly StoredColumn[]): readonly ManagedColumn[] {
  return columns.filter((column) => !column.notNull && !stored.some((other) => other.name === column.name))
}

function differences({ table, owner, columns }: WantedTable, stored: readonly StoredColumn[]): Problem[] {
  return columns.flatMap((column): Problem[] => {
    const path = `table ${table}, column ${column.name}`
    const other = stored.find((candidate) => candidate.name === column.name)
    const says = `${owner} says ${column.type}${column.notNull ? ' not null' : ''}`
    if (!other) return column.notNull ? [{ path, message: `${says}, the table has no such column` }] : []
    if (other.type === column.type && other.notNull === column.notNull) return []
    return [{ path, message: `${says}, the table has ${other.type}${other.notNull ? ' not null' : ''}` }]
  })
}

function mappedView(project: string, view: StoredOfflineView): MappedTable[] {
  const { source } = view
  if (source === null) return []
  const column = (name: string): string => source.columns[name] ?? name
  return [
    {
      path: `feature view ${view.name}, source ${source.name}`,
      from: featureTable(project, view).from,
      columns: [
        ...mappedTimes(source.eventTimestamp, source.createdTimestamp ?? null),
        ...(source.rowId === undefined ? [] : [anyColumn(source.rowId, 'the row id')]),
        ...view.entity.joinKeys.map(({ name, type }) =>
          mappedColumn(column(name), `join key "${name}" (${type})`, type),
        ),
        ...view.features.map(({ name, type }) =>
          mappedColumn(column(name), `feature "${name}" (${type})`, type),
        ),
      ],
    },
  ]
}

function mappedEvents(source: StoredEventSource): MappedTable[] {
  if (source.table === null) return []
  return [
    {
      path: `event source ${source.name}`,
      from: quoteTable(source.table),
      columns: [
        ...mappedTimes(source.eventTimestamp, source.createdTimestamp),
        ...(source.eventId === null ? [] : [anyColumn(source.eventId, 'the event id')]),
        ...source.fields.map(({ name, type, column }) =>
          mappedColumn(column, `field "${name}" (${type})`, type),
        ),
      ],
    },
  ]
}

function anyColumn(column: string, meaning: string): MappedColumn {
  return { column, meaning, types: null, digits: null }
}

function mappedTimes(eventTimestamp: string, createdTimestamp: string | null): MappedColumn[] {
  return [
    mappedColumn(eventTimestamp, 'the event timestamp', 'timestamp'),
    ...(createdTimestamp === null
      ? []
      : [mappedColumn(createdTimestamp, 'the created timestamp', 'timestamp')]),
  ]
}

/** A mapped table, view or query is never changed: it must have the columns, with types that convert. */
async function checkMapped(
  client: pg.PoolClient,
  { path, from, columns }: MappedTable,
): Promise<readonly Problem[]> {
  const fields = await mappedColumns(client, from)
  if (typeof fields === 'string') return [{ path, message: `its rows cannot be read: ${fields}` }]
  return columns.flatMap((column) => columnProblems(path, column, fields))
}

/** By name; or what Postgres says against the query. */
async function mappedColumns(
  client: pg.PoolClient,
  from: string,
): Promise<ReadonlyMap<string, ColumnKind> | string> {
  await client.query('savepoint mapped')
  try {
    const { fields } = await client.query(`select * from ${from} as x limit 0`)
    const kinds = await columnKinds(client, fields)
    return new Map(
      fields.flatMap((field, index) => {
        const kind = kinds[index]
        return kind ? [[field.name, kind] as const] : []
      }),
    )
  } catch (error) {
    if (!(error instanceof Error))
      throw new StoreFailed('Postgres failed at reading a mapped source', { cause: error })
    await client.query('rollback to savepoint mapped')
    return error.message
  }
}
