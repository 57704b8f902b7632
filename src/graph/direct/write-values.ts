import type { EntityKey, Value } from '../../definitions/value.ts'
import type { JsonBytes } from '../../online/json/json-bytes.ts'
import { longestNumber, writeDouble } from '../../online/json/number-text.ts'

/** Numbers as a list: `count` of them from a place. */
export function writeNumbers(numbers: Float64Array, from: number, count: number, out: JsonBytes): void {
  out.room(2 + count * (longestNumber + 1))
  const { bytes } = out
  let at = out.at
  bytes[at] = 91
  at += 1
  for (let index = from; index < from + count; index += 1) {
    const number = numbers[index] ?? 0
    if (index > from) {
      bytes[at] = 44
      at += 1
    }
    if (number - number === 0) at = writeDouble(bytes, at, number)
    else out.hasFailed = true
  }
  bytes[at] = 93
  out.at = at + 1
}

export function writeTexts(texts: readonly string[], out: JsonBytes): void {
  out.list(texts, (text) => out.text(text))
}

/** A key's part of any type. */
export function writeKeyValue(value: EntityKey[number] | undefined, out: JsonBytes): void {
  if (typeof value === 'number') out.number(value)
  else if (value === undefined) out.raw('null')
  else out.text(value)
}

/** What a row or a service's columns answer under a GraphQL name. */
export function propertyOf<T = Value | null>(answered: object, name: string): T {
  return (answered as Readonly<Record<string, T>>)[name] as T
}
