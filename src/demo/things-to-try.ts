import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import { dayMicros, firstCustomer } from './transactions.ts'

/** Lines that run as they are printed, at a gateway with the demo. */
export function thingsToTry(url: string, now: Micros): readonly string[] {
  const ask = (more: string): string => {
    const selection = '{ customerRealtimeFeatures { transactionsLastHour amountLastHour } }'
    const query = `{ customer(customerId: ${firstCustomer}${more}) ${selection} }`
    return `curl -s ${url}/graphql -H 'content-type: application/json' -d '${JSON.stringify({ query })}'`
  }
  const yesterday = formatTimestamp(Math.floor((now - dayMicros) / 60_000_000) * 60_000_000)
  return [
    'Three things to try:',
    `  1. open ${url} in a browser: GraphiQL, with example queries in its tabs`,
    `  2. the last hour of the busiest customer, with a transaction a minute: ${ask('')}`,
    `  3. the same as it was yesterday: ${ask(`, asOf: "${yesterday.replace('.000000', '')}"`)}`,
  ]
}
