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

/**
 * Transactions a day of the first customers: cards of companies, whose drivers pay tolls and car parks all the time. One a
 * minute of the first, so that its last hour can be seen moving.
 */
const busyRates = [1_440, 288, 144, 72, 48, 42, 36, 30, 27, 24]

/** Transactions a day on average, in the history and as the seconds go by. */
export function dailyRate(customerId: number): number {
  return busyRates[customerId - firstCustomer] ?? 0.2 + 1.2 * randomNumbers(mix(customerId, 7))() ** 2
}

/** Every customer's rate and those of the customers before it. */
const ratesUpTo: readonly number[] = Array.from({ length: customerCount }).reduce<number[]>(
  (sums, _, index) => {
    sums.push((sums.at(-1) ?? 0) + dailyRate(firstCustomer + index))
    return sums
  },
  [],
)
const totalRate = ratesUpTo.at(-1) ?? 0

/** How many happen where `mean` do on average (Poisson): counted out for few, by the normal distribution for many. */
function countOf(mean: number, random: () => number): number {
  if (mean > 50) {
    const normal = Array.from({ length: 12 }, random).reduce((sum, one) => sum + one, -6)
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal))
  }
  let count = 0
  for (let rest = random(); rest > Math.exp(-mean); rest *= random()) count += 1
  return count
}

/**
 * A customer's transactions of one UTC day (days since the epoch) of the history, in order of time: a pure function of
 * its arguments, so that a later start continues exactly where an earlier one stopped.
 */
export function transactionsOfDay(seed: number, customerId: number, day: number): readonly Transaction[] {
  const random = randomNumbers(mix(seed, customerId, day))
  const count = countOf(dailyRate(customerId), random)
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
 * What is sent in one second since the epoch, in order of time, mostly nothing: a pure function too, and every customer at
 * the rate of its history.
 */
export function transactionsOfSecond(seed: number, second: number): readonly Transaction[] {
  const random = randomNumbers(mix(seed, second))
  const count = countOf((totalRate * secondMicros) / dayMicros, random)
  const transactions = Array.from({ length: count }, (_, place): Transaction => {
    const drawn = random() * totalRate
    const customerId = firstCustomer + ratesUpTo.findIndex((rates) => drawn < rates)
    const timestamp = second * secondMicros + Math.floor(random() * secondMicros)
    return { transactionId: `${second}-${place}`, customerId, timestamp, ...purchase(customerId, random) }
  })
  return inOrder(transactions)
}

/** Cents that prices end in more often than in others. */
const usualCents = [99, 95, 90, 50, 0]

/** What a customer pays usually, where, and how often in vain, is its own. */
function purchase(
  customerId: number,
  random: () => number,
): Pick<Transaction, 'amount' | 'merchantId' | 'success'> {
  const own = randomNumbers(mix(customerId, 11))
  const isBusy = customerId < firstCustomer + busyRates.length
  const usual = isBusy ? 2 + own() * 4 : 10 + own() * 100
  const price = usual * Math.exp((random() + random() + random() - 1.5) * 1.2)
  const amount = priceTag(price, random())
  const merchants = 3 + Math.floor(own() * 40)
  const merchantId = `m_${(Math.floor(own() * 200) + Math.floor(random() ** 2 * merchants)) % 200}`
  const failing = 0.01 + own() * 0.07
  return { amount, merchantId, success: random() >= failing }
}

/** To the cent: half of the draws as shops price things, the others as tolls, fuel and weighed goods come out. */
function priceTag(price: number, drawn: number): number {
  const usual = usualCents[Math.floor(drawn * 2 * usualCents.length)]
  const cents = usual === undefined ? Math.round(price * 100) : Math.floor(price) * 100 + usual
  return Math.max(1, cents) / 100
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
