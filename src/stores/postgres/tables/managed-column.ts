import { quoteIdentifier } from '../sql/identifier.ts'

/** A column of a table that the store makes. Only nullable ones can be added later. */
export interface ManagedColumn {
  readonly name: string
  /** As `format_type` prints it. */
  readonly type: string
  readonly notNull: boolean
  readonly definition: string
  /** Parts of an ALTER TABLE that add it: its default behind it, which would be evaluated for the rows that are there. */
  readonly added: readonly string[]
}

export function managedColumn(name: string, type: string, notNull: boolean, rest = ''): ManagedColumn {
  const column = `${quoteIdentifier(name)} ${type}${notNull ? ' not null' : ''}`
  const added = [
    `add column if not exists ${column}`,
    ...(rest === '' ? [] : [`alter column ${quoteIdentifier(name)} set${rest}`]),
  ]
  return { name, type, notNull, definition: `${column}${rest}`, added }
}
