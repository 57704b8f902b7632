import type pg from 'pg'
import { type Problem, StoreFailed, TablesDiffer } from '../../errors.ts'
import type { OfflineView } from '../offline-store.ts'
import { mappableTypes } from './column-type.ts'
import { createTable, featureSchema, featureTable, managedColumns, managedTable } from './feature-table.ts'
import { quoteIdentifier } from './identifier.ts'

interface StoredColumn {
  readonly name: string
  readonly type: string
  readonly notNull: boolean
}

/**
 * Statements that make what is missing, or every difference that cannot be made good. Runs inside the caller's
 * transaction, so that nothing is changed when something differs.
 * @throws TablesDiffer
 */
export async function ensureTables(
  client: pg.PoolClient,
  project: string,
  views: readonly OfflineView[],
): Promise<void> {
  const statements = [`create schema if not exists ${quoteIdentifier(featureSchema(project))}`]
  const problems: Problem[] = []
  for (const view of views) {
    if (view.source !== null) {
      problems.push(...(await checkMapped(client, project, view)))
      continue
    }
    const table = managedTable(project, view)
    const stored = await storedColumns(client, table)
    if (stored.length > 0) {
      statements.push(...missingColumns(table, view, stored))
      problems.push(...differences(table, view, stored))
    }
    statements.push(...createTable(project, view))
  }
  if (problems.length > 0) throw new TablesDiffer(problems)
  for (const statement of statements) await client.query(statement)
}

async function storedColumns(client: pg.PoolClient, table: string): Promise<StoredColumn[]> {
  const result = await client.query<StoredColumn>(
    `select attname as name, format_type(atttypid, atttypmod) as type, attnotnull as "notNull"
     from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`,
    [table],
  )
  return result.rows
}

function missingColumns(table: string, view: OfflineView, stored: readonly StoredColumn[]): string[] {
  return managedColumns(view)
    .filter((column) => !column.notNull && !stored.some((other) => other.name === column.name))
    .map((column) => `alter table ${table} add column ${column.definition}`)
}

function differences(table: string, view: OfflineView, stored: readonly StoredColumn[]): Problem[] {
  const wanted = managedColumns(view)
  const place = (column: string): string => `table ${table}, column ${column}`
  const wrong = wanted.flatMap((column): Problem[] => {
    const other = stored.find((candidate) => candidate.name === column.name)
    const says = `feature view "${view.name}" says ${column.type}${column.notNull ? ' not null' : ''}`
    if (!other) {
      return column.notNull
        ? [{ path: place(column.name), message: `${says}, the table has no such column` }]
        : []
    }
    if (other.type === column.type && other.notNull === column.notNull) return []
    return [
      {
        path: place(column.name),
        message: `${says}, the table has ${other.type}${other.notNull ? ' not null' : ''}`,
      },
    ]
  })
  const unknown = stored
    .filter((column) => !wanted.some((other) => other.name === column.name))
    .map((column): Problem => {
      const message = `the table has ${column.type}, feature view "${view.name}" has no such feature; put it back or drop the column`
      return { path: place(column.name), message }
    })
  return [...wrong, ...unknown]
}

/** A mapped table, view or query is never changed: it must have the columns, with types that convert. */
async function checkMapped(client: pg.PoolClient, project: string, view: OfflineView): Promise<Problem[]> {
  const { source } = view
  if (source === null) return []
  const path = `feature view ${view.name}, source ${source.name}`
  const fields = await mappedColumns(client, featureTable(project, view).from)
  if (typeof fields === 'string') return [{ path, message: `its rows cannot be read: ${fields}` }]
  const problems: Problem[] = []
  const expect = (column: string, meaning: string, types: readonly string[] | null): void => {
    const field = fields.get(column)
    if (field === undefined) {
      const message = `${meaning} is mapped to column "${column}", which is not there; it has ${[...fields.keys()].join(', ')}`
      problems.push({ path, message })
    } else if (types !== null && !types.includes(field)) {
      problems.push({
        path,
        message: `${meaning} needs one of ${types.join(', ')}; column "${column}" has ${field}`,
      })
    }
  }
  const times = mappableTypes('timestamp')
  expect(source.eventTimestamp, 'the event timestamp', times)
  if (source.createdTimestamp !== undefined) expect(source.createdTimestamp, 'the created timestamp', times)
  if (source.rowId !== undefined) expect(source.rowId, 'the row id', null)
  for (const key of view.entity.joinKeys) {
    expect(
      source.columns[key.name] ?? key.name,
      `join key "${key.name}" (${key.type})`,
      mappableTypes(key.type),
    )
  }
  for (const feature of view.features) {
    expect(
      source.columns[feature.name] ?? feature.name,
      `feature "${feature.name}" (${feature.type})`,
      mappableTypes(feature.type),
    )
  }
  return problems
}

/** Name → type without its length or precision; or what Postgres says against the query. */
async function mappedColumns(client: pg.PoolClient, from: string): Promise<Map<string, string> | string> {
  await client.query('savepoint mapped')
  try {
    const { fields } = await client.query(`select * from ${from} as x limit 0`)
    const { rows } = await client.query<{ type: string }>(
      'select format_type(t.oid, null) as type from unnest($1::oid[]) with ordinality as t(oid, place) order by place',
      [fields.map((field) => field.dataTypeID)],
    )
    return new Map(fields.map((field, index) => [field.name, rows[index]?.type ?? 'unknown']))
  } catch (error) {
    if (!(error instanceof Error))
      throw new StoreFailed('Postgres failed at reading a mapped source', { cause: error })
    await client.query('rollback to savepoint mapped')
    return error.message
  }
}
