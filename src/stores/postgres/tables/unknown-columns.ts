import type { Problem } from '../../../errors.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import type { ManagedColumn } from './managed-column.ts'
import type { StoredColumn } from './stored-columns.ts'

/** A table that the store creates, and the definition that it belongs to. */
export interface WantedTable {
  readonly table: string
  /** `feature view "trips"` */
  readonly owner: string
  readonly part: 'feature' | 'field'
  /** Of its features or fields, each a column. */
  readonly partNames: readonly string[]
  readonly columns: readonly ManagedColumn[]
  readonly create: readonly string[]
}

/**
 * Columns that the definition does not name and that rows can be written without. They are ignored, so that a definition
 * can be taken back: what it had added stays, and is used again when the definition comes again.
 */
export function ignorableColumns(
  { columns }: WantedTable,
  stored: readonly StoredColumn[],
): readonly StoredColumn[] {
  return stored.filter((one) => isUnknown(columns, one) && (!one.notNull || one.hasDefault))
}

/** Columns that the definition does not name and without which Postgres would refuse every row. */
export function unwritableColumns(
  { table, owner, columns }: WantedTable,
  stored: readonly StoredColumn[],
): readonly Problem[] {
  return stored
    .filter((one) => isUnknown(columns, one) && one.notNull && !one.hasDefault)
    .map(({ name, type }) => {
      const alter = `alter table ${table} alter column ${quoteIdentifier(name)} drop not null`
      return {
        path: `table ${table}, column ${name}`,
        message: `the table has ${type} not null without a default, ${owner} has no such column, so no row could be written; put it back, or have the column ignored: ${alter}`,
      }
    })
}

/**
 * A line for the columns of a table that are ignored; none where there are none. A column that is ignored beside one
 * that is missing looks like a rename where they are the only ones of their type.
 */
export function describeIgnored(
  wanted: WantedTable,
  ignored: readonly StoredColumn[],
  missing: readonly ManagedColumn[],
): readonly string[] {
  if (ignored.length === 0) return []
  const named = ignored.map(({ name, type }) => `${name} (${type})`).join(', ')
  const renames = missing
    .filter(({ name }) => wanted.partNames.includes(name))
    .flatMap((fresh, _, parts) => {
      const before = ignored.filter(({ type }) => type === fresh.type)
      const [from] = before
      if (from === undefined || before.length > 1) return []
      if (parts.filter(({ type }) => type === fresh.type).length > 1) return []
      return [describeRename(wanted, from.name, fresh.name)]
    })
  return [[`${wanted.table}: ${named}, not in ${wanted.owner}`, ...renames].join('; ')]
}

/** By the time that the line is read, the new column has been added and holds the name. */
function describeRename({ table, part }: WantedTable, from: string, to: string): string {
  const suspicion = `${from} → ${to} looks like a rename: the new column is empty; to take the values along`
  if (part === 'feature')
    return `${suspicion}, go back to the version before (\`featuregraph rollback\`) and give the feature \`renamedFrom: '${from}'\``
  const [quotedFrom, quotedTo] = [from, to].map(quoteIdentifier)
  const remedy = `begin; alter table ${table} drop column ${quotedTo}; alter table ${table} rename column ${quotedFrom} to ${quotedTo}; commit`
  return `${suspicion}: ${remedy}; or keep the name "${from}" and say under \`columns\` what messages and files call it`
}

function isUnknown(columns: readonly ManagedColumn[], stored: StoredColumn): boolean {
  return !columns.some(({ name }) => name === stored.name)
}
