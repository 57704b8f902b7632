import type { Micros } from '../definitions/timestamp.ts'
import type { ScalarValue } from '../definitions/value.ts'
import type { OfferedRow } from '../ingest/accept-row.ts'
import { type Aggregate, count, floatSum } from '../windows/aggregate.ts'
import { chooseHop, floorToHop, windowStart } from '../windows/hop.ts'
import { dayMicros, type Transaction, transactionsOfDay } from './transactions.ts'

const hourMicros: Micros = 3_600_000_000
const fiveMinutes: Micros = 300_000_000
/** A nightly job's run time: a snapshot becomes known this long after the time it is of. */
export const snapshotDelay: Micros = 1_800_000_000

/** One customer's transactions from a day on, at hand for windows. */
export interface CustomerHistory {
  readonly customerId: number
  readonly transactions: readonly Transaction[]
}

/** Transactions of the days that rows in (from, to] may need: an hour and its rounding back, never before the history begins. */
export function customerHistory(
  seed: number,
  customerId: number,
  span: { readonly beginning: Micros; readonly from: Micros; readonly to: Micros },
): CustomerHistory {
  const firstDay = Math.floor(Math.max(span.beginning, span.from - dayMicros) / dayMicros)
  const transactions: Transaction[] = []
  for (let day = firstDay; day * dayMicros < span.to; day += 1)
    transactions.push(...transactionsOfDay(seed, customerId, day))
  return { customerId, transactions }
}

/** Events of a sawtooth window at t; transactions are in order of time. */
function windowAt(
  transactions: readonly Transaction[],
  t: Micros,
  windowMicros: Micros,
): readonly Transaction[] {
  const start = windowStart(t, windowMicros, chooseHop(windowMicros) ?? 1)
  return transactions.slice(firstAtOrAfter(transactions, start), firstAtOrAfter(transactions, t))
}

function amountOf({ amount }: Transaction): number {
  return amount
}

/** An aggregate of one field over a window's transactions. */
function over<State>(
  aggregate: Aggregate<State>,
  transactions: readonly Transaction[],
  fieldOf: (transaction: Transaction) => ScalarValue,
): ScalarValue | null {
  let state = aggregate.empty()
  transactions.forEach((transaction, offset) => {
    const place = { timestamp: transaction.timestamp, topic: 'demo', partition: 0, offset }
    state = aggregate.add(state, fieldOf(transaction), place)
  })
  return aggregate.finalise(state).value
}

function firstAtOrAfter(transactions: readonly Transaction[], t: Micros): number {
  let low = 0
  let high = transactions.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((transactions[middle]?.timestamp ?? 0) < t) low = middle + 1
    else high = middle
  }
  return low
}

/** The row of `customer_realtime_features` at t. */
export function realtimeRow({ customerId, transactions }: CustomerHistory, t: Micros): OfferedRow {
  const hour = windowAt(transactions, t, hourMicros)
  return {
    key: { customer_id: customerId },
    eventTimestamp: t,
    createdTimestamp: t,
    values: {
      transactions_last_hour: over(count, hour, amountOf),
      amount_last_hour: over(floatSum, hour, amountOf),
      failed_transactions_last_hour: hour.filter((transaction) => !transaction.success).length,
    },
  }
}

/** Rows of `customer_realtime_features` at every fifth minute in (from, to] before which something happened. */
export function realtimeRows(history: CustomerHistory, from: Micros, to: Micros): OfferedRow[] {
  const times = new Set<Micros>()
  for (const { timestamp } of history.transactions) {
    const t = floorToHop(timestamp, fiveMinutes) + fiveMinutes
    if (t > from && t <= to) times.add(t)
  }
  return [...times].sort((left, right) => left - right).map((t) => realtimeRow(history, t))
}

/** The newest time at which realtime rows may stand. */
export function latestRealtime(now: Micros): Micros {
  return floorToHop(now, fiveMinutes)
}
