import { createHash } from 'node:crypto'
import type { Value } from '../definitions/value.ts'
import type { ScalarType, ValueType } from '../definitions/value-type.ts'
import type { EventKeys } from './event-store.ts'

interface NamedType {
  readonly name: string
  readonly type: ValueType | ScalarType
}

/**
 * Whether rows with these fields (a view's join keys, an event source's fields) are about an entity with these join keys:
 * they have all of them, by name and type. What is deleted of the entity is then deleted of the rows.
 */
export function concernsEntity(fields: readonly NamedType[], joinKeys: EventKeys): boolean {
  return joinKeys.every(({ name, type }) =>
    fields.some((field) => field.name === name && field.type === type),
  )
}

/**
 * An entity key in the one form that Postgres can make too, `customer_id:4:1001,`: per join key its name, how many bytes of
 * UTF-8 its value has, its value. Null where a value is missing.
 */
export function deletionText(joinKeys: EventKeys, values: readonly (Value | null)[]): string | null {
  let text = ''
  for (const [place, { name }] of joinKeys.entries()) {
    const value = values[place] ?? null
    if (value === null) return null
    const part = String(value)
    text += `${name}:${Buffer.byteLength(part)}:${part},`
  }
  return text
}

/** In hex. No length extension can do harm: a text tells its own lengths, and digests are shown to nobody. */
export function deletionDigest(secret: Uint8Array, text: string): string {
  return createHash('sha256').update(secret).update(text).digest('hex')
}
