import { createHash } from 'node:crypto'
import type { Value } from '../../../definitions/value.ts'
import type { EventKeys } from '../../stored-event-source.ts'

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

/** In hex. No length extension can do harm: a text states its own lengths, and digests are shown to nobody. */
export function deletionDigest(secret: Uint8Array, text: string): string {
  return createHash('sha256').update(secret).update(text).digest('hex')
}
