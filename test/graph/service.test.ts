import { entity, featureService, featureView, request } from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { day, hour, makeWorld, now, row, type World } from './run-operation.ts'
import { bigId, smallWorld } from './small-world.ts'

const selection =
  'customerId total count vip amount risk blocked countRecent attempts byPhone vector names statuses defaulted'

async function rowsAndColumns(world: World, keys: string, asOf = ''): Promise<Record<string, unknown>> {
  const { data, errors } = await world.run({
    query: `{ riskV1(keys: [${keys}]${asOf}) { ${selection} }
      riskV1Columns(keys: [${keys}]${asOf}) { names vectors customerId merchantId deviceNo total count vip amount risk blocked countRecent attempts byPhone
        statuses { total count vip amount risk blocked countRecent attempts byPhone } } }`,
  })
  expect(errors).toBeUndefined()
  return { rows: data?.['riskV1'], columns: data?.['riskV1Columns'] }
}

const names = ['total', 'count', 'vip', 'amount', 'risk', 'blocked', 'count_recent', 'attempts', 'by_phone']

describe('a service', () => {
  it('answers values, vector, statuses and what was defaulted in the declared order', async () => {
    const world = await smallWorld()
    const { rows } = await rowsAndColumns(
      world,
      '{ customerId: 1, merchantId: "m1", deviceNo: 7, amount: 1.5, attempts: 0, byPhone: true }',
    )
    const risk = Math.fround(0.1)
    expect(rows).toEqual([
      {
        customerId: 1,
        total: 12.5,
        count: 3,
        vip: true,
        amount: 1.5,
        risk,
        blocked: null,
        countRecent: 2,
        attempts: 0,
        byPhone: true,
        vector: [12.5, 3, 1, 1.5, risk, 0, 2, 0, 1],
        names,
        statuses: [
          ...[
            'PRESENT',
            'PRESENT',
            'PRESENT',
            'PRESENT',
            'PRESENT',
            'NULL_VALUE',
            'PRESENT',
            'PRESENT',
            'PRESENT',
          ],
        ],
        defaulted: ['blocked'],
      },
    ])
  })

  it('defaults nulls of every status: the feature says 4, the service 0.75 over the feature, the request 3, else 0', async () => {
    const world = await smallWorld()
    const { rows } = await rowsAndColumns(
      world,
      `{ customerId: 9, merchantId: "no", deviceNo: 7, amount: 0, byPhone: false },
       { customerId: 2, merchantId: "m1", deviceNo: 7, amount: 0, byPhone: false, attempts: null }`,
    )
    expect(rows).toMatchObject([
      {
        vector: [0, 4, 0, 0, 0.75, 0, 0, 3, 0],
        statuses: [
          ...['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', 'PRESENT', 'NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND'],
          ...['NULL_VALUE', 'PRESENT'],
        ],
        defaulted: ['total', 'count', 'vip', 'risk', 'blocked', 'count_recent', 'attempts'],
        attempts: null,
      },
      {
        vector: [0, 4, 0, 0, Math.fround(0.1), 0, 0, 3, 0],
        statuses: [
          ...['OUTSIDE_TTL', 'OUTSIDE_TTL', 'OUTSIDE_TTL', 'PRESENT', 'PRESENT', 'NULL_VALUE', 'NULL_VALUE'],
          ...['NULL_VALUE', 'PRESENT'],
        ],
        defaulted: ['total', 'count', 'vip', 'blocked', 'count_recent', 'attempts'],
      },
    ])
  })

  it('keeps an int64 beyond 2^53 as text in its field, and the nearest float in the vector', async () => {
    const world = await smallWorld()
    const { rows } = await rowsAndColumns(
      world,
      `{ customerId: "${bigId}", merchantId: "", deviceNo: 0, amount: 0, attempts: "-${bigId}", byPhone: false }`,
    )
    expect(rows).toMatchObject([
      {
        customerId: bigId,
        count: bigId,
        attempts: `-${bigId}`,
        vip: false,
        vector: [0, 2 ** 53, 0, 0, 0.75, 0, 0, -(2 ** 53), 0],
      },
    ])
  })

  it('says the same by column, as long as keys and in their order, duplicates kept', async () => {
    const world = await smallWorld()
    const keys = [1, 2, 1, 9].map(
      (id) =>
        `{ customerId: ${id}, merchantId: "m1", deviceNo: ${id === 2 ? 8 : 7}, amount: ${id}, byPhone: ${id === 1} }`,
    )
    const { rows, columns } = await rowsAndColumns(world, keys.join())
    const asRows = rows as readonly Record<string, unknown>[]
    const asColumns = columns as Record<string, unknown> & { readonly statuses: Record<string, unknown> }
    const fields = [
      'total',
      'count',
      'vip',
      'amount',
      'risk',
      'blocked',
      'countRecent',
      'attempts',
      'byPhone',
    ]
    expect(asColumns['names']).toEqual(names)
    expect(asColumns['customerId']).toEqual([1, 2, 1, 9])
    expect(asColumns['deviceNo']).toEqual([7, 8, 7, 7])
    expect(asColumns['vectors']).toEqual(asRows.map((each) => each['vector']))
    fields.forEach((field, place) => {
      expect(asColumns[field]).toEqual(asRows.map((each) => each[field]))
      expect(asColumns.statuses[field]).toEqual(asRows.map((each) => (each['statuses'] as unknown[])[place]))
    })
    expect(new Set(asRows.map((each) => JSON.stringify(each))).size).toBe(3)
  })

  it('answers vectors alone, as numbers and in base64, as it does with everything beside them', async () => {
    const world = await smallWorld()
    const keys = [1, 2, 1, 9].map(
      (id) => `{ customerId: ${id}, merchantId: "m1", deviceNo: 7, amount: ${id}, byPhone: ${id === 1} }`,
    )
    for (const asOf of ['', ', asOf: "2026-06-01T00:00:00Z"']) {
      const { rows } = await rowsAndColumns(world, keys.join(), asOf)
      const vectors = (rows as readonly { readonly vector: readonly number[] }[]).map(({ vector }) => vector)
      const { data, errors } = await world.run({
        query: `{ riskV1Columns(keys: [${keys}]${asOf}) { customerId names ...numbers } } fragment numbers on RiskV1Columns { vectors vectorsBase64 }`,
      })
      expect(errors).toBeUndefined()
      const bytes = Buffer.from(Float64Array.from(vectors.flat()).buffer)
      expect(data?.['riskV1Columns']).toEqual({
        ...{ customerId: [1, 2, 1, 9], names, vectors },
        vectorsBase64: bytes.toString('base64'),
      })
    }
  })

  it('answers no keys with nothing', async () => {
    const world = await smallWorld()
    const { rows, columns } = await rowsAndColumns(world, '')
    expect(rows).toEqual([])
    expect(columns).toMatchObject({ names, vectors: [], total: [], statuses: { total: [] } })
  })

  it('answers as of a time, for every view of every entity', async () => {
    const world = await smallWorld()
    const { rows } = await rowsAndColumns(
      world,
      '{ customerId: 1, merchantId: "m1", deviceNo: 7, amount: 1, byPhone: true }',
      ', asOf: "2026-11-01T00:00:00Z"',
    )
    expect(rows).toMatchObject([{ total: 10, count: 1, risk: null, countRecent: null, amount: 1 }])
  })
})

