import { describe, expect, it } from 'vitest'
import { at, hour, now, type Operation, type World } from './run-operation.ts'
import { bigId, smallWorld } from './small-world.ts'

const daily = (world: World, suffix: string): string => key(world, 'customer_daily', suffix)
const recent = (world: World, suffix: string): string => key(world, 'customer_recent', suffix)
const device = (world: World, suffix: string): string => key(world, 'device_risk', suffix)

function key(world: World, view: string, suffix: string): string {
  const found = world.registry.views.find((candidate) => candidate.name === view)
  return found && found.kind !== 'STREAM' ? world.layouts.keyPrefix(found, 0) + suffix : `no view ${view}`
}

interface OnlineCase extends Operation {
  /** The keys of the one read, in any order. */
  readonly keys: (world: World) => readonly string[]
}

const onlineCases: Readonly<Record<string, OnlineCase>> = {
  'one root, one view': {
    query: '{ customer(customerId: 1) { customerDaily { total } } }',
    keys: (world) => [daily(world, '{1}')],
  },
  'aliases of one view, with and without maxAge': {
    query: `{ customer(customerId: 1) {
      customerDaily { total } a: customerDaily(maxAge: "1s") { count } b: customerDaily(maxAge: "1d") { vip } } }`,
    keys: (world) => [daily(world, '{1}')],
  },
  'only the views that are selected': {
    query: '{ customer(customerId: 1) { customerRecent { count } } }',
    keys: (world) => [recent(world, '{1}')],
  },
  'a list, duplicates once': {
    query: `{ customers(customerIds: [2, 1, "2", 1, "${bigId}"]) { customerDaily { total } } }`,
    keys: (world) => [daily(world, '{2}'), daily(world, '{1}'), daily(world, `{${bigId}}`)],
  },
  'a list without duplicates, two views': {
    query: '{ customers(customerIds: [2, 1]) { customerRecent { count } customerDaily { total } } }',
    keys: (world) => [recent(world, '{2}'), recent(world, '{1}'), daily(world, '{2}'), daily(world, '{1}')],
  },
  'aliased roots and a list that share a key, each with its own views': {
    query: `{ a: customer(customerId: 1) { customerDaily { total } } b: customer(customerId: 1) { customerRecent { count } }
      customers(customerIds: [1, 2]) { customerDaily { count } } }`,
    keys: (world) => [daily(world, '{1}'), recent(world, '{1}'), daily(world, '{2}')],
  },
  'two entities': {
    query: `{ customer(customerId: 1) { customerDaily { total } }
      merchantDevices(keys: [{ merchantId: "m1", deviceNo: 7 }, { merchantId: "", deviceNo: 7 }]) { deviceRisk { risk } } }`,
    keys: (world) => [daily(world, '{1}'), device(world, '{m1,7}'), device(world, '{%,7}')],
  },
  'a service in rows and in columns, and an entity beside them': {
    query: `{ riskV1(keys: [{ customerId: 1, merchantId: "m1", deviceNo: 7, amount: 1, byPhone: true }]) { vector }
      riskV1Columns(keys: [{ customerId: 2, merchantId: "m1", deviceNo: 7, amount: 1, byPhone: true }]) { vectors }
      customer(customerId: 2) { customerDaily { total } } }`,
    keys: (world) => [
      ...['{1}', '{2}'].flatMap((suffix) => [daily(world, suffix), recent(world, suffix)]),
      device(world, '{m1,7}'),
    ],
  },
  'nested fragments': {
    query: `{ customer(customerId: 1) { ...Outer ... { customerId } } }
      fragment Outer on Customer { ... on Customer { ...Inner } }
      fragment Inner on Customer { customerRecent { count } }`,
    keys: (world) => [recent(world, '{1}')],
  },
  'a view that is skipped by a variable': {
    query: `query($no: Boolean!) { customer(customerId: 1) { customerDaily @include(if: $no) { total } customerRecent { count } } }`,
    variables: { no: false },
    keys: (world) => [recent(world, '{1}')],
  },
  'views that are skipped with their fragments': {
    query: `query($no: Boolean!) { customer(customerId: 1) { ...F @include(if: $no) ... @include(if: $no) { customerDaily { total } }
      customerRecent { count } } } fragment F on Customer { customerDaily { count } }`,
    variables: { no: false },
    keys: (world) => [recent(world, '{1}')],
  },
  'views that a literal skips': {
    query: '{ customer(customerId: 1) { customerDaily @skip(if: true) { total } customerRecent { count } } }',
    keys: (world) => [recent(world, '{1}')],
  },
  'a root that is skipped': {
    query: `query($no: Boolean!) { customer(customerId: 1) @include(if: $no) { customerDaily { total } }
      b: customer(customerId: 2) { customerRecent { count } } }`,
    variables: { no: false },
    keys: (world) => [recent(world, '{2}')],
  },
  'a root that stands twice and is skipped once': {
    query: `query($no: Boolean!) { customer(customerId: 1) @include(if: $no) { customerDaily { total } }
      customer(customerId: 1) @skip(if: $no) { customerRecent { count } } }`,
    variables: { no: false },
    keys: (world) => [recent(world, '{1}')],
  },
  'one view skipped in one place and not in another': {
    query: `query($no: Boolean!) { customer(customerId: 1) { customerDaily @include(if: $no) { total } a: customerDaily { count } } }`,
    variables: { no: false },
    keys: (world) => [daily(world, '{1}')],
  },
}

