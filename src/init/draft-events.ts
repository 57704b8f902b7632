import { type EventSourceDefinition, eventSource } from '../definitions/event-source.ts'
import { elementType } from '../definitions/value-type.ts'
import { type Drafted, plainValue } from './draft.ts'
import {
  columnName,
  createdOf,
  notMapped,
  unmappable,
  usedColumns,
  zoneComment,
  zoneOf,
} from './draft-columns.ts'
import { type Entities, entityName, joinKeyOf } from './draft-entities.ts'
import { draftWindows } from './draft-windows.ts'
import type { FoundColumn } from './found-table.ts'
import { constantName, guessName } from './guess-names.ts'
import type { PlacedTable, Refused } from './placed-table.ts'
import { unusedName } from './unused-name.ts'

/** An event source, and a windowed view for every entity that its events are of. */
export function draftEvents(
  { table, roles }: PlacedTable,
  entities: Entities,
  names: Set<string>,
  refused: Refused,
): Drafted[] {
  const name = unusedName(guessName(table.name), names)
  const { eventId } = roles
  const comments = [`Guessed to be events: ${roles.because}. If its rows are features, write a featureView.`]
  const used = usedColumns(roles)
  const fields: Record<string, unknown> = {}
  const columns: Record<string, string> = {}
  const aggregated: FoundColumn[] = []
  for (const column of table.columns) {
    const keys = roles.entities.find((columns) => columns.includes(column))
    if (used.has(column) && !keys) continue
    const key = keys && joinKeyOf(entities, keys, column, table)
    const field = key?.name ?? columnName(column, table)
    const reason =
      refused.get(`event source ${name}.${field}`) ??
      (column.type !== null && elementType(column.type) !== null
        ? 'an event has no lists'
        : unmappable(column))
    if (reason !== null) {
      comments.push(notMapped(column, reason))
      continue
    }
    const type = key?.type ?? column.type
    fields[field] = column.description === null ? type : { type, description: column.description }
    if (field !== column.name) columns[field] = column.name
    if (!key) aggregated.push(column)
  }
  const options = {
    ...(table.origin.kind === 'TABLE' ? { table: table.origin.table } : {}),
    eventTimestamp: roles.eventTimestamp.name,
    ...createdOf(roles),
    ...(eventId !== null && table.origin.kind === 'FILES' ? { eventId: eventId.name } : {}),
    ...zoneOf(table, roles),
    ...(Object.keys(columns).length > 0 ? { columns } : {}),
    fields,
    ...(table.description === null ? {} : { description: table.description }),
  }
  const source: EventSourceDefinition = eventSource(
    name,
    plainValue(options) as Parameters<typeof eventSource>[1],
  )
  const constant = constantName(name)
  const drafted = {
    writer: 'eventSource',
    name,
    constant,
    options,
    comments: [...comments, ...zoneComment(options)],
  } as const
  const views = roles.entities.map((keys) => {
    const of = entities.get(entityName(keys, table))
    return draftWindows({ ...drafted, definition: source, table }, of, aggregated, table, names, refused)
  })
  return [{ ...drafted, definition: source, table }, ...views.flat()]
}
