import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import {
  customerHistory,
  latestRealtime,
  realtimeRow,
  realtimeRows,
  snapshotDelay,
  snapshotRows,
} from '../../src/demo/demo-rows.ts'
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

const rowsBetween = {
  snapshots: (customer: number, from: Micros, to: Micros) =>
    snapshotRows(
      customerHistory(seed, customer, { beginning, from, to }),
      from - snapshotDelay,
      to - snapshotDelay,
    ),
  realtime: (customer: number, from: Micros, to: Micros) =>
    realtimeRows(customerHistory(seed, customer, { beginning, from, to }), from, to),
}

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
  it.each(['snapshots', 'realtime'] as const)('%s are the same however the time is split', (kind) => {
    const whole = new Map(
      [busy, quiet, silent].map((customer) => [customer, rowsBetween[kind](customer, beginning, end)]),
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
            .flatMap((to, index) => rowsBetween[kind](customer, bounds[index] ?? beginning, to))
          expect(parts).toEqual(whole.get(customer))
        },
      ),
      { numRuns: 25 },
    )
  })

  it('are snapshots at every midnight, of the sawtooth windows over the transactions, known half an hour later', () => {
    for (const customer of [busy, quiet, silent]) {
      const transactions = allTransactions(customer)
      const rows = rowsBetween.snapshots(customer, beginning, end)
      expect(rows.length).toBeGreaterThan(80)
      for (const { eventTimestamp: t, createdTimestamp, key, values } of rows) {
        expect(key).toEqual({ customer_id: customer })
        expect(t % dayMicros).toBe(0)
        expect(createdTimestamp).toBe(t + 30 * minute)
        // At a midnight a window of whole days or hours begins exactly its length before.
        const month = within(transactions, t - 30 * dayMicros, t)
        const amounts = month.map(({ amount }) => amount)
        const total = amounts.reduce((sum, amount) => sum + amount, 0)
        expect(values).toEqual({
          total_transactions_30d: expect.closeTo(total, 6),
          avg_transaction_amount_30d: amounts.length === 0 ? null : expect.closeTo(total / amounts.length, 9),
          max_transaction_amount_30d: amounts.length === 0 ? null : Math.max(...amounts),
          transaction_count_7d: within(transactions, t - 7 * dayMicros, t).length,
          unique_merchants_30d: new Set(month.map(({ merchantId }) => merchantId)).size,
        })
      }
      const days = new Set(transactions.map(({ timestamp }) => Math.floor(timestamp / dayMicros)))
      const expected = Array.from({ length: 100 }, (_, day) => beginning + day * dayMicros).filter((t) =>
        Array.from({ length: 31 }, (_, back) => t / dayMicros - 1 - back).some((day) => days.has(day)),
      )
      expect(timesOf(rows)).toEqual(expected)
    }
  })

  it('close with one row of empties when the last transaction has left the window, and begin again', () => {
    const at = (day: number): Transaction => ({
      timestamp: beginning + day * dayMicros + 1,
      amount: 5,
      merchantId: 'm_1',
      success: true,
    })
    const history = { customerId: quiet, transactions: [at(0), at(40)] }
    const rows = snapshotRows(history, beginning, beginning + 80 * dayMicros)
    const dayOf = (row: OfferedRow): number => (row.eventTimestamp - beginning) / dayMicros
    expect(rows.map(dayOf)).toEqual([
      ...Array.from({ length: 31 }, (_, index) => index + 1),
      ...Array.from({ length: 31 }, (_, index) => index + 41),
    ])
    expect(
      rows.filter((row) => row.values['total_transactions_30d'] === 0).map((row) => [dayOf(row), row.values]),
    ).toEqual(
      [31, 71].map((day) => [
        day,
        {
          total_transactions_30d: 0,
          avg_transaction_amount_30d: null,
          max_transaction_amount_30d: null,
          transaction_count_7d: 0,
          unique_merchants_30d: 0,
        },
      ]),
    )
  })

  it('close also where a run begins between the time of a snapshot and its becoming known', () => {
    const closing = beginning + 38 * dayMicros
    const rows = rowsBetween.snapshots(silent, closing + minute, closing + dayMicros)
    expect(rows.map((row) => [row.eventTimestamp, row.values['total_transactions_30d']])).toEqual([
      [closing, 0],
    ])
  })

  it('are realtime rows at five-minute marks behind a transaction, of the hour before', () => {
    const transactions = allTransactions(busy)
    const rows = rowsBetween.realtime(busy, beginning, end)
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
