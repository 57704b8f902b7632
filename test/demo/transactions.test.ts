import { describe, expect, it } from 'vitest'
import { type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import { dayMicros, firstCustomer, transactionsOfDay } from '../../src/demo/transactions.ts'

const seed = 20_260_101
const beginning: Micros = parseTimestamp('2026-08-15T00:00:00Z') ?? Number.NaN
const busy = firstCustomer

describe("the demo's transactions of the history", () => {
  it('are a pure function of seed, customer and day, in order of time and within the day', () => {
    const day = beginning / dayMicros
    const made = transactionsOfDay(seed, busy, day)
    expect(transactionsOfDay(seed, busy, day)).toEqual(made)
    expect(made.length).toBeGreaterThan(10)
    expect(made.map(({ timestamp }) => timestamp)).toEqual(
      made.map(({ timestamp }) => timestamp).sort((a, b) => a - b),
    )
    for (const { timestamp, amount } of made) {
      expect(Math.floor(timestamp / dayMicros)).toBe(day)
      expect(amount).toBeGreaterThan(0)
    }
    for (const other of [
      transactionsOfDay(seed + 1, busy, day),
      transactionsOfDay(seed, busy + 1, day),
      transactionsOfDay(seed, busy, day + 1).map((each) => ({
        ...each,
        timestamp: each.timestamp - dayMicros,
      })),
    ]) {
      const amounts = made.map(({ amount }) => amount)
      expect(other.map(({ amount }) => amount)).not.toEqual(amounts)
    }
  })
})