const silentCases: Readonly<Record<string, string>> = {
  'join keys only':
    '{ customer(customerId: 1) { customerId __typename } customers(customerIds: [1, 2]) { customerId } }',
  'join keys as of a time': '{ customer(customerId: 1, asOf: "2026-11-23T11:00:00Z") { customerId } }',
  'an empty list': '{ customers(customerIds: []) { customerId } }',
  'only views that a literal skips':
    '{ customer(customerId: 1) { customerId customerDaily @skip(if: true) { total } } }',
  'the catalogue': '{ entities { name } featureViews { name } featureServices { name } }',
}

/** The first run is by graphql-js, the third compiled where it can be: both read the same. */
async function readsOf(world: World, operation: Operation): Promise<World['reads'][]> {
  const reads: World['reads'][] = []
  for (let use = 1; use <= 3; use += 1) {
    world.forget()
    const answer = await world.run(operation)
    expect(answer.errors).toBeUndefined()
    reads.push({ online: [...world.reads.online], offline: [...world.reads.offline] })
  }
  return reads
}

describe('the online store', () => {
  it.each(Object.entries(onlineCases))('is read once: %s', async (_, { keys, ...operation }) => {
    const world = await smallWorld()
    for (const reads of await readsOf(world, operation)) {
      expect(reads.online).toHaveLength(1)
      expect([...(reads.online[0] ?? [])].sort()).toEqual([...keys(world)].sort())
      expect(reads.offline).toEqual([])
    }
  })

  it.each(Object.entries(silentCases))('is not read: %s', async (_, query) => {
    const world = await smallWorld()
    for (const reads of await readsOf(world, { query })) expect(reads).toEqual({ online: [], offline: [] })
  })
})

/** Views and rows of each join, without what a row repeats of the definition. */
function joinsOf(reads: World['reads']) {
  return reads.offline.map(({ views, rows }) => ({
    views: views.map((view) => view.name).sort(),
    rows: rows.map(({ key: entityKey, asOf, knownAt }) => [...entityKey, asOf, knownAt]),
  }))
}

const t = at('2026-11-23T11:00:00Z')

