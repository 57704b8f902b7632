import { describe, expect, it } from 'vitest'
import { type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import {
  customerCount,
  dailyRate,
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
  const day = Array.from({ length: 86_400 }, (_, index) => transactionsOfSecond(seed, second + index))

  it('are a pure function of seed and second, in order of time and within the second, each with its id', () => {
    const some = day.findIndex((made) => made.length > 1)
    const made = day[some] ?? []
    expect(transactionsOfSecond(seed, second + some)).toEqual(made)
    for (const { timestamp } of made) expect(Math.floor(timestamp / 1_000_000)).toBe(second + some)
    expect(made.map(({ timestamp }) => timestamp)).toEqual(
      made.map(({ timestamp }) => timestamp).sort((a, b) => a - b),
    )
    const ids = day.flat().map(({ transactionId }) => transactionId)
    expect(new Set(ids).size).toBe(ids.length)
    const others = day.map((_, index) => transactionsOfSecond(seed + 1, second + index))
    expect(others.flat()).not.toEqual(day.flat())
  })

  it('come at the rate of the history, customer by customer', () => {
    const sent = new Map<number, number>()
    for (const { customerId } of day.flat()) sent.set(customerId, (sent.get(customerId) ?? 0) + 1)
    const epochDay = beginning / dayMicros
    let others = 0
    let expected = 0
    for (let customerId = firstCustomer; customerId < firstCustomer + customerCount; customerId += 1) {
      const days = Array.from({ length: 10 }, (_, index) =>
        transactionsOfDay(seed, customerId, epochDay + index),
      )
      const rate = dailyRate(customerId)
      // Five standard deviations of either.
      expect(Math.abs(days.flat().length - 10 * rate)).toBeLessThan(5 * Math.sqrt(10 * rate) + 5)
      if (customerId < firstCustomer + 10)
        expect(Math.abs((sent.get(customerId) ?? 0) - rate)).toBeLessThan(5 * Math.sqrt(rate))
      else {
        others += sent.get(customerId) ?? 0
        expected += rate
      }
    }
    expect(Math.abs(others - expected)).toBeLessThan(5 * Math.sqrt(expected))
  })
})

describe("the demo's customers", () => {
  it('differ, and are within the declared expectations but for a handful, with money to the cent', () => {
    const epochDay = beginning / dayMicros
    const months = Array.from({ length: customerCount }, (_, index) =>
      Array.from({ length: 30 }, (_day, day) =>
        transactionsOfDay(seed, firstCustomer + index, epochDay + day),
      ).flat(),
    )
    const amounts = months.flat().map(({ amount }) => amount)
    expect(amounts.filter((amount) => amount !== Math.round(amount * 100) / 100)).toEqual([])
    expect(new Set(amounts.map((amount) => Math.round(amount * 100) % 100)).size).toBe(100)
    const totals = months.map((month) => month.reduce((total, { amount }) => total + amount, 0))
    const above = totals.filter((total) => total > 10_000).length
    expect(above).toBeGreaterThan(0)
    expect(above).toBeLessThan(10)
    expect(new Set(totals).size).toBeGreaterThan(900)
    expect(new Set(months.map((month) => month.length)).size).toBeGreaterThan(30)
    const merchants = months.map((month) => new Set(month.map(({ merchantId }) => merchantId)).size)
    expect(new Set(merchants).size).toBeGreaterThan(15)
  })
})
