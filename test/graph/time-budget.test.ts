import fc from 'fast-check'
import { expect, it } from 'vitest'
import { timeBudget } from '../../src/graph/time-budget.ts'

const steps = fc.array(
  fc.record({
    payer: fc.constantFrom('a', 'b'),
    ms: fc.integer({ min: 0, max: 500 }),
    after: fc.integer({ min: 0, max: 5_000 }),
  }),
  { maxLength: 50 },
)

it('gives each payer its burst and its rate and no more, whatever others spend', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 1_000 }), (asked, msPerSecond) => {
      let now = 0
      const burstMs = 10 * msPerSecond
      const budget = timeBudget({ msPerSecond, burstMs }, () => now)
      const spent = { a: 0, b: 0 }
      for (const { payer, ms, after } of asked) {
        now += after
        if (budget.waitMs(payer) > 0) continue
        // Only the last one may go over: its cost is known afterwards.
        expect(spent[payer]).toBeLessThan(burstMs + (now * msPerSecond) / 1_000 + 1e-6)
        budget.spend(payer, ms)
        spent[payer] += ms
      }
    }),
  )
})

it('lets a payer go on after the time that the refusal names, and not before', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 100_000 }), (rate, over) => {
      let now = 5
      const budget = timeBudget({ msPerSecond: rate, burstMs: 100 }, () => now)
      budget.spend('a', 100 + over)
      const wait = budget.waitMs('a')
      now = 5 + wait - 2
      expect(budget.waitMs('a')).toBeGreaterThan(0)
      now = 5 + wait
      expect([budget.waitMs('a'), budget.waitMs('b')]).toEqual([0, 0])
    }),
  )
})
