import type { Micros } from '../../src/definitions/timestamp.ts'
import { firstTileAt, type Transaction, tileOf } from './world.ts'

/** What a gateway answers of one customer; nulls where no window holds an event, or where it does not know. */
export interface Answer {
  readonly customerId: number
  readonly transactionsLastHour: number | null
  readonly amountLastHour: number | null
  readonly failedTransactionsLastHour: number | null
  readonly status: string
}

interface Tile {
  count: number
  sum: number
  /** Σ|amount|, by which rounding is measured. */
  magnitude: number
  failed: number
}

/** What the online answers must be, from the transactions as they were sent. */
export interface Oracle {
  readonly add: (transaction: Transaction) => void
  readonly customers: () => readonly number[]
  /** Null when the answer, given at `t`, is right; else what is expected and what came. */
  readonly difference: (answer: Answer, t: Micros) => string | null
  /** Events of a customer, of any time. */
  readonly total: (customer: number) => number
}

/** An answer and the sum of the same numbers in another order differ by less, relative to Σ|x|. */
const tolerance = 1e-9

export function openOracle(): Oracle {
  const customers = new Map<number, Map<number, Tile>>()

  function windowOf(customer: number, from: number): Tile {
    const window: Tile = { count: 0, sum: 0, magnitude: 0, failed: 0 }
    for (const [number, tile] of customers.get(customer) ?? []) {
      if (number < from) continue
      window.count += tile.count
      window.sum += tile.sum
      window.magnitude += tile.magnitude
      window.failed += tile.failed
    }
    return window
  }

  return {
    add({ customer, at, amount, success }) {
      const tiles = customers.get(customer) ?? new Map<number, Tile>()
      customers.set(customer, tiles)
      const tile = tiles.get(tileOf(at)) ?? { count: 0, sum: 0, magnitude: 0, failed: 0 }
      tiles.set(tileOf(at), tile)
      tile.count += 1
      tile.sum += amount
      tile.magnitude += Math.abs(amount)
      tile.failed += success ? 0 : 1
    },
    customers: () => [...customers.keys()],
    total: (customer) => windowOf(customer, Number.NEGATIVE_INFINITY).count,
    difference(answer, t) {
      const { count, sum, magnitude, failed } = windowOf(answer.customerId, firstTileAt(t))
      const isRight =
        answer.status !== 'UNAVAILABLE' &&
        (answer.transactionsLastHour ?? 0) === count &&
        (answer.failedTransactionsLastHour ?? 0) === failed &&
        Math.abs((answer.amountLastHour ?? 0) - sum) <= tolerance * magnitude
      return isRight
        ? null
        : `customer ${answer.customerId}: expected ${count} transactions, ${failed} failed, of ${sum}, got ${JSON.stringify(answer)}`
    },
  }
}
