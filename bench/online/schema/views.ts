import {
  batch,
  count,
  countDistinct,
  entity,
  eventSource,
  featureService,
  featureView,
  max,
  mean,
  sum,
  windowedView,
} from 'featuregraph'

/** Two views of one entity whose rows the bench writes itself, so that every answer follows from the ids. */
export const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })

export const transactions = eventSource('transactions', {
  eventTimestamp: 'timestamp',
  fields: { customer_id: 'int64', amount: 'float64', merchant_id: 'string' },
})

export const customerTransactionFeatures = windowedView('customer_transaction_features', {
  entity: customer,
  source: transactions,
  compute: batch({ every: '1d' }),
  ttl: '90d',
  features: {
    total_transactions_30d: sum('amount', '30d'),
    avg_transaction_amount_30d: mean('amount', '30d'),
    max_transaction_amount_30d: max('amount', '30d'),
    transaction_count_7d: count('7d'),
    unique_merchants_30d: countDistinct('merchant_id', '30d'),
  },
})

export const customerRealtimeFeatures = featureView('customer_realtime_features', {
  entity: customer,
  ttl: '1h',
  features: {
    transactions_last_hour: 'int64',
    amount_last_hour: 'float64',
    failed_transactions_last_hour: 'int64',
  },
})

/** What one asks for by column: 100 features, a third each of counts, of cents and of any numbers. */
const wideTypes = ['int64', 'float64', 'float64'] as const
const wideFeatures = Object.fromEntries(
  Array.from({ length: 100 }, (_, index) => [`wide_${index}`, wideTypes[index % 3] ?? 'float64'] as const),
)

export const customerWideFeatures = featureView('customer_wide_features', {
  entity: customer,
  ttl: '1h',
  features: wideFeatures,
})

export const wide = featureService('wide', [customerWideFeatures.pick(...Object.keys(wideFeatures))])