const shop = entity('shop', { joinKeys: { shop_id: 'string' } })
const visit = entity('visit', { joinKeys: { customer_id: 'int32', shop_id: 'string' } })
const referral = entity('referral', { joinKeys: { shop_id: 'string', customer_id: 'int32' } })
const shopView = featureView('shop_view', { entity: shop, features: { a: 'int32' } })
const visitView = featureView('visit_view', { entity: visit, features: { a: 'int32' } })
const referralView = featureView('referral_view', { entity: referral, ttl: '1d', features: { a: 'int32' } })
const merged = featureService('merged', [
  visitView.pick('a'),
  referralView.pick({ name: 'a', as: 'referral_a' }),
  shopView.pick({ name: 'a', as: 'shop_a', default: -1 }),
])
const withRequests = featureService('with_requests', [
  shopView.pick('a'),
  request('x', 'float32'),
  request('y', 'int32', { default: 2 }),
])

describe('a service of several entities', () => {
  async function world(): Promise<World> {
    const made = await makeWorld([
      shop,
      visit,
      referral,
      shopView,
      visitView,
      referralView,
      merged,
      withRequests,
    ])
    await made.write('shop_view', row({ shop_id: 's' }, now - hour, { a: 1 }))
    await made.write('visit_view', row({ customer_id: 7, shop_id: 's' }, now - hour, { a: 2 }))
    await made.write('referral_view', row({ shop_id: 's', customer_id: 7 }, now - hour, { a: 3 }))
    await made.write('referral_view', row({ shop_id: 's', customer_id: 8 }, now - day - 1, { a: 4 }))
    return made
  }

  it('takes each distinct join key once and gives each entity its own, in its own order', async () => {
    const { data, errors } = await (await world()).run({
      query: `{ merged(keys: [{ customerId: 7, shopId: "s" }, { customerId: 8, shopId: "s" }, { customerId: 7, shopId: "" }]) {
        customerId shopId a referralA shopA vector names statuses defaulted } }`,
    })
    expect(errors).toBeUndefined()
    expect(data?.['merged']).toMatchObject([
      {
        customerId: 7,
        shopId: 's',
        a: 2,
        referralA: 3,
        shopA: 1,
        vector: [2, 3, 1],
        names: ['a', 'referral_a', 'shop_a'],
      },
      {
        vector: [0, 0, 1],
        statuses: ['NOT_FOUND', 'OUTSIDE_TTL', 'PRESENT'],
        defaulted: ['a', 'referral_a'],
      },
      { vector: [0, 0, -1], statuses: ['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND'] },
    ])
  })

  it('takes a request value with a default as null or absent, in its own type', async () => {
    const made = await world()
    const query =
      'query($keys: [WithRequestsKey!]!) { withRequests(keys: $keys) { x y vector defaulted statuses } }'
    const keys = [{ x: 0.1 }, { x: 1, y: 5 }, { x: 2, y: null }].map((given) => ({ shopId: 's', ...given }))
    const { data } = await made.run({ query, variables: { keys } })
    const tenth = Math.fround(0.1)
    expect(data?.['withRequests']).toEqual([
      {
        x: tenth,
        y: null,
        vector: [1, tenth, 2],
        defaulted: ['y'],
        statuses: ['PRESENT', 'PRESENT', 'NULL_VALUE'],
      },
      { x: 1, y: 5, vector: [1, 1, 5], defaulted: [], statuses: ['PRESENT', 'PRESENT', 'PRESENT'] },
      { x: 2, y: null, vector: [1, 2, 2], defaulted: ['y'], statuses: ['PRESENT', 'PRESENT', 'NULL_VALUE'] },
    ])
  })

  it('demands a request value that has no default', async () => {
    const { errors } = await (await world()).run({
      query: 'query($keys: [WithRequestsKey!]!) { withRequests(keys: $keys) { x } }',
      variables: { keys: [{ shopId: 's', y: 1 }] },
    })
    expect(errors?.[0]?.message).toMatch(/Field "x" of required type "Float!" was not provided/)
  })
})

