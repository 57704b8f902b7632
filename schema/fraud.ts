import {
  batch,
  count,
  countDistinct,
  entity,
  eventSource,
  featureService,
  max,
  mean,
  onDemandView,
  request,
  stream,
  sum,
  windowedView,
} from 'featuregraph'

export const customer = entity('customer', {
  joinKeys: { customer_id: 'int64' },
  description: 'Unique customer identifier',
})

export const transactions = eventSource('transactions', {
  description: "Customers' card transactions",
  owner: 'fraud',
  topic: 'transactions',
  eventTimestamp: 'timestamp',
  eventId: 'transaction_id',
  fields: {
    customer_id: 'int64',
    amount: { type: 'decimal(2)', description: 'In USD' },
    merchant_id: 'string',
    success: { type: 'bool', default: true },
  },
})

export const customerTransactionFeatures = windowedView('customer_transaction_features', {
  entity: customer,
  source: transactions,
  compute: batch({ every: '1d' }),
  description: "A customer's transactions over the last month, computed once a day",
  owner: 'fraud',
  ttl: '90d',
  features: {
    total_transactions_30d: sum('amount', '30d', { description: 'Sum of amounts over 30 days', unit: 'USD' }),
    avg_transaction_amount_30d: mean('amount', '30d', {
      description: 'Mean amount over 30 days',
      unit: 'USD',
    }),
    max_transaction_amount_30d: max('amount', '30d', {
      description: 'Largest amount in 30 days',
      unit: 'USD',
    }),
    transaction_count_7d: count('7d', { description: 'Number of transactions in 7 days' }),
    unique_merchants_30d: countDistinct('merchant_id', '30d', {
      description: 'Number of different merchants in 30 days',
    }),
  },
  expect: {
    total_transactions_30d: { min: 0, max: 10_000, notNull: true },
    avg_transaction_amount_30d: { min: 0, max: 100_000, notNull: true },
    transaction_count_7d: { min: 0, notNull: true },
  },
  tags: { team: 'fraud', version: 'v1' },
})

export const customerRealtimeFeatures = windowedView('customer_realtime_features', {
  entity: customer,
  source: transactions,
  compute: stream(),
  description: "A customer's transactions over the last hour",
  owner: 'fraud',
  ttl: '1h',
  features: {
    transactions_last_hour: count('1h', { description: 'Number of transactions in the last hour' }),
    amount_last_hour: sum('amount', '1h', { description: 'Sum of amounts in the last hour', unit: 'USD' }),
    failed_transactions_last_hour: count('1h', {
      where: { success: false },
      description: 'Number of failed transactions in the last hour',
    }),
  },
  tags: { team: 'fraud', version: 'v1' },
})

export const transactionAmountFeatures = onDemandView('transaction_amount_features', {
  description: 'How the amount of a transaction compares with what the customer usually spends',
  owner: 'fraud',
  inputs: [
    customerTransactionFeatures.pick('avg_transaction_amount_30d'),
    request('transaction_amount', 'float64', {
      description: 'Amount of the transaction that is being scored',
    }),
  ],
  features: {
    amount_to_average: {
      type: 'float64',
      description: 'The amount as a multiple of the mean over 30 days; null without a transaction in these',
    },
  },
  compute: ({ transaction_amount: amount, avg_transaction_amount_30d: average }) => ({
    amount_to_average: amount === null || !average ? null : amount / average,
  }),
  tags: { team: 'fraud' },
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
