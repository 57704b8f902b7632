import {
  acceptKeyValue,
  acceptValue,
  type EntityKey,
  type KeyValue,
  type Value,
} from '../definitions/value.ts'
import { BadUserInput } from '../errors.ts'
import type { JoinKey, RequestValue } from '../registry/registry.ts'
import { suggest } from '../registry/suggest.ts'

/** A key as tests write it, by registry name; of a service also its request values. */
export type OfferedKey = Readonly<Record<string, unknown>>

/** What a key may hold, and what it is of, for messages. */
interface KeyParts {
  readonly of: string
  readonly joinKeys: readonly JoinKey[]
  readonly requests: readonly RequestValue[]
}

export interface ReadKey {
  readonly key: EntityKey
  /** In the order of the service's request values. */
  readonly requests: readonly (Value | null)[]
}

/** @throws BadUserInput naming what is missing, does not fit or is unknown, and the place of the key. */
export function readKey({ of, joinKeys, requests }: KeyParts, offered: OfferedKey, place: number): ReadKey {
  const refuse = (name: string, problem: string): never => {
    throw new BadUserInput(`keys[${place}].${name}: ${problem}`)
  }
  const known = [...joinKeys, ...requests].map(({ name }) => name)
  for (const name of Object.keys(offered))
    if (!known.includes(name)) refuse(name, `${of} takes no such key; ${suggest(name, known)}`)
  const key = joinKeys.map(({ name, type }): KeyValue => {
    const outcome = acceptKeyValue(type, offered[name])
    return outcome.ok ? outcome.value : refuse(name, `expected ${outcome.expected}`)
  })
  const values = requests.map(({ name, type, optional }): Value | null => {
    if (offered[name] === undefined && !optional)
      return refuse(name, 'expected a value: a request value without a default is always sent')
    const outcome = acceptValue(type, offered[name])
    return outcome.ok ? outcome.value : refuse(name, `expected ${outcome.expected}`)
  })
  return { key, requests: values }
}
