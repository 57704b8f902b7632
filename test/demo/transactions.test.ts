import { describe, expect, it } from 'vitest'
import { type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import {
  dayMicros,
  firstCustomer,
  transactionsOfDay,
  transactionsOfSecond,
} from '../../src/demo/transactions.ts'

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

describe("the demo's transactions of a second", () => {
  const second = beginning / 1_000_000

  it('are three, a pure function of seed and second, in order of time and within the second, each with its id', () => {
    const made = transactionsOfSecond(seed, second)
    expect(transactionsOfSecond(seed, second)).toEqual(made)
    expect(made).toHaveLength(3)
    for (const { timestamp } of made) expect(Math.floor(timestamp / 1_000_000)).toBe(second)
    expect(made.map(({ timestamp }) => timestamp)).toEqual(
      made.map(({ timestamp }) => timestamp).sort((a, b) => a - b),
    )
    expect(new Set(made.map(({ transactionId }) => transactionId)).size).toBe(3)
    expect(transactionsOfSecond(seed + 1, second).map(({ amount }) => amount)).not.toEqual(
      made.map(({ amount }) => amount),
    )
  })

  it('are of all customers, of the first ten clearly more, and of the first one every few seconds', () => {
    const hour = Array.from({ length: 3_600 }, (_, index) =>
      transactionsOfSecond(seed, second + index),
    ).flat()
    const counts = new Map<number, number>()
    for (const { customerId } of hour) counts.set(customerId, (counts.get(customerId) ?? 0) + 1)
    const of = (customerId: number): number => counts.get(customerId) ?? 0
    expect(Math.min(...counts.keys())).toBe(busy)
    expect(Math.max(...counts.keys())).toBe(busy + 999)
    expect(counts.size).toBeGreaterThan(900)
    const busiest = Array.from({ length: 10 }, (_, index) => of(busy + index))
    const others = [...counts].flatMap(([customerId, count]) => (customerId < busy + 10 ? [] : [count]))
    expect(Math.min(...busiest)).toBeGreaterThan(10 * Math.max(...others))
    expect(of(busy)).toBeGreaterThan(1_800)
  })
})
