import type { ScalarType, ValueType } from './value-type.ts'

interface NamedType {
  readonly name: string
  readonly type: ValueType | ScalarType
}

/**
 * Whether rows with these fields (a view's join keys, an event source's fields) are about an entity with these join keys:
 * they have all of them, by name and type. What is deleted of the entity is then deleted of the rows.
 */
export function concernsEntity(fields: readonly NamedType[], joinKeys: readonly NamedType[]): boolean {
  return joinKeys.every(({ name, type }) =>
    fields.some((field) => field.name === name && field.type === type),
  )
}
