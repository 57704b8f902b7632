import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { comparison, type SortColumn, sortedOrder } from '../../../src/historical/training/sorted-order.ts'

const safe = fc.maxSafeInteger()
const near = fc.integer({ min: -3, max: 3 })
const times = fc.integer({ min: 1_700_000_000_000_000, max: 1_800_000_000_000_000 })

/** Columns of the same length: of few values, of times, of all integers, and of text. */
const columns = fc.integer({ min: 0, max: 200 }).chain((rows) => {
  const numbers = fc
    .oneof(near, times, safe)
    .chain((first) =>
      fc.array(fc.oneof(near, times, safe, fc.constant(first)), { minLength: rows, maxLength: rows }),
    )
  const of = (item: fc.Arbitrary<number>) => fc.array(item, { minLength: rows, maxLength: rows })
  const typed = fc.oneof(of(near), of(times), of(safe), numbers).map((list) => Float64Array.from(list))
  const text = fc.array(fc.oneof(fc.string({ maxLength: 2 }), near), { minLength: rows, maxLength: rows })
  const column: fc.Arbitrary<SortColumn> = fc.oneof({ arbitrary: typed, weight: 4 }, text)
  return fc.tuple(fc.constant(rows), fc.array(column, { minLength: 1, maxLength: 3 }))
})

describe('the order of entity rows', () => {
  it('is that of comparing column by column, equal rows by their places, for integers of any size and for text', () => {
    fc.assert(
      fc.property(columns, ([rows, given]) => {
        const compare = comparison(given)
        const expected = Array.from({ length: rows }, (_, row) => row).sort(compare)
        expect([...sortedOrder(rows, given)]).toEqual(expected)
        expect([...sortedOrder(rows, given, 0)]).toEqual(expected)
      }),
      { numRuns: 300 },
    )
  })
})
