import { entity, featureService, featureView, onDemandView, request } from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { printSdl } from '../../src/graph/build-schema.ts'
import { day, hour, makeWorld, now, row, type World } from './run-operation.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const spent = featureView('spent', {
  entity: customer,
  ttl: '30d',
  features: { mean_30d: 'float64', currencies: 'string[]' },
})
const profile = featureView('profile', { entity: customer, online: false, features: { vip: 'bool' } })
const compared = onDemandView('compared', {
  description: 'The amount beside what is usual',
  inputs: [
    spent.pick('mean_30d', 'currencies'),
    profile.pick('vip'),
    request('amount', 'float64', { description: 'Of the payment' }),
    request('currency', 'string'),
    request('discount', 'float64', { default: 0 }),
  ],
  features: { ratio: 'float64', is_known_currency: 'bool' },
  compute: ({ amount, mean_30d, currencies, currency, discount, vip }) => {
    if (amount === 666) throw new Error('the number of the beast')
    if (amount === 13) return { ratio: 'much' } as never
    if (amount === 14) return Promise.reject(new Error('later')) as never
    if (amount === 15)
      return { ratios: 1 } as never
      // What it is given is its own.
    ;(currencies as string[] | null)?.push('EUR')
    const off = vip ? 2 * discount : discount
    return {
      ratio: amount === null || mean_30d === null ? null : (amount - off) / mean_30d,
      is_known_currency: currencies === null ? null : currencies.slice(0, -1).includes(currency ?? ''),
    }
  },
})
const riskV1 = featureService('risk_v1', [
  compared.pick('ratio', { name: 'is_known_currency', as: 'known', default: 1 }),
  request('amount', 'float64'),
])

async function world(options: Parameters<typeof makeWorld>[1] = {}): Promise<World> {
  const made = await makeWorld([customer, spent, profile, compared, riskV1], options)
  await made.write(
    'spent',
    row({ customer_id: 1 }, now - hour, { mean_30d: 10, currencies: ['USD'] }),
    row({ customer_id: 3 }, now - 60 * day, { mean_30d: 10, currencies: [] }),
  )
  await made.write('spent', row({ customer_id: 1 }, now - 3 * day, { mean_30d: 5, currencies: ['CHF'] }))
  await made.write('profile', row({ customer_id: 1 }, now - hour, { vip: true }))
  return made
}

const fields = 'compared(amount: 20, currency: "USD", discount: 1) { ratio isKnownCurrency status }'

