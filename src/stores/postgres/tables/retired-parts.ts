import type pg from 'pg'
import type { RetiredColumns, RetiredPart, TableStep } from '../../table-changes.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { createTable, featureSchema, managedTable } from './feature-table.ts'
import { missingIndexes } from './missing-indexes.ts'
import { storedColumns } from './stored-columns.ts'

/** The tables of removed views that are there. */
export async function retiredTables(
  client: pg.PoolClient,
  project: string,
  viewIds: readonly string[],
): Promise<readonly RetiredPart[]> {
  const parts: RetiredPart[] = []
  for (const id of viewIds) {
    const table = `${quoteIdentifier(featureSchema(project))}.${quoteIdentifier(id)}`
    if ((await storedColumns(client, table)).length === 0) continue
    const { rows } = await client.query<{ count: string }>(`select count(*) as count from ${table}`)
    const what = `table ${table}`
    parts.push({
      ...{ what, owner: `removed feature view "${id}"` },
      ...{ count: Number(rows[0]?.count), counted: 'rows' },
      steps: [{ kind: 'DROP_TABLE', what, table, statements: [`drop table if exists ${table}`] }],
    })
  }
  return parts
}

/** The columns of removed features that are there. The first has the steps for all of them: each waits for the table's lock. */
export async function retiredColumns(
  client: pg.PoolClient,
  project: string,
  { view, columns }: RetiredColumns,
): Promise<readonly RetiredPart[]> {
  if (view.kind === 'STREAM' || view.source !== null) return []
  const table = managedTable(project, view)
  const stored = new Set((await storedColumns(client, table)).map(({ name }) => name))
  const there = columns.filter((name) => stored.has(name))
  if (there.length === 0) return []
  const quoted = there.map(quoteIdentifier)
  const counted = quoted.map((column, index) => `count(${column}) as c${index}`).join(', ')
  const { rows } = await client.query<Record<string, string>>(`select ${counted} from ${table}`)
  // Postgres drops an index with any of its columns, also one that only rides along.
  const indexes = await missingIndexes(client, { table, create: createTable(project, view) }, there)
  const what = `${there.length === 1 ? 'column' : 'columns'} ${quoted.join(', ')} of ${table}`
  const drops = quoted.map((column) => `drop column if exists ${column}`).join(', ')
  const steps: readonly TableStep[] = [
    ...indexes,
    { kind: 'DROP_COLUMNS', what, table, statements: [`alter table ${table} ${drops}`] },
  ]
  return quoted.map((column, index) => ({
    ...{ what: `column ${column} of ${table}`, owner: `removed from feature view "${view.name}"` },
    ...{ count: Number(rows[0]?.[`c${index}`]), counted: 'values', steps: index === 0 ? steps : [] },
  }))
}
