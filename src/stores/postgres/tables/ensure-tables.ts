import type pg from 'pg'
import { type Problem, StoreFailed, TablesDiffer } from '../../../errors.ts'
import type { TableReport } from '../../offline-store.ts'
import type { OfflineView, StoredOfflineView } from '../../offline-view.ts'
import type { StoredEventSource } from '../../stored-event-source.ts'
import type { TableStep } from '../../table-changes.ts'
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
import { missingIndexes } from './missing-indexes.ts'
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

/** What the tables lack, and how they stand otherwise. */
export interface MissingTables {
  readonly report: TableReport
  /** That make what is missing, in order. */
  readonly steps: readonly TableStep[]
  /** For messages. */
  readonly schemas: readonly string[]
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
  const { report, steps, schemas } = await missingTables(client, project, views, sources)
  if (!isCheckOnly && steps.length > 0) {
    const lacking = missingRight(await readSession(client), {
      schema: schemas.join('", "'),
      owner: 'featuregraph apply',
    })
    for (const statement of steps.flatMap(plainStatements)) await client.query(statement).catch(lacking)
  }
  return report
}

/** Within one transaction; indexes keep out who writes meanwhile. */
function plainStatements(step: TableStep): readonly string[] {
  if (step.kind === 'DROP_INDEX') return []
  if (step.kind !== 'INDEX') return step.statements
  return [`create index if not exists ${step.name} on ${step.table} ${step.definition}`]
}

/** Inside the caller's transaction. @throws TablesDiffer naming every difference. */
export async function missingTables(
  client: pg.PoolClient,
  project: string,
  views: readonly OfflineView[],
  sources: readonly StoredEventSource[],
): Promise<MissingTables> {
  const schemas = [
    featureSchema(project),
    ...(sources.some(({ table }) => table === null)
      ? [eventSchema(project), eventPartitionSchema(project)]
      : []),
  ]
  const steps = await missingSchemas(client, schemas)
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
    if (stored.length === 0) {
      steps.push({
        ...{ kind: 'TABLE', what: `table ${table.table}`, table: table.table, statements: table.create },
      })
      continue
    }
    const missing = missingIn(table, stored)
    if (missing.length > 0) steps.push(columnsStep(table.table, missing))
    missingColumns.push(...missing.map(({ name }) => `${table.table}.${quoteIdentifier(name)}`))
    const ignored = ignorableColumns(table, stored)
    ignoredColumns.push(...describeIgnored(table, ignored, missing))
    problems.push(...differences(table, stored), ...unwritableColumns(table, stored))
    steps.push(...(await missingIndexes(client, table)))
  }
  if (problems.length > 0) throw new TablesDiffer(problems)
  return { report: { missingColumns, ignoredColumns }, steps, schemas }
}

/** Only those: `create schema if not exists` needs a right that nothing else here needs. */
async function missingSchemas(client: pg.PoolClient, schemas: readonly string[]): Promise<TableStep[]> {
  const { rows } = await client.query<{ name: string }>(
    'select nspname as name from pg_namespace where nspname = any ($1::text[])',
    [schemas],
  )
  const there = new Set(rows.map(({ name }) => name))
  return schemas
    .filter((schema) => !there.has(schema))
    .map(quoteIdentifier)
    .map((schema) => ({
      ...{ kind: 'SCHEMA', what: `schema ${schema}`, table: null },
      statements: [`create schema if not exists ${schema}`],
    }))
}

/** All at once: each alone would wait for the table's lock. */
function columnsStep(table: string, columns: readonly ManagedColumn[]): TableStep {
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(', ')
  const added = columns.flatMap((column) => column.added)
  return {
    kind: 'COLUMNS',
    what: `${columns.length === 1 ? 'column' : 'columns'} ${names} of ${table}`,
    table,
    statements: [`alter table ${table} ${added.join(', ')}`],
  }
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
  if (source === null || source.kind === 'parquet') return []
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