describe('the offline store', () => {
  it('is joined once per entity type, every distinct key and time once, in order of first use', async () => {
    const world = await smallWorld()
    const query = `{
      a: customer(customerId: 1, asOf: "2026-11-23T11:00:00Z") { customerDaily { total } }
      b: customers(customerIds: [2, 1, 2], asOf: "2026-11-23T12:00:00+01:00") { customerDaily { total } customerRecent { count } }
      customersAsOf(rows: [{ customerId: 1, asOf: "2026-11-23T11:00:00Z" }, { customerId: 1, asOf: "2026-11-23T11:00:00.000001Z" },
        { customerId: 1, asOf: "2026-11-23T11:00:00Z", knownAt: "2026-11-23T10:00:00Z" }]) { customerDaily { total } }
      d: merchantDevice(key: { merchantId: "m1", deviceNo: 7 }, asOf: "2026-11-23T11:00:00Z") { deviceRisk { risk } }
      riskV1(keys: [{ customerId: 1, merchantId: "m1", deviceNo: 7, amount: 1, byPhone: true }], asOf: "2026-11-23T11:00:00Z") { vector }
    }`
    for (const reads of await readsOf(world, { query })) {
      expect(reads.online).toEqual([])
      expect(joinsOf(reads)).toEqual([
        {
          views: ['customer_daily', 'customer_recent'],
          rows: [
            [1, t, null],
            [2, t, null],
            [1, t + 1, null],
            [1, t, t - hour],
          ],
        },
        { views: ['device_risk'], rows: [['m1', 7, t, null]] },
      ])
    }
  })

  it('answers views that are not online, as of now, beside the one read of the others', async () => {
    const world = await smallWorld()
    const query = `{ customers(customerIds: [1, 3, 1]) { customerDaily { total } customerProfile { country freshness { source status } } }
      b: customer(customerId: 1) { customerProfile { age } } }`
    for (const reads of await readsOf(world, { query })) {
      expect(reads.online).toEqual([[daily(world, '{1}'), daily(world, '{3}')]])
      expect(joinsOf(reads)).toEqual([
        {
          views: ['customer_profile'],
          rows: [
            [1, now, null],
            [3, now, null],
          ],
        },
      ])
    }
    const answer = await world.run({ query })
    expect(answer.data?.['customers']).toEqual([
      {
        customerDaily: { total: 12.5 },
        customerProfile: { country: 'CH', freshness: { source: 'OFFLINE', status: 'PRESENT' } },
      },
      {
        customerDaily: { total: null },
        customerProfile: { country: 'AT', freshness: { source: 'OFFLINE', status: 'PRESENT' } },
      },
      {
        customerDaily: { total: 12.5 },
        customerProfile: { country: 'CH', freshness: { source: 'OFFLINE', status: 'PRESENT' } },
      },
    ])
  })

  it('joins views that are not online with those asked as of a time in one statement', async () => {
    const world = await smallWorld()
    const query = `{ a: customer(customerId: 1) { customerProfile { country } }
      b: customer(customerId: 1, asOf: "2026-11-23T11:00:00Z") { customerDaily { total } }
      c: customer(customerId: 1, knownAt: "2026-11-23T11:00:00Z") { customerDaily { total } } }`
    for (const reads of await readsOf(world, { query })) {
      expect(reads.online).toEqual([])
      expect(joinsOf(reads)).toEqual([
        {
          views: ['customer_daily', 'customer_profile'],
          rows: [
            [1, now, null],
            [1, t, null],
            [1, now, t],
          ],
        },
      ])
    }
  })
})

