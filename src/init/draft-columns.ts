import type { FoundColumn, FoundTable } from './found-table.ts'
import { guessName, singular } from './guess-names.ts'
import type { Roles } from './guess-roles.ts'
import { isReservedName } from './reserved-column.ts'

export function columnName(column: FoundColumn, table: FoundTable): string {
  const name = guessName(column.name)
  return isReservedName(name) ? `${singular(guessName(table.name))}_${name}` : name
}

export function usedColumns(roles: Roles): ReadonlySet<FoundColumn | null> {
  return new Set([roles.eventTimestamp, roles.createdTimestamp, roles.eventId, ...roles.entities.flat()])
}

export function createdOf({ createdTimestamp }: Roles): object {
  return createdTimestamp === null ? {} : { createdTimestamp: createdTimestamp.name }
}

export function zoneOf({ columns, origin }: FoundTable, _: Roles): object {
  return origin.kind === 'FILES' && columns.some(({ isLocalTime }) => isLocalTime) ? { timezone: 'UTC' } : {}
}

export function zoneComment(options: object): string[] {
  return 'timezone' in options ? ['Its times have no offset: set the zone that they are in.'] : []
}

export function unmappable({ type, storedType }: FoundColumn): string | null {
  return type === null ? `no feature type reads ${storedType}` : null
}

export function notMapped({ name }: FoundColumn, reason: string): string {
  return `Not mapped: ${name}: ${reason}`
}
