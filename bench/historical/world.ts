import { entity, featureService, featureView, request } from '../../src/definitions/featuregraph.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { FeatureService, PlainView, Registry } from '../../src/registry/registry.ts'

/** How much stands in the tables. */
export interface Sizes {
  readonly customers: number
  /** Daily rows of each customer. */
  readonly days: number
  /** Rows of the second table, at any time, for each customer. */
  readonly momentary: number
}

export const ttlSeconds = { daily: 90 * 86_400, momentary: 3_600 } as const
/** Of the first day, in UTC. */
export const firstDay = '2025-01-01'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const daily = featureView('customer_transaction_features', {
  entity: customer,
  ttl: '90d',
  features: { f1: 'float64', f2: 'float64', f3: 'float64', i1: 'int64', i2: 'int64' },
})
const momentary = featureView('customer_realtime_features', {
  entity: customer,
  ttl: '1h',
  features: { g1: 'float64', g2: 'float64', n1: 'int64' },
})
const service = featureService('fraud_detection_v1', [
  daily.pick('f1', 'f2', 'f3', 'i1', 'i2'),
  momentary.pick('g1', 'g2', 'n1'),
  request('transaction_amount', 'float64'),
])

export interface World {
  readonly registry: Registry
  readonly service: FeatureService
  readonly daily: PlainView
  readonly momentary: PlainView
}

/** Two views with five and three features, both of customers, and a service of all of them. */
export function openWorld(): World {
  const definitions = [customer, daily, momentary, service]
  const registry = buildRegistry(definitions.map((value) => ({ path: value.name, value })))
  const [first, second] = registry.views
  const [found] = registry.services
  if (first?.kind !== 'PLAIN' || second?.kind !== 'PLAIN' || !found)
    throw new TypeError('the bench has two plain views and a service')
  return { registry, service: found, daily: first, momentary: second }
}

/** Names in the order of the service's vector, without its request value. */
export const featureNames = ['f1', 'f2', 'f3', 'i1', 'i2', 'g1', 'g2', 'n1'] as const
