/** A named operation over the demo world, with variables that answer something there. */
export type ExampleQuery = {
  /** The operation's name in `query`; GraphiQL names its tab after it. */
  readonly name: string
  readonly query: string
  readonly variables: Readonly<Record<string, unknown>>
}

const customerSelection = `{
    customerId
    customerTransactionFeatures {
      totalTransactions30d
      avgTransactionAmount30d
      maxTransactionAmount30d
      transactionCount7d
      uniqueMerchants30d
      freshness { status eventTimestamp ageSeconds source }
    }
    customerRealtimeFeatures {
      transactionsLastHour
      amountLastHour
      failedTransactionsLastHour
      freshness { status eventTimestamp ageSeconds source }
    }
  }`

/**
 * GraphiQL's first tabs, in their order: a customer online, the last hour as it moves, the same customer as of last month,
 * a feature service's vector, a small spine, and the catalogue. Customer 1001 and 1002 are the demo's; 999999999 is
 * nobody's, on purpose.
 */
export function exampleQueries(now: Date): readonly ExampleQuery[] {
  const lastMonth = startOfMonth(now, 1)
  const thisMonth = startOfMonth(now, 0)
  return [
    {
      name: 'Online',
      query: `# One customer's features, as the online store has them.
# freshness tells for each view: status, is there a row and
# is it within its ttl; ageSeconds, how old the values are;
# source, which store answered. LastMonth asks the past.
#
# If an API key is wanted, open Headers below and enter
# { "authorization": "Bearer <key>" }
query Online($id: Int64!) {
  customer(customerId: $id) ${customerSelection}
}
`,
      variables: { id: 1001 },
    },
    {
      name: 'LastHour',
      query: `# Run this one again and again. Transactions come in all the
# time, in the demo three a second, and a streamed view
# answers for the very moment: its numbers move while you
# look. ageSeconds is the age of the newest transaction.
query LastHour($ids: [Int64!]!) {
  customers(customerIds: $ids) {
    customerId
    customerRealtimeFeatures {
      transactionsLastHour
      amountLastHour
      failedTransactionsLastHour
      freshness { status eventTimestamp ageSeconds }
    }
  }
}
`,
      variables: { ids: [1001, 1002] },
    },
    {
      name: 'LastMonth',
      query: `# The first tab's selection with one more argument, asOf.
# source is OFFLINE, and the values are what was true then:
# one document feeds both training and serving.
# eventTimestamp is never after asOf, ageSeconds ends there.
query LastMonth($id: Int64!, $asOf: Timestamp) {
  customer(customerId: $id, asOf: $asOf) ${customerSelection}
}
`,
      variables: { id: 1001, asOf: lastMonth },
    },
    {
      name: 'ServiceVector',
      query: `# A model's input, one vector per key, in the keys' order.
# names is the order within a vector; transactionAmount is
# the request's own. The last customer is unknown: statuses
# says so, the vector holds the declared defaults, and
# defaulted names them. A missing feature is never an error.
query ServiceVector($keys: [FraudDetectionV1Key!]!) {
  fraudDetectionV1(keys: $keys) {
    customerId
    vector
    names
    statuses
    defaulted
  }
}
`,
      variables: {
        keys: [
          { customerId: 1001, transactionAmount: 250 },
          { customerId: 1002, transactionAmount: 12.5 },
          { customerId: 999999999, transactionAmount: 80 },
        ],
      },
    },
    {
      name: 'Spine',
      query: `# Rows of a training set, each with its own moment. There is
# one answer per row, in the same order; the first two are
# one customer at two moments. Add knownAt to a row to leave
# out what arrived after that.
query Spine($rows: [CustomerAsOf!]!) {
  customersAsOf(rows: $rows) {
    customerId
    customerTransactionFeatures {
      totalTransactions30d
      avgTransactionAmount30d
      transactionCount7d
      freshness { status eventTimestamp }
    }
  }
}
`,
      variables: {
        rows: [
          { customerId: 1001, asOf: lastMonth },
          { customerId: 1001, asOf: thisMonth },
          { customerId: 1002, asOf: thisMonth },
        ],
      },
    },
    {
      name: 'Catalogue',
      query: `# What there is to ask for: the definitions that the schema
# is generated from. name is the registry's, graphqlName the
# field's. A service's vector lists its values in order; one
# without a view is sent with the request.
query Catalogue {
  entities {
    name
    description
    joinKeys { name graphqlName type }
  }
  featureViews {
    name
    graphqlName
    kind
    owner
    tags { key value }
    entity { name }
    ttlSeconds
    online
    features { name graphqlName type description }
  }
  featureServices {
    name
    graphqlName
    description
    vector { name view type default }
  }
}
`,
      variables: {},
    },
  ]
}

/** Midnight UTC of the first day of the month that lies `monthsBack` before the one of `now`, as a Timestamp writes it. */
export function startOfMonth(now: Date, monthsBack: number): string {
  const start = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - monthsBack, 1))
  return start.toISOString().replace('Z', '000Z')
}
