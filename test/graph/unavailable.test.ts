import { describe, expect, it } from 'vitest'
import { StoreTimedOut } from '../../src/errors.ts'
import { rowPacker } from '../../src/stores/online-value/packed-row.ts'
import { now, type Operation, viewNamed } from './run-operation.ts'
import { smallWorld } from './small-world.ts'

const online = (view: string) => `feature view "${view}" is unavailable: the online store could not be read`

const keys = `[{ customerId: 1, merchantId: "m1", deviceNo: 7, amount: 1.5, byPhone: true },
  { customerId: 2, merchantId: "m1", deviceNo: 7, amount: 2.5, byPhone: false }]`

interface Case extends Operation {
  /** View, first path, count. */
  readonly errors: readonly (readonly [view: string, path: readonly (string | number)[], count: number])[]
}

const cases: Readonly<Record<string, Case>> = {
  'one root': {
    query: '{ customer(customerId: 1) { customerDaily { total } } }',
    errors: [['customer_daily', ['customer', 'customerDaily'], 1]],
  },
  'a list: one error, not one per key': {
    query: '{ customers(customerIds: [1, 2, 1]) { customerDaily { total } } }',
    errors: [['customer_daily', ['customers', 0, 'customerDaily'], 3]],
  },
  'aliases of a view and of a root: one error for each path': {
    query: `{ a: customers(customerIds: [1, 2]) { x: customerDaily { total } y: customerDaily(maxAge: "1h") { total } }
      b: customer(customerId: 1) { customerDaily { total } } }`,
    errors: [
      ['customer_daily', ['a', 0, 'x'], 2],
      ['customer_daily', ['a', 0, 'y'], 2],
      ['customer_daily', ['b', 'customerDaily'], 1],
    ],
  },
  'two views': {
    query: '{ customers(customerIds: [1, 2]) { customerDaily { total } customerRecent { count } } }',
    errors: [
      ['customer_daily', ['customers', 0, 'customerDaily'], 2],
      ['customer_recent', ['customers', 0, 'customerRecent'], 2],
    ],
  },
  'nested fragments, the view in two of them': {
    query: `{ customers(customerIds: [1, 2]) { ...A ... { customerDaily { count } } } }
      fragment A on Customer { ...B } fragment B on Customer { customerDaily { total } }`,
    errors: [['customer_daily', ['customers', 0, 'customerDaily'], 2]],
  },
  'rows of a service: one error a view, at the first row': {
    query: `{ riskV1(keys: ${keys}) { vector } }`,
    errors: [
      ['customer_daily', ['riskV1', 0], 2],
      ['customer_recent', ['riskV1', 0], 2],
      ['device_risk', ['riskV1', 0], 2],
    ],
  },
  'columns of a service: one error a view, at the field': {
    query: `{ riskV1Columns(keys: ${keys}) { vectors } }`,
    errors: [
      ['customer_daily', ['riskV1Columns'], 2],
      ['customer_recent', ['riskV1Columns'], 2],
      ['device_risk', ['riskV1Columns'], 2],
    ],
  },
}

describe('an online store that does not answer', () => {
  it.each(Object.entries(cases))(
    'gives one error per view and path: %s',
    async (_, { errors, ...operation }) => {
      const world = await smallWorld()
      world.breakStore('online')
      for (let use = 1; use <= 3; use += 1) {
        const answer = await world.run(operation)
        const order = ({ path, extensions }: { path?: unknown; extensions?: Record<string, unknown> }) =>
          JSON.stringify([path, extensions?.['view']])
        const byPath = [...(answer.errors ?? [])].sort((a, b) => (order(a) < order(b) ? -1 : 1))
        expect(
          byPath.map(({ extensions, path }) => [extensions?.['view'], path, extensions?.['count']]),
        ).toEqual(errors)
        for (const { message, extensions } of answer.errors ?? []) {
          expect(message).toBe(online(String(extensions?.['view'])))
          expect(extensions).toMatchObject({
            code: 'UNAVAILABLE',
            reason: 'STORE_FAILED',
            requestId: 'request-1',
          })
        }
        expect(JSON.stringify(answer)).not.toMatch(/ECONNREFUSED|db\.internal|5432|stack|customer_id/)
        expect(world.masked).toEqual([])
      }
    },
  )

  it('leaves the view an object of nulls with its status, and answers everything else', async () => {
    const world = await smallWorld()
    world.breakStore('online')
    const query = `{
      customer(customerId: 1) { customerId customerDaily { __typename total scores freshness { status source eventTimestamp createdTimestamp ageSeconds expiresAt reason } }
        customerProfile { country freshness { status source reason } } }
      past: customer(customerId: 1, asOf: "2026-11-23T11:00:00Z") { customerDaily { total } }
      featureViews(entity: "customer") { name }
    }`
    for (let use = 1; use <= 3; use += 1) {
      const { data, errors } = await world.run({ query })
      expect(data).toEqual({
        customer: {
          customerId: 1,
          customerDaily: {
            __typename: 'CustomerDaily',
            total: null,
            scores: null,
            freshness: {
              status: 'UNAVAILABLE',
              source: 'ONLINE',
              eventTimestamp: null,
              createdTimestamp: null,
              ageSeconds: null,
              expiresAt: null,
              reason: 'STORE_FAILED',
            },
          },
          customerProfile: {
            country: 'CH',
            freshness: { status: 'PRESENT', source: 'OFFLINE', reason: null },
          },
        },
        past: { customerDaily: { total: 12.5 } },
        featureViews: [{ name: 'customer_daily' }, { name: 'customer_recent' }, { name: 'customer_profile' }],
      })
      expect(errors).toHaveLength(1)
    }
  })

  it('gives a service its defaults, and says so', async () => {
    const world = await smallWorld()
    world.breakStore('online')
    const { data } = await world.run({
      query: `{ riskV1(keys: ${keys}) { total count vector statuses defaulted customerId amount }
        riskV1Columns(keys: ${keys}) { total statuses { total amount } vectors } }`,
    })
    expect(data?.['riskV1']).toMatchObject([
      {
        customerId: 1,
        total: null,
        count: null,
        amount: 1.5,
        vector: [0, 4, 0, 1.5, 0.75, 0, 0, 3, 1],
        statuses: [
          ...['UNAVAILABLE', 'UNAVAILABLE', 'UNAVAILABLE', 'PRESENT', 'UNAVAILABLE', 'UNAVAILABLE'],
          ...['UNAVAILABLE', 'NULL_VALUE', 'PRESENT'],
        ],
        defaulted: ['total', 'count', 'vip', 'risk', 'blocked', 'count_recent', 'attempts'],
      },
      { customerId: 2, amount: 2.5 },
    ])
    expect(data?.['riskV1Columns']).toEqual({
      total: [null, null],
      statuses: { total: ['UNAVAILABLE', 'UNAVAILABLE'], amount: ['PRESENT', 'PRESENT'] },
      vectors: [
        [0, 4, 0, 1.5, 0.75, 0, 0, 3, 1],
        [0, 4, 0, 2.5, 0.75, 0, 0, 3, 0],
      ],
    })
  })

  it('that does not answer in time gives the reason TIMEOUT', async () => {
    const world = await smallWorld()
    world.breakStore('online', new StoreTimedOut('Command timed out'))
    const { data, errors } = await world.run({
      query: '{ customer(customerId: 1) { customerDaily { freshness { reason } } } }',
    })
    expect(data).toEqual({ customer: { customerDaily: { freshness: { reason: 'TIMEOUT' } } } })
    expect(errors).toMatchObject([
      {
        message: 'feature view "customer_daily" is unavailable: the online store did not answer in time',
        extensions: { code: 'UNAVAILABLE', reason: 'TIMEOUT' },
      },
    ])
  })

  it('is asked again by the next request', async () => {
    const world = await smallWorld()
    const query = '{ customer(customerId: 1) { customerDaily { total } } }'
    world.breakStore('online')
    expect((await world.run({ query })).errors).toHaveLength(1)
    world.mendStore('online')
    expect(await world.run({ query })).toEqual({ data: { customer: { customerDaily: { total: 12.5 } } } })
  })
})