describe('an on-demand view in GraphQL', () => {
  it('is a field of its entity with request values as arguments, nullable where they have a default', async () => {
    const sdl = printSdl((await world()).schema)
    expect(sdl).toContain(`  compared(
    """Of the payment."""
    amount: Float!
    currency: String!
    discount: Float
  ): Compared`)
    expect(sdl).toMatch(
      /type Compared \{\n {2}ratio: Float\n {2}isKnownCurrency: Boolean\n[^}]*status: FeatureStatus!\n\}/,
    )
    expect(sdl).toMatch(
      /input RiskV1Key \{\n {2}customerId: Int64!\n[^}]*amount: Float!\n {2}currency: String!\n {2}discount: Float\n\}/,
    )
    expect(sdl).not.toContain('pushCompared')
  })

  it('answers on both clocks what its function makes of the inputs of that time, with one read for it and its siblings', async () => {
    const made = await world()
    made.forget()
    const siblings = `customerId spent { mean30d currencies } a: ${fields} b: compared(amount: 20, currency: "CHF") { ratio isKnownCurrency status }`
    const { data, errors } = await made.run({
      query: `{ customers(customerIds: [1, 2, 3]) { ${siblings} } }`,
    })
    expect(errors).toBeUndefined()
    expect(data?.['customers']).toEqual([
      {
        customerId: 1,
        spent: { mean30d: 10, currencies: ['USD'] },
        a: { ratio: 1.8, isKnownCurrency: true, status: 'PRESENT' },
        b: { ratio: 2, isKnownCurrency: false, status: 'PRESENT' },
      },
      ...[2, 3].map((customerId) => ({
        customerId,
        spent: { mean30d: null, currencies: null },
        a: { ratio: null, isKnownCurrency: null, status: 'NULL_VALUE' },
        b: { ratio: null, isKnownCurrency: null, status: 'NULL_VALUE' },
      })),
    ])
    // The profile is not online.
    expect([made.reads.online.length, made.reads.offline.length]).toEqual([1, 1])
    made.forget()
    const past = await made.run({
      query: `{ customersAsOf(rows: [{ customerId: 1, asOf: "2026-11-21T12:00:00Z" }, { customerId: 1, asOf: "2026-11-01T12:00:00Z" }]) { ${fields} } }`,
    })
    expect(past).toEqual({
      data: {
        customersAsOf: [
          { compared: { ratio: 3.8, isKnownCurrency: false, status: 'PRESENT' } },
          { compared: { ratio: null, isKnownCurrency: null, status: 'NULL_VALUE' } },
        ],
      },
    })
    expect([made.reads.online.length, made.reads.offline.length]).toEqual([0, 1])
  })

  it('reads nothing where it is left out by a directive', async () => {
    const made = await world()
    made.forget()
    const query = `query ($is: Boolean!) { customer(customerId: 1) { customerId ${fields.replace(' {', ' @include(if: $is) {')} } }`
    expect(await made.run({ query, variables: { is: false } })).toEqual({
      data: { customer: { customerId: 1 } },
    })
    expect([made.reads.online.length, made.reads.offline.length]).toEqual([0, 0])
  })

  it('is FAILED where its function throws, promises, or answers something else, for that row and no other', async () => {
    const made = await world()
    const of = (alias: string, amount: number) =>
      `${alias}: compared(amount: ${amount}, currency: "USD") { ratio isKnownCurrency status }`
    const query = `{ customer(customerId: 1) { ${of('a', 666)} ${of('b', 13)} ${of('c', 14)} ${of('d', 15)} ${of('e', 10)} } }`
    const failed = { ratio: null, isKnownCurrency: null, status: 'FAILED' }
    expect(await made.run({ query })).toEqual({
      data: {
        customer: {
          ...{ a: failed, b: failed, c: failed, d: failed },
          e: { ratio: 1, isKnownCurrency: true, status: 'PRESENT' },
        },
      },
    })
    expect(made.computeFailures.map(({ view, kind, message }) => `${view} ${kind} ${message}`)).toEqual([
      'compared THREW Error: the number of the beast',
      'compared WRONG_TYPE ratio: expected a number, a string came',
      'compared PROMISE expected an answer at once, a promise came',
      'compared WRONG_TYPE expected an object with ratio, is_known_currency, one with "ratios" came',
    ])
  })

  it('is UNAVAILABLE where an input is, since what is not known is not missing', async () => {
    const made = await world()
    made.breakStore('online')
    const { data, errors } = await made.run({ query: `{ customers(customerIds: [1, 2]) { ${fields} } }` })
    const unavailable = { compared: { ratio: null, isKnownCurrency: null, status: 'UNAVAILABLE' } }
    expect(data).toEqual({ customers: [unavailable, unavailable] })
    expect(errors).toMatchObject([
      {
        message:
          'feature view "compared" is unavailable: its input "spent": the online store could not be read',
        path: ['customers', 0, 'compared'],
        extensions: { code: 'UNAVAILABLE', reason: 'STORE_FAILED', view: 'compared', count: 2 },
      },
    ])
  })

  it('is UNAVAILABLE with a reason where the process has not the function that was applied', async () => {
    const made = await world({ functions: { find: () => null } })
    const query = `{ customer(customerId: 1) { ${fields} } riskV1(keys: [{ customerId: 1, amount: 1, currency: "USD" }]) { statuses vector } }`
    const { data, errors } = await made.run({ query })
    expect(data).toEqual({
      customer: { compared: { ratio: null, isKnownCurrency: null, status: 'UNAVAILABLE' } },
      riskV1: [{ statuses: ['UNAVAILABLE', 'UNAVAILABLE', 'PRESENT'], vector: [0, 1, 1] }],
    })
    expect(errors?.map(({ path }) => path?.join('.')).sort()).toEqual(['customer.compared', 'riskV1.0'])
    for (const error of errors ?? [])
      expect(error).toMatchObject({
        message:
          'feature view "compared" is unavailable: the gateway that answers does not have the function that was applied',
        extensions: { code: 'UNAVAILABLE', reason: 'NO_FUNCTION', view: 'compared' },
      })
  })

  it('stands in the catalogue with its entity and the services that take from it', async () => {
    const query =
      '{ featureViews { name kind source online ttlSeconds services { name } } featureServices { vector { name view } } }'
    const { data } = await (await world()).run({ query })
    expect(data).toMatchObject({
      featureViews: [
        { name: 'spent', kind: 'PLAIN', services: [] },
        { name: 'profile', kind: 'PLAIN' },
        {
          ...{ name: 'compared', kind: 'ON_DEMAND', source: null, online: false, ttlSeconds: null },
          services: [{ name: 'risk_v1' }],
        },
      ],
      featureServices: [
        {
          vector: [
            { name: 'ratio', view: 'compared' },
            { name: 'known', view: 'compared' },
            { name: 'amount', view: null },
          ],
        },
      ],
    })
  })
})

