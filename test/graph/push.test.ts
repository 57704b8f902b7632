import { beforeEach, describe, expect, it } from 'vitest'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import type { Right } from '../../src/graph/context.ts'
import { day, now, type Operation, second, type World } from './run-operation.ts'
import { bigId, smallWorld } from './small-world.ts'

let world: World
beforeEach(async () => {
  world = await smallWorld({ maxEntities: 5 })
})

const caller = (...rights: readonly Right[]) => ({ caller: { name: 'writer', rights: new Set(rights) } })
const writer = caller('read', 'write')
const push = (operation: Operation) => world.run(operation, writer)
const time = formatTimestamp
const answer = '{ accepted rejected rows { row accepted online code message } }'
const recent = `mutation Push($rows: [CustomerRecentPush!]!, $to: PushTarget, $key: String) {
  pushCustomerRecent(rows: $rows, to: $to, idempotencyKey: $key) ${answer}
}`
const told = (row: number, online: string) => ({ row, accepted: true, online, code: null, message: null })

describe('a push', () => {
  it('takes values of every type by their GraphQL names, and both clocks answer them', async () => {
    const row = {
      customerId: '77',
      eventTimestamp: '2026-11-23T13:00:00.000000+01:00',
      total: 1.5,
      count: bigId,
      vip: false,
      segment: 's',
      scores: [1, 2.5],
      bigCounts: [1, bigId],
      lastSeen: '2026-11-20T00:00:00Z',
      photo: 'AP8=',
      visits: 3,
      ratio: 0.1,
    }
    const result = await push({
      query: `mutation($rows: [CustomerDailyPush!]!) { pushCustomerDaily(rows: $rows) ${answer} }`,
      variables: { rows: [row] },
    })
    expect(result).toEqual({
      data: { pushCustomerDaily: { accepted: 1, rejected: 0, rows: [told(0, 'WRITTEN')] } },
    })
    const fields =
      'total count vip segment scores bigCounts lastSeen photo visits ratio freshness { eventTimestamp createdTimestamp source }'
    const { data } = await world.run({
      query: `query($asOf: Timestamp!) {
        online: customer(customerId: 77) { customerDaily { ${fields} } }
        offline: customer(customerId: 77, asOf: $asOf) { customerDaily { ${fields} } }
        before: customer(customerId: 77, knownAt: "${time(now - 1)}") { customerDaily { total } }
      }`,
      variables: { asOf: time(now) },
    })
    const { customerId: _, eventTimestamp: __, ...values } = row
    const expected = {
      ...values,
      lastSeen: '2026-11-20T00:00:00.000000Z',
      ratio: Math.fround(0.1),
      freshness: { eventTimestamp: time(now), createdTimestamp: time(now) },
    }
    expect(data).toMatchObject({
      online: { customerDaily: { ...expected, freshness: { ...expected.freshness, source: 'ONLINE' } } },
      offline: { customerDaily: { ...expected, freshness: { ...expected.freshness, source: 'OFFLINE' } } },
      before: { customerDaily: { total: null } },
    })
  })

  it('takes the parts of a composite key', async () => {
    const rows = `[{ merchantId: "m9", deviceNo: 3, eventTimestamp: "${time(now)}", risk: 0.5 }]`
    expect((await push({ query: `mutation { pushDeviceRisk(rows: ${rows}) { accepted } }` })).data).toEqual({
      pushDeviceRisk: { accepted: 1 },
    })
    const query = '{ merchantDevice(key: { merchantId: "m9", deviceNo: 3 }) { deviceRisk { risk blocked } } }'
    expect((await world.run({ query })).data).toEqual({
      merchantDevice: { deviceRisk: { risk: 0.5, blocked: null } },
    })
  })

  it('answers per row what fits and what does not', async () => {
    const row = (customerId: number, at: number) => ({ customerId, eventTimestamp: time(at), count: 1 })
    const long = { merchantId: 'x'.repeat(2_000), deviceNo: 1, eventTimestamp: time(now), risk: 1e300 }
    expect(
      await push({ query: recent, variables: { rows: [row(1, now), row(1, now - 1), row(9, now + day)] } }),
    ).toEqual({
      data: {
        pushCustomerRecent: {
          accepted: 3,
          rejected: 0,
          rows: [told(0, 'WRITTEN'), told(1, 'OLDER'), told(2, 'NOT_YET')],
        },
      },
    })
    const { data } = await push({
      query: `mutation($rows: [DeviceRiskPush!]!) { pushDeviceRisk(rows: $rows) ${answer} }`,
      variables: { rows: [long] },
    })
    expect(data).toEqual({
      pushDeviceRisk: {
        accepted: 0,
        rejected: 1,
        rows: [
          {
            row: 0,
            accepted: false,
            online: 'NOT_ASKED',
            code: 'INVALID_ROW',
            message: expect.stringMatching(/merchant_id: expected .*; risk: expected a value within float32/),
          },
        ],
      },
    })
  })

  it('goes to both stores unless it is told otherwise; null is as if it were left out', async () => {
    const rows = [{ customerId: 5, eventTimestamp: time(now), count: 1 }]
    const outcome = async (variables: Readonly<Record<string, unknown>>) =>
      Object((await push({ query: recent, variables: { rows, ...variables } })).data)['pushCustomerRecent']
        .rows[0].online
    expect(await outcome({ to: 'OFFLINE' })).toBe('NOT_ASKED')
    expect([await outcome({}), await outcome({ to: null }), await outcome({ to: 'BOTH' })]).toEqual(
      Array(3).fill('WRITTEN'),
    )
    const segment = `mutation { pushCustomerProfile(rows: [{ customerId: 1, eventTimestamp: "${time(now)}" }]) { rows { online } } }`
    expect((await push({ query: segment })).data).toEqual({
      pushCustomerProfile: { rows: [{ online: 'NOT_ASKED' }] },
    })
  })

  it('is answered alike under an idempotency key, and refused with other rows or a key that is none', async () => {
    const rows = [{ customerId: 5, eventTimestamp: time(now), count: 1 }]
    const first = await push({ query: recent, variables: { rows, key: 'k' } })
    expect(await push({ query: recent, variables: { rows, key: 'k' } })).toEqual(first)
    for (const [key, message] of [
      ['k', /"k" was used with other rows/],
      ['', /1 to 255 characters/],
      ['x'.repeat(256), /1 to 255 characters/],
    ] as const) {
      const { data, errors } = await push({
        query: recent,
        variables: { rows: [...rows, ...rows], key },
      })
      expect(data).toBeNull()
      expect(errors?.[0]?.message).toMatch(message)
      expect(errors?.[0]?.extensions?.['code']).toBe('BAD_USER_INPUT')
    }
  })
})

