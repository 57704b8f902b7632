/**
 * A service that scores a transaction: asks for the model's vector and hands it to the model.
 *
 *     npx tsx examples/score-transaction.ts 1001 25.5
 */
const gateway = process.env['FEATUREGRAPH_URL'] ?? 'http://localhost:4000/graphql'

const query = `query ScoreTransaction($keys: [FraudDetectionV1Key!]!) {
  fraudDetectionV1(keys: $keys) { vector names defaulted }
}`

interface Answer {
  readonly data?: {
    readonly fraudDetectionV1: readonly {
      readonly vector: readonly number[]
      readonly names: readonly string[]
      readonly defaulted: readonly string[]
    }[]
  }
  readonly errors?: readonly { readonly message: string }[]
}

async function features(customerId: string, transactionAmount: number) {
  const response = await fetch(gateway, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: { keys: [{ customerId, transactionAmount }] } }),
    signal: AbortSignal.timeout(500),
  })
  const { data, errors } = (await response.json()) as Answer
  const row = data?.fraudDetectionV1[0]
  if (!row) throw new Error(errors?.[0]?.message ?? `the gateway answered ${response.status}`)
  return row
}

/** Stands in for a model: a few weights of the values' logarithms in the vector's order, squashed to a probability. */
function predictFraud(vector: readonly number[]): number {
  const weights = [-0.1, 0.1, 0.05, -0.2, 0.3, 0.05, 0.2]
  const sum = vector.reduce((total, value, index) => total + Math.log1p(value) * (weights[index] ?? 0), -3)
  return 1 / (1 + Math.exp(-sum))
}

const [customerId = '1001', amount = '25.5'] = process.argv.slice(2)
const { vector, names, defaulted } = await features(customerId, Number(amount))
console.log(Object.fromEntries(names.map((name, index) => [name, vector[index]])))
if (defaulted.length > 0) console.log(`defaults were taken for ${defaulted.join(', ')}`)
console.log(`probability of fraud: ${predictFraud(vector).toFixed(3)}`)