describe('a service with features of an on-demand view', () => {
  it('answers them as any other, by row, by column and as of a time, although what they are made of is not in its vector', async () => {
    const made = await world()
    const keys =
      '[{ customerId: 1, amount: 20, currency: "USD" }, { customerId: 2, amount: 5, currency: "USD", discount: 1 }, { customerId: 1, amount: 666, currency: "USD" }]'
    const selection = 'ratio known amount vector names statuses defaulted'
    made.forget()
    const { data, errors } = await made.run({
      query: `{ riskV1(keys: ${keys}) { ${selection} } riskV1Columns(keys: ${keys}) { ratio known amount vectors statuses { ratio known amount } } }`,
    })
    expect(errors).toBeUndefined()
    const names = ['ratio', 'known', 'amount']
    const missing = { ratio: null, known: null, names, defaulted: ['ratio', 'known'] }
    expect(data).toEqual({
      riskV1: [
        {
          ...{ ratio: 2, known: true, amount: 20, vector: [2, 1, 20], names, defaulted: [] },
          statuses: ['PRESENT', 'PRESENT', 'PRESENT'],
        },
        { ...missing, amount: 5, vector: [0, 1, 5], statuses: ['NULL_VALUE', 'NULL_VALUE', 'PRESENT'] },
        { ...missing, amount: 666, vector: [0, 1, 666], statuses: ['FAILED', 'FAILED', 'PRESENT'] },
      ],
      riskV1Columns: {
        ...{ ratio: [2, null, null], known: [true, null, null], amount: [20, 5, 666] },
        vectors: [
          [2, 1, 20],
          [0, 1, 5],
          [0, 1, 666],
        ],
        statuses: {
          ratio: ['PRESENT', 'NULL_VALUE', 'FAILED'],
          known: ['PRESENT', 'NULL_VALUE', 'FAILED'],
          amount: ['PRESENT', 'PRESENT', 'PRESENT'],
        },
      },
    })
    expect(made.reads.online.length).toBe(1)
    const past = await made.run({
      query:
        '{ riskV1AsOf(rows: [{ customerId: 1, amount: 20, currency: "CHF", asOf: "2026-11-21T12:00:00Z" }]) { nodes { row { vector statuses } } } }',
    })
    expect(past.data).toEqual({
      riskV1AsOf: { nodes: [{ row: { vector: [4, 1, 20], statuses: ['PRESENT', 'PRESENT', 'PRESENT'] } }] },
    })
  })
})
