import {
  count,
  countDistinct,
  entity,
  eventSource,
  last,
  max,
  mean,
  stream,
  sum,
  windowedView,
} from 'featuregraph'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { EventSource, Registry, StreamView } from '../../src/registry/registry.ts'

export interface FaultWorld {
  readonly registry: Registry
  readonly source: EventSource
  readonly views: readonly StreamView[]
  /** The same definitions as the text of a file for a folder of definitions. */
  readonly module: string
}

/** Two views over one topic: one short window, and several windows and hops. */
export function faultWorld(topic: string): FaultWorld {
  const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
  const payments = eventSource('payments', {
    topic,
    eventTimestamp: 'at',
    fields: {
      customer_id: 'int64',
      /** Another for each message: says what is lost from what is there twice. */
      seq: 'int64',
      amount: 'float64',
      shop: 'string',
      failed: 'bool',
      note: 'string',
    },
  })
  const recent = windowedView('recent', {
    entity: customer,
    source: payments,
    compute: stream(),
    features: {
      n: count('1h'),
      // Fewer than `n`: an event was applied twice.
      different: countDistinct('seq', '1h'),
      total: sum('amount', '1h'),
      failed: count('1h', { where: { failed: true } }),
    },
  })
  const habits = windowedView('habits', {
    entity: customer,
    source: payments,
    compute: stream(),
    features: {
      n_1d: count('1d'),
      mean_5m: mean('amount', '5m'),
      mean_1d: mean('amount', '1d'),
      max_5m: max('amount', '5m'),
      max_1d: max('amount', '1d'),
      shops_5m: countDistinct('shop', '5m'),
      shops_1d: countDistinct('shop', '1d'),
      last_shop: last('shop', '1d'),
    },
  })
  const definitions = { customer, payments, recent, habits }
  const registry = buildRegistry(Object.values(definitions).map((value) => ({ path: 'here', value })))
  const [source] = registry.eventSources
  if (!source) throw new Error('the world has no source')
  return {
    registry,
    source,
    views: registry.views.filter((view) => view.kind === 'STREAM'),
    module: Object.entries(definitions)
      .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)}\n`)
      .join(''),
  }
}
