import {
  batch,
  count,
  countDistinct,
  entity,
  eventSource,
  max,
  mean,
  sum,
  windowedView,
} from '../../src/definitions/featuregraph.ts'
import type { Micros } from '../../src/definitions/timestamp.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { BatchView, EventSource, Registry } from '../../src/registry/registry.ts'

/** How much is imported, computed and materialized. */
export interface Sizes {
  /** A multiple of `days`. */
  readonly events: number
  readonly customers: number
  readonly days: number
}

export const merchants = 10_000
export const dayMicros = 86_400_000_000
/** Of the first transaction's day, in UTC. */
export const firstDay: Micros = Date.UTC(2025, 0, 1) * 1_000

/** Where our rows stand, and those that psql writes. */
export const projects = { ours: 'default', psql: 'psql' } as const

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const transactions = eventSource('transactions', {
  eventTimestamp: 'timestamp',
  fields: {
    customer_id: 'int64',
    amount: 'float64',
    merchant_id: 'string',
    success: { type: 'bool', default: true },
  },
})
const features = windowedView('customer_transaction_features', {
  entity: customer,
  source: transactions,
  compute: batch({ every: '1d' }),
  features: {
    total_transactions_30d: sum('amount', '30d'),
    avg_transaction_amount_30d: mean('amount', '30d'),
    max_transaction_amount_30d: max('amount', '30d'),
    transaction_count_7d: count('7d'),
    unique_merchants_30d: countDistinct('merchant_id', '30d'),
  },
})

export interface World {
  readonly registry: Registry
  readonly source: EventSource
  readonly view: BatchView
}

/** The five features of the fraud example over its transactions. */
export function openWorld(): World {
  const definitions = [customer, transactions, features]
  const registry = buildRegistry(definitions.map((value) => ({ path: value.name, value })))
  const [view] = registry.views
  if (view?.kind !== 'BATCH') throw new TypeError('the bench has one view, in batch')
  return { registry, source: view.events, view }
}

/** The snapshot at the end of day `day`, counted from 1. */
export const snapshotTime = (day: number): Micros => firstDay + day * dayMicros

/** Some ten customers, far apart. */
export function sampleIds({ customers }: Sizes): readonly number[] {
  const step = Math.max(1, Math.floor(customers / 11))
  return Array.from({ length: Math.min(11, customers) }, (_, index) => 1 + index * step)
}
