import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { slideDistinct, slideWindows } from '../../src/windows/sliding-window.ts'

/** Spans by their numbers, and windows whose beginnings and ends never go back. */
const spansAndWindows = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { maxLength: 25 }),
    fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 })), { maxLength: 20 }),
  )
  .map(([numbers, steps]) => {
    let [from, to] = [0, 0]
    const windows = steps.map(([first, second]) => {
      from += first
      to = Math.max(to + second, from)
      return { from, to }
    })
    return { numbers: numbers.sort((left, right) => left - right), windows }
  })

describe('windows that slide over spans', () => {
  it('hold the states of their spans in order, each once, as if each were merged by itself', () => {
    // Lists of numbers: a merge that is associative, does not commute and loses nothing.
    const lists = {
      empty: () => [] as readonly number[],
      merge: (left: readonly number[], right: readonly number[]) => [...left, ...right],
    }
    fc.assert(
      fc.property(spansAndWindows, ({ numbers, windows }) => {
        const slid = slideWindows(
          lists,
          numbers,
          numbers.map((number) => [number]),
          windows,
        )
        expect(slid).toEqual(
          windows.map(({ from, to }) => numbers.filter((number) => number >= from && number < to)),
        )
      }),
      { numRuns: 2_000 },
    )
  })

  it('merge each state a bounded number of times, however many windows hold it', () => {
    let merges = 0
    const sums = {
      empty: () => 0,
      merge: (left: number, right: number) => {
        merges += 1
        return left + right
      },
    }
    const numbers = Array.from({ length: 1_000 }, (_, number) => number)
    const windows = numbers.map((number) => ({ from: Math.max(0, number - 400), to: number + 1 }))
    slideWindows(sums, numbers, numbers, windows)
    expect(merges).toBeLessThan(4 * numbers.length)
  })

  it('count different values exactly', () => {
    const values = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 4 })
    fc.assert(
      fc.property(spansAndWindows, fc.array(values, { minLength: 25, maxLength: 25 }), (given, pool) => {
        const { numbers, windows } = given
        // As a span has them: each value once.
        const distinct = pool.map((span) => [...new Set(span)])
        expect(slideDistinct(numbers, distinct, windows)).toEqual(
          windows.map(({ from, to }) => {
            const inside = numbers.flatMap((number, index) =>
              number >= from && number < to ? (distinct[index] ?? []) : [],
            )
            return new Set(inside).size
          }),
        )
      }),
      { numRuns: 2_000 },
    )
  })
})
