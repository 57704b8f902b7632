import { fileSource, postgresSource } from '../definitions/data-source.ts'
import { featureView } from '../definitions/feature-view.ts'
import { Code, type Drafted, NamedCall, plainValue } from './draft.ts'
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
import { constantName, guessName, singular } from './guess-names.ts'
import type { PlacedTable, Refused } from './placed-table.ts'
import { unusedName } from './unused-name.ts'

/** A feature view over the table's or the files' own rows. */
export function draftRows(
  { table, roles }: PlacedTable,
  entities: Entities,
  names: Set<string>,
  refused: Refused,
): Drafted[] {
  const [keys = []] = roles.entities
  const of = entities.get(entityName(keys, table))
  if (!of) return []
  const bare = guessName(table.name)
  const name = unusedName(singular(bare) === of.name ? `${of.name}_features` : bare, names)
  const comments = [
    `Guessed to be rows of features: ${roles.because}. If they are events, write an eventSource.`,
  ]
  const used = usedColumns(roles)
  const features: Record<string, unknown> = {}
  const columns: Record<string, string> = {}
  for (const key of keys) {
    const joinKey = joinKeyOf(entities, keys, key, table)
    if (joinKey.name !== key.name) columns[joinKey.name] = key.name
  }
  for (const column of table.columns) {
    if (used.has(column)) continue
    const feature = columnName(column, table)
    const reason = refused.get(`feature view ${name}.${feature}`) ?? unmappable(column)
    if (reason !== null) {
      comments.push(notMapped(column, reason))
      continue
    }
    const { type, description } = column
    features[feature] = description === null ? type : { type, description }
    if (feature !== column.name) columns[feature] = column.name
  }
  const at = {
    eventTimestamp: roles.eventTimestamp.name,
    ...createdOf(roles),
    ...(table.origin.kind === 'FILES' ? zoneOf(table, roles) : {}),
    ...(Object.keys(columns).length > 0 ? { columns } : {}),
  }
  const source =
    table.origin.kind === 'TABLE'
      ? call('postgresSource', name, { table: table.origin.table, ...at }, postgresSource)
      : call('fileSource', name, at, fileSource)
  const options = {
    entity: new Code(of.constant, of.definition),
    source,
    features,
    ...(table.description === null ? {} : { description: table.description }),
  }
  const definition = featureView(name, plainValue(options) as Parameters<typeof featureView>[1])
  const constant = constantName(name)
  return [
    {
      writer: 'featureView',
      name,
      constant,
      options,
      comments: [...comments, ...zoneComment(at)],
      definition,
      table,
    },
  ]
}

function call<Options>(
  writer: string,
  name: string,
  options: Options,
  make: (name: string, options: Options) => object,
): Code {
  const value = make(name, options)
  return new NamedCall(writer, name, options, value)
}
