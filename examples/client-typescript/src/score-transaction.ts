import { ask } from './ask.js'
import { type FragmentType, fragmentData, graphql } from './gql/index.js'

const spendingFields = graphql(`
  fragment Spending on CustomerTransactionFeatures {
    avgTransactionAmount30d
    maxTransactionAmount30d
    freshness { status ageSeconds }
  }
`)

const lastHourFields = graphql(`
  fragment LastHour on CustomerRealtimeFeatures {
    transactionsLastHour
    failedTransactionsLastHour
  }
`)

const scoringInput = graphql(`
  query ScoringInput($id: Int64!, $keys: [FraudDetectionV1Key!]!) {
    fraudDetectionV1(keys: $keys) {
      vector
      defaulted
    }
    customer(customerId: $id) {
      customerTransactionFeatures { ...Spending }
      customerRealtimeFeatures { ...LastHour }
    }
  }
`)

export interface Score {
  readonly probability: number
  readonly reasons: readonly string[]
  /** Names of features that the model got a default for. */
  readonly defaulted: readonly string[]
}

/** Asks for the model's vector and for what explains it: one request, one read of the online store. */
export async function scoreTransaction(customerId: string, amount: number): Promise<Score> {
  const { fraudDetectionV1, customer } = await ask(scoringInput, {
    id: customerId,
    keys: [{ customerId, transactionAmount: amount }],
  })
  const [row] = fraudDetectionV1
  if (!row) throw new Error('expected one row for one key; none came')
  return {
    probability: predictFraud(row.vector),
    reasons: [
      ...spendingReasons(customer.customerTransactionFeatures, amount),
      ...lastHourReasons(customer.customerRealtimeFeatures),
    ],
    defaulted: row.defaulted,
  }
}

function spendingReasons(
  view: FragmentType<typeof spendingFields> | null | undefined,
  amount: number,
): string[] {
  const spending = fragmentData(spendingFields, view)
  if (spending?.freshness.status !== 'PRESENT') return ['nothing is known of the last 30 days']
  const largest = spending.maxTransactionAmount30d ?? 0
  return amount > largest ? [`more than any transaction of the last 30 days (${largest})`] : []
}

function lastHourReasons(view: FragmentType<typeof lastHourFields> | null | undefined): string[] {
  const lastHour = fragmentData(lastHourFields, view)
  // An Int64 beyond 2^53 comes as text.
  const failed = Number(lastHour?.failedTransactionsLastHour ?? 0)
  return failed > 0
    ? [`${failed} of ${lastHour?.transactionsLastHour} transactions of the last hour failed`]
    : []
}

/** Stands in for a model: weights of the values' logarithms in the vector's order, squashed to a probability. */
function predictFraud(vector: readonly number[]): number {
  const weights = [-0.1, 0.1, 0.05, -0.2, 0.3, 0.05, 0.2]
  const sum = vector.reduce((total, value, index) => total + Math.log1p(value) * (weights[index] ?? 0), -3)
  return 1 / (1 + Math.exp(-sum))
}
