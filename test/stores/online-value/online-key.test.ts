import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EntityKey, KeyValue } from '../../../src/definitions/value.ts'
import { onlineKeyPrefix, onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'

const odd = fc
  .array(fc.constantFrom('%', ',', '{', '}', '2', '5', 'c', 'a', '', '25', '2c', '7b', '7d'), {
    maxLength: 5,
  })
  .map((parts) => parts.join(''))
const text: fc.Arbitrary<KeyValue> = fc.oneof(odd, fc.string({ unit: 'binary', maxLength: 6 }))
const number: fc.Arbitrary<KeyValue> = fc.oneof(fc.integer({ min: -12, max: 112 }), fc.maxSafeInteger())
/** int64 in canonical form: a number while it is safe, else its decimal string. */
const int64: fc.Arbitrary<KeyValue> = fc.oneof(
  number,
  fc.constantFrom<KeyValue>('9007199254740993', '-9223372036854775808'),
)

/** Two keys of one entity: of the same length and the same types. */
const twoKeys = fc
  .array(fc.constantFrom(text, number, int64), { minLength: 1, maxLength: 4 })
  .chain((types) => fc.tuple(fc.tuple(...types), fc.tuple(...types)))

/** What Redis Cluster hashes: between the first { and the first } after it. */
function hashTag(key: string): string {
  const start = key.indexOf('{')
  return key.slice(start + 1, key.indexOf('}', start + 1))
}

function same(left: EntityKey, right: EntityKey): boolean {
  return left.every((part, index) => part === right[index])
}

describe('the end of an online key', () => {
  it('differs for any two entity keys of one entity', () => {
    fc.assert(
      fc.property(twoKeys, ([left, right]) => {
        expect(onlineKeySuffix(left) === onlineKeySuffix(right)).toBe(same(left, right))
      }),
      { numRuns: 3_000 },
    )
  })

  it('never runs into the next part: of random parts over few odd characters no two keys meet', () => {
    const parts = ['', '%', ',', '{', '}', '%,', ',%', '%25', '%2c', ',,', 'a']
    const keys = parts.flatMap((a) => [
      [a],
      ...parts.flatMap((b) => [[a, b], ...parts.map((c) => [a, b, c])]),
    ])
    // One to three parts: an entity has one number of join keys, but nothing depends on it.
    expect(new Set(keys.map(onlineKeySuffix)).size).toBe(keys.length)
  })

  it('is one hash tag, never an empty one, so that all views of an entity share a slot', () => {
    fc.assert(
      fc.property(twoKeys, ([key]) => {
        const suffix = onlineKeySuffix(key)
        expect(suffix).toMatch(/^\{[^{}]+\}$/s)
        const whole = onlineKeyPrefix('p', 'v') + suffix
        expect(hashTag(whole)).toBe(suffix.slice(1, -1))
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    [[1001], '{1001}'],
    [[-5], '{-5}'],
    [['9223372036854775807'], '{9223372036854775807}'],
    [[12, 'eu'], '{12,eu}'],
    [[''], '{%}'],
    [['', ''], '{%,%}'],
    [['a,b'], '{a%2cb}'],
    [['{%}'], '{%7b%25%7d}'],
    [['ä😀'], '{ä😀}'],
  ] as const)('of %j is %s', (key, suffix) => {
    // Stored rows stand under it: a change here loses every one of them.
    expect(onlineKeySuffix(key)).toBe(suffix)
  })
})

describe('the front of an online key', () => {
  it('is short, and tells projects and views apart', () => {
    expect(onlineKeyPrefix('default', 'customer_transaction_features')).toMatch(/^f:[\w-]{4}:$/)
    const prefixes = [
      ['a', 'b'],
      ['b', 'a'],
      ['a', 'bc'],
      ['ab', 'c'],
      ['', 'abc'],
    ].map(([project = '', view = '']) => onlineKeyPrefix(project, view))
    expect(new Set(prefixes).size).toBe(5)
  })

  it('never changes for a project and a view, as stored rows stand under it', () => {
    expect(onlineKeyPrefix('default', 'customer_transaction_features')).toBe('f:MFcx:')
  })
})
