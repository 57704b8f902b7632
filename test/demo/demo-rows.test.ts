import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import { customerHistory, latestRealtime, realtimeRow, realtimeRows } from '../../src/demo/demo-rows.ts'
import { dayMicros, firstCustomer, type Transaction, transactionsOfDay } from '../../src/demo/transactions.ts'
import type { OfferedRow } from '../../src/ingest/accept-row.ts'

const seed = 20_260_101
const beginning: Micros = parseTimestamp('2026-08-15T00:00:00Z') ?? Number.NaN
const end: Micros = beginning + 100 * dayMicros
const minute: Micros = 60_000_000
const busy = firstCustomer
const quiet = firstCustomer + 500
/** Without a transaction from day 8 to day 41, so that a window runs empty. */
const silent = 2_095

const rowsBetween = (customer: number, from: Micros, to: Micros) =>
  realtimeRows(customerHistory(seed, customer, { beginning, from, to }), from, to)

/** All of a customer's transactions, made here day by day. */
function allTransactions(customer: number): readonly Transaction[] {
  return Array.from({ length: 100 }, (_, day) =>
    transactionsOfDay(seed, customer, beginning / dayMicros + day),
  ).flat()
}

const within = (transactions: readonly Transaction[], from: Micros, to: Micros) =>
  transactions.filter(({ timestamp }) => timestamp >= from && timestamp < to)

const timesOf = (rows: readonly OfferedRow[]) => rows.map((row) => row.eventTimestamp)

describe("the demo's transactions", () => {
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
    ])
      expect(other).not.toEqual(made)
  })
})

describe("the demo's rows", () => {
  it('are the same however the time is split', () => {
    const whole = new Map(
      [busy, quiet, silent].map((customer) => [customer, rowsBetween(customer, beginning, end)]),
    )
    // Where rows stand, where they become known, and next to both.
    const marks = [...whole.values()].flatMap((rows) =>
      rows.flatMap((row) => [row.eventTimestamp, row.createdTimestamp ?? end]),
    )
    const cut = fc
      .tuple(
        fc.oneof(fc.integer({ min: beginning, max: end }), fc.constantFrom(...marks)),
        fc.constantFrom(-1, 0, 1),
      )
      .map(([time, off]) => Math.min(end, Math.max(beginning, time + off)))
    fc.assert(
      fc.property(
        fc.constantFrom(busy, quiet, silent, silent),
        fc.array(cut, { minLength: 1, maxLength: 8 }),
        (customer, cuts) => {
          const bounds = [beginning, ...[...cuts].sort((a, b) => a - b), end]
          const parts = bounds
            .slice(1)
            .flatMap((to, index) => rowsBetween(customer, bounds[index] ?? beginning, to))
          expect(parts).toEqual(whole.get(customer))
        },
      ),
      { numRuns: 25 },
    )
  })

  it('are realtime rows at five-minute marks behind a transaction, of the hour before', () => {
    const transactions = allTransactions(busy)
    const rows = rowsBetween(busy, beginning, end)
    expect(rows.length).toBeGreaterThan(2_000)
    const marks = new Set(
      transactions.map(({ timestamp }) => (Math.floor(timestamp / (5 * minute)) + 1) * 5 * minute),
    )
    expect(timesOf(rows)).toEqual([...marks].filter((t) => t <= end).sort((a, b) => a - b))
    for (const row of rows) {
      const { eventTimestamp: t, createdTimestamp } = row
      expect(createdTimestamp).toBe(t)
      const hour = within(transactions, t - 60 * minute, t)
      expect(row.values).toEqual({
        transactions_last_hour: hour.length,
        amount_last_hour: expect.closeTo(
          hour.reduce((sum, { amount }) => sum + amount, 0),
          6,
        ),
        failed_transactions_last_hour: hour.filter(({ success }) => !success).length,
      })
      expect(hour.length).toBeGreaterThan(0)
    }
  })

  it('hold the exact head and the rounded tail of the hour between two marks', () => {
    const mark = beginning + dayMicros
    const at = (timestamp: Micros): Transaction => ({
      timestamp,
      amount: 1,
      merchantId: 'm_1',
      success: false,
    })
    const history = {
      customerId: busy,
      transactions: [mark - 60 * minute - 1, mark - 60 * minute, mark + 2 * minute].map(at),
    }
    expect(realtimeRow(history, mark + 2 * minute).values['transactions_last_hour']).toBe(1)
    expect(realtimeRow(history, mark + 2 * minute + 1).values).toEqual({
      transactions_last_hour: 2,
      amount_last_hour: 2,
      failed_transactions_last_hour: 2,
    })
  })

  it('of a transaction on a mark stand at the next one: a window ends before its head', () => {
    const mark = beginning + dayMicros
    const history = {
      customerId: busy,
      transactions: [{ timestamp: mark, amount: 1, merchantId: 'm_1', success: true }],
    }
    const rows = realtimeRows(history, beginning, end)
    expect(timesOf(rows)).toEqual([mark + 5 * minute])
    expect(rows[0]?.values['transactions_last_hour']).toBe(1)
  })

  it('stand nowhere ahead of the clock', () => {
    expect(latestRealtime(end + 7 * minute)).toBe(end + 5 * minute)
    expect(latestRealtime(end)).toBe(end)
    expect(latestRealtime(end - 1)).toBe(end - 5 * minute)
  })
})
