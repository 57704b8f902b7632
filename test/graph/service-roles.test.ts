import { entity, featureService, featureView, request } from 'featuregraph'
import { printType } from 'graphql'
import { beforeEach, describe, expect, it } from 'vitest'
import { hour, makeWorld, now, row, second, type World } from './run-operation.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const device = entity('device', { joinKeys: { customer_id: 'int64', device_no: 'int32' } })
const spending = featureView('spending', {
  entity: customer,
  ttl: '2h',
  features: { total: 'float64', limit: { type: 'float64', default: 5, expect: { max: 100 } } },
})
const profile = featureView('profile', { entity: customer, online: false, features: { age: 'int32' } })
const usage = featureView('usage', { entity: device, features: { logins: 'int64' } })

const payee = { customer_id: 'payee_id' }
const transfer = featureService('transfer_v1', [
  spending.pick('total', { name: 'limit', default: 7 }),
  request('amount', 'float64'),
  spending.as('payee', payee).pick('total', 'limit', { name: 'total', as: 'received', default: -1 }),
  usage.pick('logins'),
  usage.as('payee', payee).pick('logins'),
])
const ages = featureService('ages_v1', [profile.pick('age'), profile.as('payee', payee).pick('age')])

const fields = [
  ...['total', 'limit', 'amount', 'payeeTotal', 'payeeLimit', 'received', 'logins', 'payeeLogins'],
]
const names = [
  ...['total', 'limit', 'amount', 'payee__total', 'payee__limit', 'received', 'logins', 'payee__logins'],
]

let world: World
beforeEach(async () => {
  world = await makeWorld([customer, device, spending, profile, usage, transfer, ages])
  await world.write(
    'spending',
    row({ customer_id: 1 }, now - 3 * hour, { total: 100, limit: 40 }),
    row({ customer_id: 1 }, now - hour, { total: 10, limit: 20 }),
    row({ customer_id: 2 }, now - 2.5 * hour, { total: 7, limit: 400 }),
    row({ customer_id: 3 }, now - second, { total: 30, limit: 400 }),
  )
  await world.write('profile', row({ customer_id: 1 }, now - hour, { age: 41 }))
  await world.write(
    'usage',
    row({ customer_id: 1, device_no: 5 }, now - hour, { logins: 1 }),
    row({ customer_id: 3, device_no: 5 }, now - hour, { logins: 3 }),
  )
  world.forget()
})

const key = (customerId: number, payeeId: number) => ({ customerId, payeeId, deviceNo: 5, amount: 0.5 })

async function ask(keys: readonly object[], asOf?: string) {
  const { data, errors } = await world.run({
    query: `query ($keys: [TransferV1Key!]!, $asOf: Timestamp) {
      rows: transferV1(keys: $keys, asOf: $asOf) { customerId payeeId deviceNo ${fields.join(' ')}
        vector names statuses defaulted violations { feature rule } }
      columns: transferV1Columns(keys: $keys, asOf: $asOf) { names vectors customerId payeeId ${fields.join(' ')}
        statuses { ${fields.join(' ')} } } }`,
    variables: { keys, ...(asOf !== undefined && { asOf }) },
  })
  expect(errors).toBeUndefined()
  return data as {
    readonly rows: readonly Record<string, unknown>[]
    readonly columns: Record<string, never>
  }
}

