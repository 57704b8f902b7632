import { fieldName } from '../../src/definitions/graphql-name.ts'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import type { ScalarValue } from '../../src/definitions/value.ts'
import type { StreamView } from '../../src/registry/registry.ts'
import type { TestEvent } from '../oracle/store-events.ts'
import { isPresent, windowValue } from '../oracle/window-oracle.ts'
import type { TestGateway } from '../server/start-test-gateway.ts'
import { customers } from './made-message.ts'

/** An event that counts, in the total order of events among others. */
export interface CountedEvent {
  readonly event: TestEvent
  readonly partition: number
  readonly offset: number
  readonly storedAt: Micros
}

export interface Comparison {
  readonly answers: number
  /** Each in words. */
  readonly differences: readonly string[]
}

type Answered = Readonly<Record<string, ScalarValue | null>>
/** By customer and view: the features and the status. */
type Answers = (customer: number, view: StreamView) => Answered

const ids = Array.from({ length: customers }, (_, index) => index + 1)

/** What the windows of every customer hold at t by their definition, over the events that were stored by then. */
export function oracleAnswers(counted: readonly CountedEvent[], t: Micros): Answers {
  const byCustomer = new Map<unknown, TestEvent[]>()
  const known = counted
    .filter(({ storedAt }) => storedAt <= t)
    .map((one) => ({ ...one, at: Math.min(one.event.at, one.storedAt) }))
    .sort((a, b) => a.at - b.at || a.partition - b.partition || a.offset - b.offset)
  for (const { event, at } of known) {
    const id = event.fields['customer_id']
    const own = byCustomer.get(id) ?? []
    own.push({ ...event, at })
    byCustomer.set(id, own)
  }
  return (customer, { aggregations, features }) => {
    const events = byCustomer.get(customer) ?? []
    const values = aggregations.map((one, index): [string, ScalarValue | null] => [
      features[index]?.graphqlName ?? '',
      windowValue(one, events, t),
    ])
    const status = isPresent(aggregations, events, t) ? 'PRESENT' : 'NOT_FOUND'
    return { ...Object.fromEntries(values), status }
  }
}

export type Clock = 'ONLINE' | 'OFFLINE'

/** What a gateway answers at t: online, where its clock must say t, or as of t, known at t. */
export async function gatewayAnswers(
  gateway: TestGateway,
  views: readonly StreamView[],
  source: Clock,
  t: Micros,
): Promise<Answers> {
  const selected = views.map(
    ({ name, features }) =>
      `${fieldName(name)} { ${features.map(({ graphqlName }) => graphqlName).join(' ')} freshness { status source } }`,
  )
  const time = formatTimestamp(t)
  const at = source === 'ONLINE' ? '' : `, asOf: "${time}", knownAt: "${time}"`
  const query = `query ($ids: [Int64!]!) { customers(customerIds: $ids${at}) { ${selected.join(' ')} } }`
  const { data, errors } = await gateway.ask(query, { ids })
  if (errors) throw new Error(`the gateway answered ${JSON.stringify(errors)}`)
  return (customer, { name }) => {
    const { freshness, ...values } = data.customers[customer - 1][fieldName(name)]
    if (freshness.source !== source) throw new Error(`expected an answer ${source}, got ${freshness.source}`)
    return { ...values, status: freshness.status }
  }
}

/** Answers of all customers and features against what is expected; one answer is one value. */
export function compareAnswers(
  views: readonly StreamView[],
  t: Micros,
  expected: Answers,
  found: Readonly<Partial<Record<Clock, Answers>>>,
): Comparison {
  const differences: string[] = []
  let answers = 0
  for (const [clock, answered] of Object.entries(found)) {
    for (const view of views) {
      for (const customer of ids) {
        const right = expected(customer, view)
        const given = answered(customer, view)
        for (const [name, value] of Object.entries(right)) {
          answers += 1
          if (given[name] === value) continue
          const place = `${clock} at ${formatTimestamp(t)}, customer ${customer}, ${view.name}.${name}`
          differences.push(`${place}: expected ${value}, got ${given[name]}`)
        }
      }
    }
  }
  return { answers, differences }
}