describe('a push is refused as a whole', () => {
  const rows = [{ customerId: 5, eventTimestamp: time(now), count: 1 }]

  it.each([[caller('read')], [caller('read', 'admin')], [caller()]])(
    'without the right write',
    async (other) => {
      const { data, errors } = await world.run({ query: recent, variables: { rows } }, other)
      expect(data).toBeNull()
      expect(errors?.map(({ message, extensions }) => [message, extensions?.['code']])).toEqual([
        ['this needs the right "write"', 'FORBIDDEN'],
      ])
      expect(world.inserted).toHaveLength(0)
    },
  )

  it('when it has more rows than a request may ask for, over all its fields', async () => {
    const many = (count: number) => Array(count).fill(rows[0])
    expect((await push({ query: recent, variables: { rows: many(5) } })).errors).toBeUndefined()
    const query = `mutation($rows: [CustomerRecentPush!]!) {
      a: pushCustomerRecent(rows: $rows) { accepted } b: pushCustomerRecent(rows: $rows) { accepted }
    }`
    for (const operation of [
      { query: recent, variables: { rows: many(6) } },
      { query, variables: { rows: many(3) } },
    ]) {
      const { data, errors } = await push(operation)
      expect(data ?? null).toBeNull()
      expect(errors?.[0]?.extensions?.['code']).toBe('LIMIT_EXCEEDED')
    }
    expect(world.inserted).toHaveLength(1)
  })

  it.each([
    ['a float that is none', { amount: 'NaN' }],
    ['an infinite float', { amount: Number.POSITIVE_INFINITY }],
    ['an integer beyond 64 bits', { count: '9223372036854775808' }],
    ['a time without an offset', { eventTimestamp: '2026-01-01T00:00:00' }],
    ['no time', { eventTimestamp: null }],
    ['no key', { customerId: null }],
    ['an own created timestamp', { createdTimestamp: time(now) }],
    ['an unknown feature', { other: 1 }],
  ])('%s', async (_, wrong) => {
    const { data, errors } = await push({ query: recent, variables: { rows: [{ ...rows[0], ...wrong }] } })
    expect(data ?? null).toBeNull()
    expect(errors?.[0]?.extensions?.['code']).toBe('BAD_USER_INPUT')
    expect(world.inserted).toHaveLength(0)
  })
})

describe('the engines', () => {
  const several = `mutation($id: Int64!, $at: Timestamp!) {
    first: pushCustomerRecent(rows: [{ customerId: $id, eventTimestamp: $at, count: 1 }]) { rows { online } }
    other: pushDeviceRisk(rows: [{ merchantId: "s", deviceNo: 1, eventTimestamp: $at }]) { rows { online } }
    second: pushCustomerRecent(rows: [{ customerId: $id, eventTimestamp: $at, count: 2 }]) { rows { online } }
  }`
  const values = (from: number) => world.inserted.slice(from).map((rows) => rows[0]?.values[0] ?? null)

  it('run several pushes of one operation one after the other, once each, at every use alike', async () => {
    const variables = { id: 50, at: time(now) }
    const written = { rows: [{ online: 'WRITTEN' }] }
    for (let use = 0; use < 4; use += 1) {
      const operation = { query: several, variables }
      const before = world.inserted.length
      const result = use < 3 ? await push(operation) : await world.runPlain(operation, writer)
      expect(result).toEqual({ data: { first: written, other: written, second: written } })
      expect(values(before)).toEqual([1, null, 2])
    }
    const query = '{ customer(customerId: 50) { customerRecent { count } } }'
    expect((await world.run({ query })).data).toEqual({ customer: { customerRecent: { count: 2 } } })
  })

  it('never run a mutation twice, though it ends with an error and without data', async () => {
    const query = `mutation($rows: [CustomerRecentPush!]!, $key: String) {
      good: pushCustomerRecent(rows: $rows) { accepted }
      bad: pushCustomerRecent(rows: $rows, idempotencyKey: $key) { accepted }
      never: pushCustomerRecent(rows: $rows) { accepted }
    }`
    const rows = [{ customerId: 5, eventTimestamp: time(now - second), count: 1 }]
    for (let use = 1; use <= 4; use += 1) {
      const { data, errors } = await push({ query, variables: { rows, key: '' } })
      expect(data).toBeNull()
      expect(errors?.map(({ path }) => path?.[0])).toEqual(expect.arrayContaining(['bad']))
      // graphql-js goes on after a null that reaches the top only if it has not ended the operation.
      expect(world.inserted.length).toBe(use)
    }
    expect(world.engineEvents).not.toContain('repeated')
    expect(world.masked).toEqual([])
  })
})