describe('an offline store that does not answer', () => {
  it('makes the views asked as of a time, and those that are not online, unavailable', async () => {
    const world = await smallWorld()
    world.breakStore('offline')
    const query = `{ customersAsOf(rows: [{ customerId: 1, asOf: "2026-11-01T00:00:00Z" }, { customerId: 2, asOf: "2026-11-02T00:00:00Z" }]) {
        customerDaily { total freshness { status source } } }
      customer(customerId: 1) { customerProfile { country } customerDaily { total } } }`
    for (let use = 1; use <= 3; use += 1) {
      const { data, errors } = await world.run({ query })
      expect(data).toEqual({
        customersAsOf: [1, 2].map(() => ({
          customerDaily: { total: null, freshness: { status: 'UNAVAILABLE', source: 'OFFLINE' } },
        })),
        customer: { customerProfile: { country: null }, customerDaily: { total: 12.5 } },
      })
      expect(errors?.map(({ message, path, extensions }) => [message, path, extensions?.['count']])).toEqual([
        [
          'feature view "customer_daily" is unavailable: the offline store could not be read',
          ['customersAsOf', 0, 'customerDaily'],
          2,
        ],
        [
          'feature view "customer_profile" is unavailable: the offline store could not be read',
          ['customer', 'customerProfile'],
          1,
        ],
      ])
    }
  })
})

describe('bytes that are not understood', () => {
  const query =
    '{ customers(customerIds: [1, 5, 2]) { customerId customerDaily { total segment freshness { status reason } } } }'

  it.each([
    { name: 'another format', bytes: () => Buffer.alloc(80, 9) },
    { name: 'too short', bytes: () => Buffer.from([1]) },
    { name: 'empty', bytes: () => Buffer.alloc(0) },
    {
      name: 'an unknown layout',
      bytes: () =>
        rowPacker({ fingerprint: 77, features: [{ name: 'total', type: 'float64' }] })({
          eventTimestamp: now,
          createdTimestamp: null,
          rowId: 1,
          values: [1],
        }),
    },
  ])('are UNAVAILABLE, never a guess: $name', async ({ bytes }) => {
    const world = await smallWorld()
    const view = viewNamed(world.registry, 'customer_daily')
    world.putOnline(`${world.layouts.keyPrefix(view, 0)}{5}`, bytes())
    const { data, errors } = await world.run({ query })
    expect(data?.['customers']).toEqual([
      {
        customerId: 1,
        customerDaily: { total: 12.5, segment: 'a "b"', freshness: { status: 'PRESENT', reason: null } },
      },
      {
        customerId: 5,
        customerDaily: {
          total: null,
          segment: null,
          freshness: { status: 'UNAVAILABLE', reason: 'UNKNOWN_LAYOUT' },
        },
      },
      {
        customerId: 2,
        customerDaily: { total: null, segment: null, freshness: { status: 'OUTSIDE_TTL', reason: null } },
      },
    ])
    expect(errors).toEqual([
      {
        message:
          'feature view "customer_daily" is unavailable: its stored row has a layout that this gateway does not know',
        path: ['customers', 1, 'customerDaily'],
        extensions: {
          code: 'UNAVAILABLE',
          reason: 'UNKNOWN_LAYOUT',
          view: 'customer_daily',
          count: 1,
          requestId: 'request-1',
        },
      },
    ])
  })
})
