import { entity, featureService, featureView, postgresSource, request } from 'featuregraph'
// The demo's names and types as plain views, so that a test writes the rows it needs, and beside them whatever else the
// surface has.
export const customer = entity('customer', {
  joinKeys: { customer_id: 'int64' },
  description: 'Unique customer identifier',
})

export const customerTransactionFeatures = featureView('customer_transaction_features', {
  entity: customer,
  description: "A customer's transactions over the last month, computed once a day",
  owner: 'fraud',
  ttl: '90d',
  features: {
    total_transactions_30d: { type: 'float64', description: 'Sum of amounts over 30 days', unit: 'USD' },
    avg_transaction_amount_30d: { type: 'float64', description: 'Mean amount over 30 days', unit: 'USD' },
    max_transaction_amount_30d: { type: 'float64', description: 'Largest amount in 30 days', unit: 'USD' },
    transaction_count_7d: { type: 'int64', description: 'Number of transactions in 7 days' },
    unique_merchants_30d: { type: 'int64', description: 'Number of different merchants in 30 days' },
  },
  expect: {
    total_transactions_30d: { min: 0, max: 10_000, notNull: true },
    avg_transaction_amount_30d: { min: 0, max: 100_000, notNull: true },
    transaction_count_7d: { min: 0, notNull: true },
  },
  tags: { team: 'fraud', version: 'v1' },
})

export const customerRealtimeFeatures = featureView('customer_realtime_features', {
  entity: customer,
  description: "A customer's transactions over the last hour",
  owner: 'fraud',
  ttl: '1h',
  features: {
    transactions_last_hour: { type: 'int64', description: 'Number of transactions in the last hour' },
    amount_last_hour: { type: 'float64', description: 'Sum of amounts in the last hour', unit: 'USD' },
    failed_transactions_last_hour: {
      type: 'int64',
      description: 'Number of failed transactions in the last hour',
    },
  },
  tags: { team: 'fraud', version: 'v1' },
})

// The order is the model's: six features, then the amount of the transaction that is being scored.
export const fraudDetectionV1 = featureService(
  'fraud_detection_v1',
  [
    customerTransactionFeatures.pick(
      'total_transactions_30d',
      'avg_transaction_amount_30d',
      'max_transaction_amount_30d',
      'transaction_count_7d',
    ),
    customerRealtimeFeatures.pick('transactions_last_hour', 'amount_last_hour'),
    request('transaction_amount', 'float64', {
      description: 'Amount of the transaction that is being scored',
    }),
  ],
  { description: 'What the fraud model takes', owner: 'fraud', tags: { team: 'fraud' } },
)

/** Kept out of the online store: read offline at any time. */
export const customerSegment = featureView('customer_segment', {
  entity: customer,
  online: false,
  ttl: '365d',
  features: { segment: 'string', spend_rank: 'int32' },
})

/** Without a ttl: a row of any age is PRESENT. */
export const customerProfile = featureView('customer_profile', {
  entity: customer,
  features: { lifetime_events: 'int64', is_verified: 'bool', score: { type: 'float64', default: 0.5 } },
})

/** An existing table, with other column names. The test makes it before the gateway starts. */
export const customerOrders = featureView('customer_orders', {
  entity: customer,
  online: false,
  source: postgresSource('shop_orders', {
    table: 'shop.orders',
    eventTimestamp: 'ordered_at',
    createdTimestamp: 'loaded_at',
    rowId: 'order_id',
    columns: { customer_id: 'buyer', order_total: 'total', shipped_at: 'shipped' },
  }),
  features: { order_total: 'float64', shipped_at: 'timestamp' },
})

/** A query that takes as long as its rows say. */
export const customerNaps = featureView('customer_naps', {
  entity: customer,
  online: false,
  source: postgresSource('naps', {
    query: 'select customer_id, napped_at, seconds, pg_sleep(seconds) is not null as slept from shop.naps',
    eventTimestamp: 'napped_at',
  }),
  features: { seconds: 'float64', slept: 'bool' },
})

export const merchant = entity('merchant', { joinKeys: { merchant_id: 'string' } })

/** One feature of every type. */
export const merchantProfile = featureView('merchant_profile', {
  entity: merchant,
  ttl: '30d',
  features: {
    an_int32: 'int32',
    an_int64: 'int64',
    a_float32: 'float32',
    a_float64: 'float64',
    a_string: 'string',
    a_bool: 'bool',
    a_timestamp: 'timestamp',
    some_bytes: 'bytes',
    int32_list: 'int32[]',
    int64_list: 'int64[]',
    float32_list: 'float32[]',
    float64_list: 'float64[]',
    string_list: 'string[]',
    bool_list: 'bool[]',
    timestamp_list: 'timestamp[]',
    bytes_list: 'bytes[]',
    old_name: { type: 'int32', deprecated: 'use an_int32', graphqlName: 'anOldName' },
  },
})

export const merchantDevice = entity('merchant_device', {
  joinKeys: { merchant_id: 'string', device_id: 'int32' },
  description: 'A terminal of a merchant',
})

export const deviceRisk = featureView('device_risk', {
  entity: merchantDevice,
  ttl: '1d',
  features: { is_rooted: 'bool', events_seen: 'int64', risk_score: { type: 'float32', default: 0.25 } },
})

/** Two entities whose join keys are the same in the other order. */
export const transfer = entity('transfer', { joinKeys: { payer: 'int64', payee: 'int64' } })
export const transferStats = featureView('transfer_stats', {
  entity: transfer,
  features: { sent: 'int64' },
})
export const refund = entity('refund', { joinKeys: { payee: 'int64', payer: 'int64' } })
export const refundStats = featureView('refund_stats', {
  entity: refund,
  features: { returned: 'int64' },
})

/** Three entities, two of which share a join key; renamed, defaulted and requested values. */
export const checkoutV1 = featureService('checkout_v1', [
  customerTransactionFeatures.pick({ name: 'transaction_count_7d', as: 'count_7d', default: -1 }),
  customerProfile.pick('lifetime_events', 'is_verified', 'score'),
  deviceRisk.pick('is_rooted', 'events_seen', { name: 'risk_score', as: 'device_risk_score' }),
  merchantProfile.pick('an_int32'),
  request('basket_value', 'float64'),
  request('item_count', 'int32', { default: 1 }),
  request('is_gift', 'bool', { default: 0 }),
])

export const settlementV1 = featureService('settlement_v1', [
  transferStats.pick('sent'),
  refundStats.pick('returned'),
])
