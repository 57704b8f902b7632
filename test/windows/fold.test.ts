import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fold } from '../../src/windows/fold.ts'

type Values = readonly (number | null)[]

/** Small dyadic numbers: their sums are exact, so that the order of adding does not matter. */
const values = fc.array(fc.option(fc.integer({ min: -4_000, max: 4_000 }).map((whole) => whole / 8)), {
  maxLength: 30,
})

/** Each aggregate in another way than the program's: sorting, counting down, sets of text. */
const bruteForce = {
  count: (all: Values) => all.length,
  sum: (all: Values) => {
    let total = 0
    for (const value of all) total += value ?? 0
    return total
  },
  mean: (all: Values) => {
    const known = sorted(all)
    return known.length === 0 ? null : bruteForce.sum(all) / known.length
  },
  min: (all: Values) => sorted(all)[0] ?? null,
  max: (all: Values) => sorted(all).at(-1) ?? null,
  countDistinct: (all: Values) => {
    const known = sorted(all)
    return known.filter((value, index) => value !== known[index - 1]).length
  },
}

function sorted(all: Values): readonly number[] {
  return all.flatMap((value) => (value === null ? [] : [value])).sort((a, b) => a - b)
}

const aggregates = ['count', 'sum', 'mean', 'min', 'max', 'countDistinct'] as const

describe('a fold of a window', () => {
  it.each(aggregates)('is what %s means by definition', (aggregate) => {
    fc.assert(
      fc.property(values, (all) => {
        expect(fold[aggregate](all)).toEqual(bruteForce[aggregate](all))
      }),
    )
  })

  it.each([
    ['count', 0],
    ['sum', 0],
    ['mean', null],
    ['min', null],
    ['max', null],
    ['countDistinct', 0],
  ] as const)('of no events is, for %s, %s', (aggregate, empty) => {
    expect(fold[aggregate]([])).toBe(empty)
  })

  it.each([
    ['count', 2],
    ['sum', 0],
    ['mean', null],
    ['min', null],
    ['max', null],
    ['countDistinct', 0],
  ] as const)(
    'of nulls only is, for %s, %s: count counts events, the others values',
    (aggregate, expected) => {
      expect(fold[aggregate]([null, null])).toBe(expected)
    },
  )

  it('tells texts apart and counts an empty one', () => {
    expect(fold.countDistinct(['a', '', 'a', null, 'b'])).toBe(3)
  })
})
