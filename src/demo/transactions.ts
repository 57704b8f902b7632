import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'

export interface Transaction {
  readonly transactionId: string
  readonly customerId: number
  readonly timestamp: Micros
  readonly amount: number
  readonly merchantId: string
  readonly success: boolean
}

export const firstCustomer = 1001
export const customerCount = 1_000
export const dayMicros: Micros = 86_400_000_000
export const secondMicros: Micros = 1_000_000

/** A small, good enough generator of numbers in [0, 1) (mulberry32): the same seed gives the same row for ever. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

function mix(...parts: readonly number[]): number {
  return parts.reduce((hash, part) => Math.imul(hash ^ part, 0x9e3779b1) ^ (hash >>> 13), 0x811c9dc5) >>> 0
}

/** The first ten customers are busy. */
const busyCustomers = 10

/** Transactions a day on average. */
function dailyRate(customerId: number): number {
  return customerId < firstCustomer + busyCustomers ? 60 : 0.3 + randomNumbers(mix(customerId, 7))() * 1.2
}

/**
 * A customer's transactions of one UTC day (days since the epoch) of the history, in order of time: a pure function of
 * its arguments, so that a later start continues exactly where an earlier one stopped.
 */
export function transactionsOfDay(seed: number, customerId: number, day: number): readonly Transaction[] {
  const random = randomNumbers(mix(seed, customerId, day))
  const rate = dailyRate(customerId)
  const count = Math.floor(rate) + (random() < rate % 1 ? 1 : 0)
  const transactions = Array.from({ length: count }, (_, place): Transaction => {
    const timestamp = day * dayMicros + Math.floor(random() * dayMicros)
    return {
      transactionId: `${customerId}-${day}-${place}`,
      customerId,
      timestamp,
      ...purchase(customerId, random),
    }
  })
  return inOrder(transactions)
}

/**
 * What is sent in one second since the epoch, in order of time: two transactions of busy customers, of the first one most,
 * and one of anybody's. Many more than the history has, so that the last hour can be seen moving; a hundred days of them
 * would take too long to write. A pure function too.
 */
export function transactionsOfSecond(seed: number, second: number): readonly Transaction[] {
  const random = randomNumbers(mix(seed, second))
  const customers = [
    firstCustomer + Math.floor(random() ** 2 * busyCustomers),
    firstCustomer + Math.floor(random() ** 2 * busyCustomers),
    firstCustomer + Math.floor(random() * customerCount),
  ]
  const transactions = customers.map((customerId, place): Transaction => {
    const timestamp = second * secondMicros + Math.floor(random() * secondMicros)
    return { transactionId: `${second}-${place}`, customerId, timestamp, ...purchase(customerId, random) }
  })
  return inOrder(transactions)
}

function purchase(
  customerId: number,
  random: () => number,
): Pick<Transaction, 'amount' | 'merchantId' | 'success'> {
  const usual = 10 + randomNumbers(mix(customerId, 11))() * 190
  const amount = Math.round(usual * Math.exp((random() + random() + random() - 1.5) * 1.6) * 100) / 100
  const merchantId = `m_${Math.floor(random() ** 2 * 200)}`
  return { amount, merchantId, success: random() >= 0.04 }
}

function inOrder(transactions: readonly Transaction[]): readonly Transaction[] {
  return [...transactions].sort((left, right) => left.timestamp - right.timestamp)
}

/** As a shop's systems would send it, in a file or as a message. */
export function transactionMessage(transaction: Transaction): object {
  const { transactionId, timestamp, customerId, amount, merchantId, success } = transaction
  return {
    transaction_id: transactionId,
    timestamp: formatTimestamp(timestamp),
    customer_id: customerId,
    amount,
    merchant_id: merchantId,
    success,
  }
}