describe('a request', () => {
  it('may ask for as many entities as the limit, over all roots, counting a root that stands twice once', async () => {
    const world = await smallWorld({ maxEntities: 3 })
    const allowed = `query($ids: [Int64!]!) { ...A ...B c: customer(customerId: 9) { customerId } }
      fragment A on Query { customers(customerIds: $ids) { customerId } }
      fragment B on Query { customers(customerIds: $ids) { customerDaily { total } } }`
    expect(await world.run({ query: allowed, variables: { ids: [1, 2] } })).toMatchObject({
      data: { customers: [{ customerId: 1 }, { customerId: 2 }] },
    })
    world.forget()
    expect(await world.run({ query: allowed, variables: { ids: [1, 2, 3] } })).toEqual({
      errors: [
        {
          message: 'a request may ask for at most 3 entities, 4 came; split it',
          extensions: { code: 'LIMIT_EXCEEDED', requestId: 'request-1' },
        },
      ],
    })
    expect(world.reads).toEqual({ online: [], offline: [] })
  })

  it.each([
    { query: '{ customers(customerIds: [1, 2, 3, 4]) { customerId } }', came: 4 },
    {
      query:
        '{ a: customers(customerIds: [1, 2]) { customerId } b: customers(customerIds: [1, 2]) { customerId } }',
      came: 4,
    },
    {
      query:
        'query($rows: [CustomerAsOf!]!) { customersAsOf(rows: $rows) { customerId } a: customer(customerId: 1) { customerId } }',
      variables: { rows: [1, 2, 3].map((customerId) => ({ customerId, asOf: '2026-11-23T11:00:00Z' })) },
      came: 4,
    },
    {
      query: 'query($ids: [Int64!] = [1, 2, 3, 4]) { customers(customerIds: $ids) { customerId } }',
      came: 4,
    },
    {
      query: 'query($keys: [RiskV1Key!]!) { riskV1Columns(keys: $keys) { vectors } }',
      variables: {
        keys: Array.from({ length: 5 }, () => ({
          customerId: 1,
          merchantId: '',
          deviceNo: 1,
          amount: 1,
          byPhone: true,
        })),
      },
      came: 5,
    },
  ])('is refused beyond it, before anything is read: $query', async ({ came, ...operation }) => {
    const world = await smallWorld({ maxEntities: 3 })
    const { data, errors } = await world.run(operation)
    expect(data).toBeUndefined()
    expect(errors?.map(({ message }) => message)).toEqual([
      `a request may ask for at most 3 entities, ${came} came; split it`,
    ])
    expect(world.reads).toEqual({ online: [], offline: [] })
  })

  it('is not counted for what it skips, nor for the catalogue', async () => {
    const world = await smallWorld({ maxEntities: 1 })
    const query = `query($no: Boolean = false) { customers(customerIds: [1, 2, 3]) @include(if: $no) { customerId }
      entities { name } featureViews(tags: []) { name } a: customer(customerId: 1) { customerId } }`
    expect((await world.run({ query })).errors).toBeUndefined()
  })

  it('is reported of wrong variables first, whatever the length of the list', async () => {
    const world = await smallWorld({ maxEntities: 2 })
    const query = 'query($ids: [Int64!]!) { customers(customerIds: $ids) { customerId } }'
    const { errors } = await world.run({ query, variables: { ids: [1, 2, 'three'] } })
    expect(errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['BAD_USER_INPUT'])
  })

  it('is refused when its fragments multiply, before anybody walks them', async () => {
    const world = await smallWorld()
    const doubling = Array.from(
      { length: 20 },
      (_, level) => `fragment F${level} on Query { ...F${level + 1} ...F${level + 1} }`,
    )
    const last = 'fragment F20 on Query { customer(customerId: 1) { customerId } }'
    const { data, errors } = await world.run({ query: `{ ...F0 } ${doubling.join(' ')} ${last}` })
    expect(data).toBeUndefined()
    expect(errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['GRAPHQL_VALIDATION_FAILED'])
  })

  it('may follow the catalogue from entities to views and back once, through fragments too', async () => {
    const world = await smallWorld()
    const twice =
      '{ entities { featureViews { entity { ...E } } } } fragment E on Entity { featureViews { name } }'
    expect((await world.run({ query: twice })).errors).toBeUndefined()
    const thrice = `{ featureViews { entity { ...E } } }
      fragment E on Entity { featureViews { ... { entity { ...F } } } } fragment F on Entity { views: featureViews { name } }`
    expect(await world.run({ query: thrice })).toEqual({
      errors: [
        {
          message: "featureViews may be nested 2 deep; ask for one entity's views by name",
          locations: [{ line: 1, column: 1 }],
          extensions: { code: 'GRAPHQL_VALIDATION_FAILED', requestId: 'request-1' },
        },
      ],
    })
  })
})
