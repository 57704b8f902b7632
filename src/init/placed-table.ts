import type { FoundTable } from './found-table.ts'
import type { Roles } from './guess-roles.ts'

/** A table with what its rows are of. */
export interface PlacedTable {
  readonly table: FoundTable
  readonly roles: Roles
}

/** A feature or field that must not be drafted: `feature view customers.mood`, with the reason. */
export type Refused = ReadonlyMap<string, string>
