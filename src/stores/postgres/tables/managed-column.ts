import { quoteIdentifier } from '../sql/identifier.ts'

/** A column of a table that the store makes. Only nullable ones can be added later. */
export interface ManagedColumn {
  readonly name: string
  /** As `format_type` prints it. */
  readonly type: string
  readonly notNull: boolean
  readonly definition: string
}

export function managedColumn(name: string, type: string, notNull: boolean, rest = ''): ManagedColumn {
  const definition = `${quoteIdentifier(name)} ${type}${notNull ? ' not null' : ''}${rest}`
  return { name, type, notNull, definition }
}
