import { type EntityDefinition, entity } from '../definitions/entity.ts'
import type { JoinKeyType } from '../definitions/value-type.ts'
import type { Drafted } from './draft.ts'
import type { FoundColumn, FoundTable } from './found-table.ts'
import { constantName, guessName, singular } from './guess-names.ts'
import type { PlacedTable } from './placed-table.ts'

export type Entities = ReadonlyMap<string, Drafted>

/** What a column calls a join key: `id` of `customers` is `customer_id`. */
function calledKey(column: FoundColumn, table: FoundTable): string {
  const name = guessName(column.name)
  return ['id', 'key', 'uuid'].includes(name) ? `${singular(guessName(table.name))}_${name}` : name
}

export function entityName(columns: readonly FoundColumn[], table: FoundTable): string {
  const [only] = columns
  if (columns.length !== 1 || !only) return singular(guessName(table.name))
  return calledKey(only, table).replace(/_(?:id|key|uuid)$/, '')
}

/**
 * By name. Tables that call the one key of an entity otherwise (`customer`, `customer_id`) have the name that says that it is
 * a key. Where they have it as int32 and int64, both are read as int64, and other types as a text.
 */
export function draftEntities(placed: readonly PlacedTable[]): Entities {
  const types = new Map<string, ReadonlyMap<string, JoinKeyType>>()
  for (const { table, roles } of placed) {
    for (const columns of roles.entities) {
      const name = entityName(columns, table)
      const keys = new Map(types.get(name))
      for (const column of columns) {
        const key = calledKey(column, table)
        keys.set(key, widest(keys.get(key), column.type as JoinKeyType))
      }
      types.set(name, columns.length === 1 ? oneKey(keys) : keys)
    }
  }
  return new Map(
    [...types].map(([name, keys]) => {
      const options = { joinKeys: Object.fromEntries(keys) }
      const draft = { writer: 'entity', name, constant: constantName(name), options, comments: [] } as const
      return [name, { ...draft, definition: entity(name, options), table: null }]
    }),
  )
}

function oneKey(keys: ReadonlyMap<string, JoinKeyType>): ReadonlyMap<string, JoinKeyType> {
  const names = [...keys.keys()]
  const name = names.find((one) => /_(?:id|key|uuid)$/.test(one)) ?? names[0] ?? ''
  return new Map([[name, [...keys.values()].reduce(widest)]])
}

function widest(left: JoinKeyType | undefined, right: JoinKeyType): JoinKeyType {
  if (left === undefined || left === right) return right
  return [left, right].some((type) => type === 'string' || type === 'uuid') ? 'string' : 'int64'
}

/** The join key that a column of these holds, by the entity's name for it, and its type there. */
export function joinKeyOf(
  entities: Entities,
  columns: readonly FoundColumn[],
  column: FoundColumn,
  table: FoundTable,
): { readonly name: string; readonly type: unknown } {
  const of = entities.get(entityName(columns, table))
  const keys = Object.entries((of?.definition as EntityDefinition | undefined)?.joinKeys ?? {})
  const called = calledKey(column, table)
  const [name, type] = (columns.length === 1 ? keys[0] : keys.find(([one]) => one === called)) ?? []
  return { name: name ?? called, type: type ?? column.type }
}
