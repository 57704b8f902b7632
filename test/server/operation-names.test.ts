import { expect, it } from 'vitest'
import { operationNames } from '../../src/server/operation-names.ts'

function names(max: number, trusted: readonly string[] = []) {
  const evicted: string[] = []
  const { label } = operationNames({ trusted, max, onEvict: (name) => evicted.push(name) })
  return { label, evicted }
}

it('keeps the names that are in use, however many others come once', () => {
  const { label, evicted } = names(3)
  for (let use = 0; use < 5; use += 1) for (const name of ['A', 'B', 'C']) expect(label(name)).toBe(name)
  for (let index = 0; index < 10_000; index += 1) expect(label(`once${index}`)).toBe('other')
  expect([['A', 'B', 'C'].map(label), evicted]).toEqual([['A', 'B', 'C'], []])
})

it('gives the place of the least used to a name that is used more', () => {
  const { label, evicted } = names(2)
  for (const name of ['A', 'A', 'A', 'old']) label(name)
  expect(['new', 'new', 'new'].map(label)).toEqual(['other', 'new', 'new'])
  expect(evicted).toEqual(['old'])
  expect([label('A'), label('old')]).toEqual(['A', 'other'])
})

it('forgets uses of long ago, so that what is in use now has a name', () => {
  const { label, evicted } = names(1)
  for (let use = 0; use < 9_999; use += 1) label('before')
  let uses = 0
  while (label('now') === 'other') uses += 1
  expect(uses).toBeGreaterThan(100)
  expect([evicted, label('now'), label('before')]).toEqual([['before'], 'now', 'other'])
})

it('counts trusted operations always, and never those without a name or with a long one', () => {
  const { label } = names(1, ['Score'])
  for (let index = 0; index < 100; index += 1) label('flood')
  const long = 'x'.repeat(101)
  expect([label('Score'), label(null), label(long)]).toEqual(['Score', 'anonymous', 'other'])
})