describe('a service with one entity as payer and as payee', () => {
  it('takes a key of each and answers the features of each under their names', async () => {
    const { rows } = await ask([key(1, 3), key(3, 2), key(9, 9)])
    expect(rows).toEqual([
      {
        ...{ customerId: 1, payeeId: 3, deviceNo: 5, names },
        ...{ total: 10, limit: 20, amount: 0.5, payeeTotal: 30, payeeLimit: 400, received: 30 },
        ...{ logins: 1, payeeLogins: 3 },
        vector: [10, 20, 0.5, 30, 400, 30, 1, 3],
        statuses: fields.map(() => 'PRESENT'),
        defaulted: [],
        violations: [{ feature: 'payee__limit', rule: 'MAX' }],
      },
      {
        ...{ customerId: 3, payeeId: 2, deviceNo: 5, names },
        ...{ total: 30, limit: 400, amount: 0.5, payeeTotal: null, payeeLimit: null, received: null },
        ...{ logins: 3, payeeLogins: null },
        vector: [30, 400, 0.5, 0, 5, -1, 3, 0],
        statuses: [
          ...['PRESENT', 'PRESENT', 'PRESENT', 'OUTSIDE_TTL', 'OUTSIDE_TTL', 'OUTSIDE_TTL'],
          ...['PRESENT', 'NOT_FOUND'],
        ],
        defaulted: ['payee__total', 'payee__limit', 'received', 'payee__logins'],
        violations: [{ feature: 'limit', rule: 'MAX' }],
      },
      {
        ...{ customerId: 9, payeeId: 9, deviceNo: 5, names },
        ...{ total: null, limit: null, amount: 0.5, payeeTotal: null, payeeLimit: null, received: null },
        ...{ logins: null, payeeLogins: null },
        vector: [0, 7, 0.5, 0, 5, -1, 0, 0],
        statuses: names.map((name) => (name === 'amount' ? 'PRESENT' : 'NOT_FOUND')),
        defaulted: names.filter((name) => name !== 'amount'),
        violations: [],
      },
    ])
  })

  it('answers the same by column, as of now and at the time of each row', async () => {
    const keys = [key(1, 3), key(3, 2), key(9, 9), key(1, 1)]
    const online = await ask(keys)
    expect(await ask(keys, '2026-11-23T12:00:00Z')).toEqual(online)
    const { columns, rows } = online
    expect(columns['names']).toEqual(names)
    expect(columns['vectors']).toEqual(rows.map(({ vector }) => vector))
    for (const field of ['customerId', 'payeeId', ...fields])
      expect(columns[field]).toEqual(rows.map((one) => one[field]))
    fields.forEach((field, place) => {
      expect(columns['statuses']?.[field]).toEqual(
        rows.map(({ statuses }) => (statuses as readonly string[])[place]),
      )
    })
    const { data } = await world.run({
      query: `query ($rows: [TransferV1AsOf!]!) { transferV1AsOf(rows: $rows) { nodes { row {
        customerId payeeId deviceNo ${fields.join(' ')} vector names statuses defaulted violations { feature rule } } } } }`,
      variables: { rows: keys.map((one) => ({ ...one, asOf: '2026-11-23T12:00:00Z' })) },
    })
    expect(data?.['transferV1AsOf']).toEqual({ nodes: rows.map((one) => ({ row: one })) })
  })

  it('reads the online store once for both, and equal keys once', async () => {
    await ask([key(1, 3), key(3, 1), key(1, 1)])
    const prefixOf = (name: string): string => {
      const view = world.registry.views.find((one) => one.name === name)
      return view && view.kind !== 'STREAM' ? world.layouts.keyPrefix(view, 0) : ''
    }
    expect(world.reads.online.map((keys) => [...keys].sort())).toEqual([
      [
        ...['{1}', '{3}'].map((suffix) => prefixOf('spending') + suffix),
        ...['{1,5}', '{3,5}'].map((suffix) => prefixOf('usage') + suffix),
      ].sort(),
    ])
    expect(world.reads.offline).toEqual([])
  })

  it('reads the offline store by one statement an entity for both, and equal rows once', async () => {
    await ask([key(1, 3), key(3, 1), key(1, 1)], '2026-11-23T11:30:00Z')
    const asOf = now - hour / 2
    expect(
      world.reads.offline.map(({ views, rows }) => [
        views.map(({ name }) => name),
        rows.map((one) => [...one.key, one.asOf]),
      ]),
    ).toEqual([
      [
        ['spending'],
        [
          [1, asOf],
          [3, asOf],
        ],
      ],
      [
        ['usage'],
        [
          [1, 5, asOf],
          [3, 5, asOf],
        ],
      ],
    ])
    expect(world.reads.online).toEqual([])
    world.forget()
    // As of now, since the view is not online.
    const { data } = await world.run({
      query:
        '{ agesV1(keys: [{ customerId: 1, payeeId: 2 }, { customerId: 2, payeeId: 1 }]) { age payeeAge } }',
    })
    expect(data?.['agesV1']).toEqual([
      { age: 41, payeeAge: null },
      { age: null, payeeAge: 41 },
    ])
    expect(world.reads.offline.map(({ rows }) => rows.map((one) => one.key))).toEqual([[[1], [2]]])
  })

  it('finds a customer that is deleted in neither role', async () => {
    const { data } = await world.run(
      { query: 'mutation { deleteCustomer(customerId: 3) { entity } }' },
      { caller: { name: 'test', rights: new Set(['admin']) } },
    )
    expect(data).toEqual({ deleteCustomer: { entity: 'customer' } })
    const { rows } = await ask([key(3, 1), key(1, 3)])
    expect(rows.map((one) => [one['total'], one['payeeTotal']])).toEqual([
      [null, 10],
      [10, null],
    ])
  })

  it('marks the features of both unavailable where the store does not answer', async () => {
    world.breakStore('online')
    const { data, errors } = await world.run({
      query: `query ($keys: [TransferV1Key!]!) { transferV1(keys: $keys) { names statuses } }`,
      variables: { keys: [key(1, 3)] },
    })
    expect(data?.['transferV1']).toEqual([
      { names, statuses: names.map((name) => (name === 'amount' ? 'PRESENT' : 'UNAVAILABLE')) },
    ])
    expect(errors?.length).toBeGreaterThan(0)
  })

  it('is shown in the catalogue with the role of each value, and its key says whose it is', async () => {
    const { data } = await world.run({ query: '{ featureServices { name vector { name view role } } }' })
    const services = data?.['featureServices'] as readonly { readonly vector: readonly object[] }[]
    expect(services[0]?.vector.slice(1, 4)).toEqual([
      { name: 'limit', view: 'spending', role: null },
      { name: 'amount', view: null, role: null },
      { name: 'payee__total', view: 'spending', role: 'payee' },
    ])
    const type = world.schema.getType('TransferV1Key')
    expect(type && printType(type)).toMatchInlineSnapshot(`
      """"
      Every distinct join key of the service's entities, then its request values.
      """
      input TransferV1Key {
        customerId: Int64!

        """The customer_id of customer and device as payee."""
        payeeId: Int64!
        deviceNo: Int!
        amount: Float!
      }"
    `)
    const statuses = world.schema.getType('TransferV1Statuses')
    expect(statuses && printType(statuses)).toMatchInlineSnapshot(`
      "type TransferV1Statuses {
        total: [FeatureStatus!]!
        limit: [FeatureStatus!]!
        amount: [FeatureStatus!]!
        payeeTotal: [FeatureStatus!]!
        payeeLimit: [FeatureStatus!]!
        received: [FeatureStatus!]!
        logins: [FeatureStatus!]!
        payeeLogins: [FeatureStatus!]!
      }"
    `)
  })
})