describe("a service's rows", () => {
  it('tell which expectations their values break, also missing values and under another name', async () => {
    const person = entity('person', { joinKeys: { person_id: 'int64' } })
    const spending = featureView('spending', {
      entity: person,
      ttl: '1d',
      features: { total: 'float64', mean: { type: 'float64', expect: { min: 0 } }, free: 'int32' },
      expect: { total: { min: 0, max: 10_000, notNull: true } },
    })
    const score = featureService('score', [spending.pick({ name: 'total', as: 'sum' }, 'mean', 'free')])
    const made = await makeWorld([person, spending, score])
    await made.write('spending', row({ person_id: 1 }, now - hour, { total: 12_000, mean: -1, free: -5 }))
    await made.write('spending', row({ person_id: 2 }, now - hour, { total: 5, mean: null }))
    const query =
      '{ score(keys: [{ personId: 1 }, { personId: 2 }, { personId: 3 }]) { violations { feature rule value bound message } } }'
    const { data, errors } = await made.run({ query })
    expect(errors).toBeUndefined()
    expect(data?.['score']).toEqual([
      {
        violations: [
          {
            feature: 'sum',
            rule: 'MAX',
            value: '12000',
            bound: '10000',
            message: 'Value 12000 above maximum 10000',
          },
          { feature: 'mean', rule: 'MIN', value: '-1', bound: '0', message: 'Value -1 below minimum 0' },
        ],
      },
      { violations: [] },
      {
        violations: [
          { feature: 'sum', rule: 'NOT_NULL', value: null, bound: null, message: 'Value is null' },
        ],
      },
    ])
  })
})
