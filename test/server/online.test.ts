import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { writeOnline } from '../../src/ingest/materialize/write-online.ts'
import { openRowLayouts } from '../../src/online/row-layouts.ts'
import { blocksOf } from '../docs/doc-blocks.ts'
import { execute } from '../services/postgres.ts'
import { type RedisServer, startRedis } from '../services/redis.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import {
  type Answer,
  newProject,
  startTestGateway,
  type TestGateway,
  type TestRow,
} from './start-test-gateway.ts'

const second: Micros = 1_000_000
const hour: Micros = 3_600 * second
const day: Micros = 24 * hour
const allStatuses = 'freshness { status eventTimestamp createdTimestamp ageSeconds expiresAt source }'

/** The gateway's clock stands still unless a test moves it. It starts at the real time: Redis expires by that. */
const start = systemClock()
let now = start
const project = newProject()
let redis: RedisServer
let database: TestDatabase
let gateway: TestGateway
let client: Redis

beforeAll(async () => {
  ;[redis, database] = await Promise.all([startRedis(), createTestDatabase()])
  client = new Redis(redis.url)
  const settings = { PROJECT: project }
  const servers = { offlineUrl: database.url, onlineUrl: redis.url }
  gateway = await startTestGateway({ ...servers, settings, clock: () => now })
})
afterAll(async () => {
  await gateway?.close()
  client?.disconnect()
  await Promise.all([redis?.stop(), database?.drop()])
})

/** By graphql-js, while it is compiled, and compiled: the same answer, and no error. */
async function ask(query: string, variables: Record<string, unknown> = {}): Promise<Answer['data']> {
  const answer = await thrice(query, variables)
  expect(answer.errors).toBeUndefined()
  return answer.data
}

async function thrice(query: string, variables: Record<string, unknown> = {}): Promise<Answer> {
  const first = await gateway.ask(query, variables)
  expect(first.status).toBe(200)
  for (const again of [await gateway.ask(query, variables), await gateway.ask(query, variables)]) {
    expect(withoutIds(again)).toEqual(withoutIds(first))
    expect(again.status).toBe(200)
  }
  return first
}

function withoutIds({ data, errors }: Answer): unknown {
  return {
    data,
    errors: errors?.map((error) => ({ ...error, extensions: { ...error.extensions, requestId: null } })),
  }
}

const customer = (id: number | string, values: TestRow['values'], at: Micros): TestRow => ({
  key: { customer_id: id },
  values,
  at,
})

describe('the status of a row', () => {
  const query = `query Status($ids: [Int64!]!, $maxAge: Duration) {
    customers(customerIds: $ids) { customerRealtimeFeatures(maxAge: $maxAge) { amountLastHour ${allStatuses} } }
  }`
  beforeAll(async () => {
    await gateway.write('customer_realtime_features', [
      customer(101, { amount_last_hour: 1.5 }, start - 10 * second),
      customer(103, { amount_last_hour: 3 }, start - hour),
      customer(104, { amount_last_hour: 4 }, start - hour - 1),
    ])
  })
  const rowsOf = async (variables: Record<string, unknown>) =>
    (await ask(query, variables)).customers.map(
      (row: { customerRealtimeFeatures: unknown }) => row.customerRealtimeFeatures,
    )

  it('is PRESENT up to and including the ttl, OUTSIDE_TTL a microsecond later, NOT_FOUND without a row', async () => {
    const present = (amount: number, at: Micros, ageSeconds: number) => ({
      amountLastHour: amount,
      freshness: {
        status: 'PRESENT',
        eventTimestamp: formatTimestamp(at),
        createdTimestamp: formatTimestamp(at),
        ageSeconds,
        expiresAt: formatTimestamp(at + hour),
        source: 'ONLINE',
      },
    })
    expect(await rowsOf({ ids: [101, 102, 103, 104] })).toEqual([
      present(1.5, start - 10 * second, 10),
      {
        amountLastHour: null,
        freshness: {
          status: 'NOT_FOUND',
          eventTimestamp: null,
          createdTimestamp: null,
          ageSeconds: null,
          expiresAt: null,
          source: 'ONLINE',
        },
      },
      present(3, start - hour, 3_600),
      {
        amountLastHour: null,
        freshness: {
          status: 'OUTSIDE_TTL',
          eventTimestamp: formatTimestamp(start - hour - 1),
          createdTimestamp: formatTimestamp(start - hour - 1),
          ageSeconds: 3_600.000001,
          expiresAt: formatTimestamp(start - 1),
          source: 'ONLINE',
        },
      },
    ])
  })

  it('is the same by asOf, read offline', async () => {
    const asOf = `query AsOf($ids: [Int64!]!, $asOf: Timestamp) {
      customers(customerIds: $ids, asOf: $asOf) { customerRealtimeFeatures { amountLastHour freshness { status source ageSeconds } } }
    }`
    const { customers } = await ask(asOf, { ids: [101, 102, 103, 104], asOf: formatTimestamp(start) })
    const reported = customers.map(
      ({ customerRealtimeFeatures: { amountLastHour, freshness } }: never) =>
        [amountLastHour, freshness] as const,
    )
    expect(reported).toEqual([
      [1.5, { status: 'PRESENT', source: 'OFFLINE', ageSeconds: 10 }],
      [null, { status: 'NOT_FOUND', source: 'OFFLINE', ageSeconds: null }],
      [3, { status: 'PRESENT', source: 'OFFLINE', ageSeconds: 3_600 }],
      [null, { status: 'OUTSIDE_TTL', source: 'OFFLINE', ageSeconds: 3_600.000001 }],
    ])
  })

  it('is OUTSIDE_TTL by the caller’s maxAge, its bound included, each field by its own', async () => {
    const data = await ask(`{
      customer(customerId: 101) {
        within: customerRealtimeFeatures(maxAge: "10s") { amountLastHour freshness { status } }
        beyond: customerRealtimeFeatures(maxAge: "9999ms") { amountLastHour freshness { status } }
        ofTtl: customerRealtimeFeatures(maxAge: "9d") { amountLastHour freshness { status } }
        never: customerRealtimeFeatures(maxAge: null) { amountLastHour freshness { status } }
      }
      old: customer(customerId: 104) { customerRealtimeFeatures(maxAge: "9d") { freshness { status } } }
      asOf: customer(customerId: 101, asOf: "${formatTimestamp(start)}") {
        within: customerRealtimeFeatures(maxAge: "10s") { freshness { status } }
        beyond: customerRealtimeFeatures(maxAge: "9999ms") { freshness { status } }
      }
    }`)
    const present = { amountLastHour: 1.5, freshness: { status: 'PRESENT' } }
    expect(data).toEqual({
      customer: {
        within: present,
        beyond: { amountLastHour: null, freshness: { status: 'OUTSIDE_TTL' } },
        ofTtl: present,
        never: present,
      },
      old: { customerRealtimeFeatures: { freshness: { status: 'OUTSIDE_TTL' } } },
      asOf: {
        within: { freshness: { status: 'PRESENT' } },
        beyond: { freshness: { status: 'OUTSIDE_TTL' } },
      },
    })
    expect(await rowsOf({ ids: [101], maxAge: '9999ms' })).toMatchObject([
      { freshness: { status: 'OUTSIDE_TTL' } },
    ])
  })

  it('has age 0 for a row from ahead of the clock', async () => {
    now = start - 60 * second
    try {
      expect(await rowsOf({ ids: [101] })).toMatchObject([
        { amountLastHour: 1.5, freshness: { status: 'PRESENT', ageSeconds: 0 } },
      ])
    } finally {
      now = start
    }
  })

  it('is answered where a process of newer definitions has written it in a layout that was not known yet', async () => {
    const { registry, stores } = gateway.gateway
    const view = registry.views.find(({ name }) => name === 'merchant_profile')
    const [some] = view?.features ?? []
    if (view?.kind !== 'PLAIN' || !some) throw new Error('the world has a view merchant_profile')
    const place = view.features.findIndex(({ name }) => name === 'a_string')
    // The second one's layout is recorded within a second of the reading of the first one's.
    for (const added of ['added', 'added_later']) {
      const features = [{ ...some, name: added, id: added, type: 'bool' } as const, ...view.features]
      const newer = { ...view, features }
      const views = registry.views.map((one) => (one === view ? newer : one))
      const layouts = await openRowLayouts(
        project,
        { ...registry, views },
        stores.registry,
        stores.guardRecord,
      )
      const values = features.map((_, index) => (index === 0 ? true : index === place + 1 ? added : null))
      const row = { rowId: null, closing: false, isCurrent: true, createdTimestamp: null, values }
      const written = { ...row, key: [added], eventTimestamp: start - second }
      await writeOnline({ ...stores, ...layouts, clock: () => now }, newer, [written])
      const query = `{ merchant(merchantId: "${added}") { merchantProfile { aString freshness { status } } } }`
      for (const { data, errors } of await Promise.all([1, 2, 3].map(() => gateway.ask(query)))) {
        expect(errors).toBeUndefined()
        const answered = { aString: added, freshness: { status: 'PRESENT' } }
        expect(data).toEqual({ merchant: { merchantProfile: answered } })
      }
    }
  })

  it('is UNAVAILABLE where the stored bytes are not understood, whatever they are, and nothing else suffers', async () => {
    await gateway.write('merchant_profile', [
      {
        key: { merchant_id: 'whole' },
        values: { a_string: 'text', string_list: ['a', 'b'] },
        at: start - second,
      },
    ])
    const prefix = gateway.keyPrefix('merchant_profile')
    const whole = await client.getBuffer(`${prefix}{whole}`)
    if (whole === null) throw new Error('the row is not in Redis under the key that was expected')
    const changed = (offset: number, ...bytes: number[]): Buffer => {
      const copy = Buffer.from(whole)
      bytes.forEach((byte, index) => {
        copy[offset + index] = byte
      })
      return copy
    }
    const planted: Record<string, Buffer> = {
      text: Buffer.from('garbage'),
      empty: Buffer.alloc(0),
      head: whole.subarray(0, 32),
      cut: whole.subarray(0, whole.length - 1),
      format: changed(0, 2),
      fingerprint: changed(4, 1, 2, 3, 4),
      long: Buffer.from('x'.repeat(4_000)),
    }
    for (const [id, bytes] of Object.entries(planted)) await client.set(`${prefix}{${id}}`, bytes)
    const ids = [...Object.keys(planted), 'whole', 'nobody']
    const answer = await thrice(
      `query Unknown($ids: [String!]!) {
        merchants(merchantIds: $ids) { merchantProfile { aString stringList freshness { status eventTimestamp } } }
        customer(customerId: 101) { customerRealtimeFeatures { amountLastHour } }
      }`,
      { ids },
    )
    const broken = {
      merchantProfile: {
        aString: null,
        stringList: null,
        freshness: { status: 'UNAVAILABLE', eventTimestamp: null },
      },
    }
    expect(answer.data).toEqual({
      merchants: [
        ...Object.keys(planted).map(() => broken),
        {
          merchantProfile: {
            aString: 'text',
            stringList: ['a', 'b'],
            freshness: { status: 'PRESENT', eventTimestamp: formatTimestamp(start - second) },
          },
        },
        {
          merchantProfile: {
            aString: null,
            stringList: null,
            freshness: { status: 'NOT_FOUND', eventTimestamp: null },
          },
        },
      ],
      customer: { customerRealtimeFeatures: { amountLastHour: 1.5 } },
    })
    expect(answer.errors).toEqual([
      {
        message: expect.stringContaining('merchant_profile'),
        path: ['merchants', 0, 'merchantProfile'],
        extensions: {
          code: 'UNAVAILABLE',
          reason: 'UNKNOWN_LAYOUT',
          view: 'merchant_profile',
          count: Object.keys(planted).length,
          requestId: expect.any(String),
        },
      },
    ])
  })

  it('holds for any single byte of a stored row: an answer in time, never an internal error', async () => {
    const lists = {
      bool_list: [true, false],
      int32_list: [1],
      bytes_list: [Buffer.from('x')],
      string_list: ['y'],
    }
    await gateway.write('merchant_profile', [
      { key: { merchant_id: 'bitten' }, values: { a_string: 'text', ...lists }, at: start - second },
    ])
    const key = `${gateway.keyPrefix('merchant_profile')}{bitten}`
    const whole = await client.getBuffer(key)
    if (whole === null) throw new Error('the row is not in Redis under the key that was expected')
    const text =
      '{ merchant(merchantId: "bitten") { merchantProfile { aString boolList int32List bytesList stringList freshness { status } } } }'
    for (let offset = 32; offset < whole.length; offset += 1) {
      for (const byte of [0xff, 0x7f]) {
        const bitten = Buffer.from(whole)
        bitten[offset] = byte
        await client.set(key, bitten)
        const { status, errors } = await gateway.ask(text)
        expect([offset, status, (errors ?? []).map((error) => error.extensions.code)]).toEqual([
          offset,
          200,
          errors === undefined ? [] : ['UNAVAILABLE'],
        ])
      }
    }
  })
})

describe('a service', () => {
  const values =
    'count7d lifetimeEvents isVerified score isRooted eventsSeen deviceRiskScore anInt32 basketValue itemCount isGift'
  const names = [
    'count_7d',
    'lifetime_events',
    'is_verified',
    'score',
    'is_rooted',
    'events_seen',
    'device_risk_score',
    'an_int32',
    'basket_value',
    'item_count',
    'is_gift',
  ]
  const rowsQuery = `query Rows($keys: [CheckoutV1Key!]!, $asOf: Timestamp) {
    checkoutV1(keys: $keys, asOf: $asOf) { customerId merchantId deviceId ${values} vector names statuses defaulted }
  }`
  const columnsQuery = `query Columns($keys: [CheckoutV1Key!]!, $asOf: Timestamp) {
    checkoutV1Columns(keys: $keys, asOf: $asOf) { customerId merchantId deviceId ${values} vectors names statuses { ${values} } }
  }`
  const big = '9007199254740993'
  const full = {
    customerId: 201,
    merchantId: 'm1',
    deviceId: 7,
    basketValue: 12.5,
    itemCount: 3,
    isGift: true,
  }
  const strange = {
    customerId: 202,
    merchantId: 'm,{1}%',
    deviceId: -2147483648,
    basketValue: 0,
    isGift: null,
  }
  const unknown = { customerId: -1, merchantId: '', deviceId: 0, basketValue: -1.5 }

  beforeAll(async () => {
    await gateway.write('customer_transaction_features', [
      customer(201, { transaction_count_7d: 4 }, start - day),
    ])
    await gateway.write('customer_profile', [
      customer(201, { lifetime_events: big, is_verified: true, score: 0 }, start - second),
      customer(202, { lifetime_events: null, is_verified: false, score: null }, start - 400 * day),
    ])
    await gateway.write('device_risk', [
      {
        key: { merchant_id: 'm1', device_id: 7 },
        values: { is_rooted: false, events_seen: '-9223372036854775808', risk_score: 0.1 },
        at: start - second,
      },
      {
        key: { merchant_id: 'm,{1}%', device_id: -2147483648 },
        values: { is_rooted: true, events_seen: 9, risk_score: 0.9 },
        at: start - day - 1,
      },
    ])
    await gateway.write('merchant_profile', [
      { key: { merchant_id: 'm1' }, values: { an_int32: -5 }, at: start - second },
      { key: { merchant_id: '' }, values: {}, at: start - second },
    ])
    await client.set(`${gateway.keyPrefix('merchant_profile')}{m%2c%7b1%7d%25}`, 'unknown bytes')
  })

  it('answers rows whose vector is in declared order, with defaults for nulls of any status and only for nulls', async () => {
    const answer = await thrice(rowsQuery, { keys: [full, strange, unknown] })
    expect(answer.data.checkoutV1).toEqual([
      {
        customerId: 201,
        merchantId: 'm1',
        deviceId: 7,
        count7d: 4,
        lifetimeEvents: big,
        isVerified: true,
        score: 0,
        isRooted: false,
        eventsSeen: '-9223372036854775808',
        deviceRiskScore: Math.fround(0.1),
        anInt32: -5,
        basketValue: 12.5,
        itemCount: 3,
        isGift: true,
        vector: [4, 9007199254740992, 1, 0, 0, -(2 ** 63), Math.fround(0.1), -5, 12.5, 3, 1],
        names,
        statuses: Array(11).fill('PRESENT'),
        defaulted: [],
      },
      {
        customerId: 202,
        merchantId: 'm,{1}%',
        deviceId: -2147483648,
        count7d: null,
        lifetimeEvents: null,
        isVerified: false,
        score: null,
        isRooted: null,
        eventsSeen: null,
        deviceRiskScore: null,
        anInt32: null,
        basketValue: 0,
        itemCount: null,
        isGift: null,
        vector: [-1, 0, 0, 0.5, 0, 0, 0.25, 0, 0, 1, 0],
        names,
        statuses: [
          'NOT_FOUND',
          'NULL_VALUE',
          'PRESENT',
          'NULL_VALUE',
          'OUTSIDE_TTL',
          'OUTSIDE_TTL',
          'OUTSIDE_TTL',
          'UNAVAILABLE',
          'PRESENT',
          'NULL_VALUE',
          'NULL_VALUE',
        ],
        defaulted: [
          'count_7d',
          'lifetime_events',
          'score',
          'is_rooted',
          'events_seen',
          'device_risk_score',
          'an_int32',
          'item_count',
          'is_gift',
        ],
      },
      {
        customerId: -1,
        merchantId: '',
        deviceId: 0,
        count7d: null,
        lifetimeEvents: null,
        isVerified: null,
        score: null,
        isRooted: null,
        eventsSeen: null,
        deviceRiskScore: null,
        anInt32: null,
        basketValue: -1.5,
        itemCount: null,
        isGift: null,
        vector: [-1, 0, 0, 0.5, 0, 0, 0.25, 0, -1.5, 1, 0],
        names,
        statuses: [...Array(7).fill('NOT_FOUND'), 'NULL_VALUE', 'PRESENT', 'NULL_VALUE', 'NULL_VALUE'],
        defaulted: names.filter((name) => name !== 'basket_value'),
      },
    ])
    expect(answer.errors).toMatchObject([
      { path: ['checkoutV1', 1], extensions: { code: 'UNAVAILABLE', view: 'merchant_profile', count: 1 } },
    ])
  })

  it('answers the same by column as by row, in the keys’ order with duplicates, on both clocks', async () => {
    const keys = [unknown, full, strange, full, full]
    for (const asOf of [null, formatTimestamp(start)]) {
      const { checkoutV1: rows } = (await thrice(rowsQuery, { keys, asOf })).data
      const { checkoutV1Columns: columns } = (await thrice(columnsQuery, { keys, asOf })).data
      expect(rows.map((row: { customerId: number }) => row.customerId)).toEqual([-1, 201, 202, 201, 201])
      expect(columns.names).toEqual(names)
      expect(columns.vectors).toEqual(rows.map((row: { vector: number[] }) => row.vector))
      for (const name of ['customerId', 'merchantId', 'deviceId', ...values.split(' ')])
        expect([name, columns[name]]).toEqual([name, rows.map((row: Record<string, unknown>) => row[name])])
      values.split(' ').forEach((name, place) => {
        const byRow = rows.map((row: { statuses: string[] }) => row.statuses[place])
        expect([name, columns.statuses[name]]).toEqual([name, byRow])
      })
    }
  })

  it('answers empty lists for no keys', async () => {
    expect(
      await ask(
        `{ checkoutV1(keys: []) { vector } checkoutV1Columns(keys: []) { vectors customerId statuses { score } } }`,
      ),
    ).toEqual({
      checkoutV1: [],
      checkoutV1Columns: { vectors: [], customerId: [], statuses: { score: [] } },
    })
  })

  it('finds each entity by its own key, also where two entities have the same join keys in another order', async () => {
    const key = { payer: 1, payee: 2 }
    await gateway.write('transfer_stats', [{ key, values: { sent: 12 }, at: start - second }])
    await gateway.write('refund_stats', [{ key, values: { returned: 21 }, at: start - second }])
    const data = await ask(`{
      settlementV1(keys: [{ payer: 1, payee: 2 }, { payer: 2, payee: 1 }]) { payer payee sent returned }
      past: settlementV1(keys: [{ payer: 1, payee: 2 }], asOf: "${formatTimestamp(start)}") { sent returned }
    }`)
    expect(data).toEqual({
      settlementV1: [
        { payer: 1, payee: 2, sent: 12, returned: 21 },
        { payer: 2, payee: 1, sent: null, returned: null },
      ],
      past: [{ sent: 12, returned: 21 }],
    })
  })
})

describe('the two clocks', () => {
  const profile =
    'anInt32 anInt64 aFloat32 aFloat64 aString aBool aTimestamp someBytes int32List int64List float32List float64List stringList boolList timestampList bytesList anOldName'
  const scoreQuery = `query Score($id: String!, $asOf: Timestamp, $knownAt: Timestamp) {
    merchant(merchantId: $id, asOf: $asOf, knownAt: $knownAt) {
      merchantId
      merchantProfile { ${profile} freshness { status eventTimestamp createdTimestamp expiresAt ageSeconds } }
    }
  }`

  it('answer the same operation text alike for every type of value: asOf the event time gives what online gave', async () => {
    const versions = [
      {
        an_int32: -2147483648,
        an_int64: '9223372036854775807',
        a_float32: 0.1,
        a_float64: 5e-324,
        a_string: 'ünïcode 🙂 "quoted" \\ {braces}',
        a_bool: false,
        a_timestamp: -1,
        some_bytes: Buffer.from([0, 255, 92]),
        int32_list: [1, -1],
        int64_list: ['-9223372036854775808', 0],
        float32_list: [0.1, -0.1],
        float64_list: [1e300, -0],
        string_list: ['', 'a,b', 'NULL', '"', '\\', '{}'],
        bool_list: [true, false],
        timestamp_list: [start, 1],
        bytes_list: [Buffer.from([1]), Buffer.alloc(0)],
        old_name: 3,
      },
      { an_int32: 0, a_string: '', string_list: [], a_bool: true, a_float64: Number.NaN },
      { an_int64: '9007199254740993', a_timestamp: start },
    ]
    const reported: { at: Micros; data: unknown }[] = []
    try {
      for (const [index, values] of versions.entries()) {
        const at = start - (3 - index) * hour + 123_457
        now = at
        await gateway.write('merchant_profile', [
          { key: { merchant_id: 'both' }, values, at, created: at + 5 },
        ])
        reported.push({ at, data: await ask(scoreQuery, { id: 'both' }) })
      }
    } finally {
      now = start
    }
    expect(reported[0]?.data).toMatchObject({
      merchant: {
        merchantProfile: {
          anInt32: -2147483648,
          anInt64: '9223372036854775807',
          aFloat32: Math.fround(0.1),
          aFloat64: 5e-324,
          aString: 'ünïcode 🙂 "quoted" \\ {braces}',
          aTimestamp: '1969-12-31T23:59:59.999999Z',
          someBytes: 'AP9c',
          int64List: ['-9223372036854775808', 0],
          stringList: ['', 'a,b', 'NULL', '"', '\\', '{}'],
          bytesList: ['AQ==', ''],
          anOldName: 3,
        },
      },
    })
    expect(reported[1]?.data).toMatchObject({
      merchant: { merchantProfile: { aFloat64: null, stringList: [], aString: '' } },
    })
    for (const { at, data } of reported)
      expect(await ask(scoreQuery, { id: 'both', asOf: formatTimestamp(at) })).toEqual(data)
    const before = await ask(scoreQuery, { id: 'both', asOf: formatTimestamp(start - 3 * hour) })
    expect(before.merchant.merchantProfile.freshness.status).toBe('NOT_FOUND')
  })

  it('do not see by knownAt what arrived later; a null created timestamp is known always', async () => {
    const at = start - 2 * day
    const row = (id: number, score: number, created: Micros | null, event = at): TestRow => ({
      ...customer(id, { score }, event),
      created,
    })
    await gateway.write('customer_profile', [
      row(301, 0.1, at),
      row(301, 0.2, at + hour),
      row(301, 0.3, at + 2 * hour, at + second),
      row(302, 0.4, null),
    ])
    const query = `query Known($asOf: Timestamp, $knownAt: Timestamp) {
      customers(customerIds: [301, 302, 303], asOf: $asOf, knownAt: $knownAt) { customerProfile { score freshness { source } } }
    }`
    const scores = async (variables: Record<string, unknown>) =>
      (await ask(query, variables)).customers
        .map((one: never) => Object.values(one)[0])
        .map(({ score }: never) => score)
    expect(await scores({})).toEqual([0.3, 0.4, null])
    expect(await scores({ asOf: formatTimestamp(at) })).toEqual([0.2, 0.4, null])
    expect(await scores({ asOf: formatTimestamp(at), knownAt: formatTimestamp(at + hour - 1) })).toEqual([
      0.1,
      0.4,
      null,
    ])
    expect(await scores({ asOf: formatTimestamp(at), knownAt: formatTimestamp(at + hour) })).toEqual([
      0.2,
      0.4,
      null,
    ])
    expect(await scores({ asOf: formatTimestamp(at), knownAt: formatTimestamp(at - 1) })).toEqual([
      null,
      0.4,
      null,
    ])
    expect(await scores({ asOf: formatTimestamp(at - 1) })).toEqual([null, null, null])
    // Alone it means as of now.
    expect(await scores({ knownAt: formatTimestamp(at + hour) })).toEqual([0.2, 0.4, null])
    const { customers } = await ask(query, { knownAt: formatTimestamp(at + hour) })
    expect(customers[0].customerProfile.freshness.source).toBe('OFFLINE')
  })

  it('meet in a spine, where every row has its own times, order and duplicates kept', async () => {
    const t = start - 3 * day
    await gateway.write(
      'customer_profile',
      [1, 2, 3].map((n) => customer(311, { lifetime_events: n }, t + n * second)),
    )
    const rows = [3, 1, 2, 1, 0].map((n) => ({ customerId: '311', asOf: formatTimestamp(t + n * second) }))
    const query = `query Spine($rows: [CustomerAsOf!]!) {
      customersAsOf(rows: $rows) { customerId customerProfile { lifetimeEvents freshness { ageSeconds } } }
    }`
    const { customersAsOf } = await ask(query, {
      rows: [
        ...rows,
        { customerId: 311, asOf: formatTimestamp(t + 3 * second), knownAt: formatTimestamp(t + second) },
      ],
    })
    expect(customersAsOf.map((row: never) => Object.values(row))).toEqual([
      [311, { lifetimeEvents: 3, freshness: { ageSeconds: 0 } }],
      [311, { lifetimeEvents: 1, freshness: { ageSeconds: 0 } }],
      [311, { lifetimeEvents: 2, freshness: { ageSeconds: 0 } }],
      [311, { lifetimeEvents: 1, freshness: { ageSeconds: 0 } }],
      [311, { lifetimeEvents: null, freshness: { ageSeconds: null } }],
      [311, { lifetimeEvents: 1, freshness: { ageSeconds: 2 } }],
    ])
  })

  it('keep a row that has not come yet from the online store and from asOf now', async () => {
    const written = await gateway.write('customer_profile', [
      customer(312, { score: 1 }, start - second),
      customer(312, { score: 2 }, start + hour),
    ])
    expect(written).toEqual({ offline: 2, online: 1 })
    const query = `query Future($asOf: Timestamp) { customer(customerId: 312, asOf: $asOf) { customerProfile { score } } }`
    for (const [asOf, score] of [
      [null, 1],
      [formatTimestamp(start), 1],
      [formatTimestamp(start + hour), 2],
    ] as const)
      expect(await ask(query, { asOf })).toEqual({ customer: { customerProfile: { score } } })
  })

  it('are both offline for a view that is not online, and for a mapped one', async () => {
    await gateway.write('customer_segment', [
      customer(321, { segment: 'gold', spend_rank: 7 }, start - second),
    ])
    await execute(
      database.url,
      `insert into shop.orders values
         (1, 321, 10.25, '2026-01-02 03:04:05.678901', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z'),
         (3, 321, 30, null, '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z'),
         (2, 321, 20, 'infinity', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z'),
         (4, 322, 'NaN', 'infinity', '2026-01-02T00:00:00Z', null)`,
    )
    const query = `query Offline($asOf: Timestamp) {
      customers(customerIds: [321, 322], asOf: $asOf) {
        customerSegment { segment spendRank freshness { status source } }
        customerOrders { orderTotal shippedAt freshness { status source eventTimestamp } }
        customerProfile { freshness { source } }
      }
    }`
    const data = await ask(query)
    const order = (orderTotal: number | null) => ({
      orderTotal,
      shippedAt: null,
      freshness: { status: 'PRESENT', source: 'OFFLINE', eventTimestamp: '2026-01-02T00:00:00.000000Z' },
    })
    expect(data.customers).toEqual([
      {
        customerSegment: {
          segment: 'gold',
          spendRank: 7,
          freshness: { status: 'PRESENT', source: 'OFFLINE' },
        },
        customerOrders: order(30),
        customerProfile: { freshness: { source: 'ONLINE' } },
      },
      {
        customerSegment: {
          segment: null,
          spendRank: null,
          freshness: { status: 'NOT_FOUND', source: 'OFFLINE' },
        },
        // An infinite time and NaN are answered as null.
        customerOrders: order(null),
        customerProfile: { freshness: { source: 'ONLINE' } },
      },
    ])
    const past = await ask(query, { asOf: '2026-01-01T23:59:59.999999Z' })
    expect(past.customers[0].customerOrders.freshness.status).toBe('NOT_FOUND')
    expect(past.customers[0].customerProfile.freshness.source).toBe('OFFLINE')
  })
})

describe('a text that is sent again', () => {
  const asked: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    [blocksOf('README.md', 'graphql')[0] ?? '']: { id: 1 },
    [blocksOf('README.md', 'graphql').find((text) => text.includes('fraudDetectionV1')) ?? '']: {},
    'query($ids: [Int64!]!) { customers(customerIds: $ids) { customerId customerProfile { score isVerified } } }':
      {
        ids: [1, 2, '9007199254740993'],
      },
    '{ fraudDetectionV1Columns(keys: [{ customerId: 1, transactionAmount: 1 }]) { names vectors vectorsBase64 } }':
      {},
    '{ featureServices { name } }': {},
  }

  it.each(Object.entries(asked))(
    'has the same status, headers and bytes, past Apollo: %s',
    async (query, variables) => {
      const once = async () => {
        const response = await fetch(`${gateway.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-request-id': 'the-same' },
          body: JSON.stringify({ query, variables }),
        })
        const headers = Object.fromEntries([...response.headers].filter(([name]) => name !== 'date'))
        return { status: response.status, headers, text: await response.text() }
      }
      const first = await once()
      expect(JSON.parse(first.text).errors).toBeUndefined()
      expect(await once()).toEqual(first)
      const before = await gateway.metrics()
      expect(await once()).toEqual(first)
      const direct = 'featuregraph_operations_total{route="direct"}'
      expect((await gateway.metrics()).get(direct)).toBe((before.get(direct) ?? 0) + 1)
    },
  )
})

describe('what is read', () => {
  /** The commands that Redis saw meanwhile of requests: what reads or moves the guard alone is of the background. */
  async function watched(
    work: () => Promise<unknown>,
  ): Promise<{ commands: string[][]; calls: Record<string, number> }> {
    const monitor = await client.monitor()
    const seen: string[][] = []
    monitor.on('monitor', (_time: string, args: string[]) => seen.push(args))
    const [begin, end] = [randomUUID(), randomUUID()]
    await client.echo(begin)
    await work()
    await client.echo(end)
    const placeOf = (text: string): number => seen.findIndex(([, argument]) => argument === text)
    // The monitor may be behind.
    await expect.poll(() => placeOf(end)).toBeGreaterThan(0)
    monitor.disconnect()
    const isGuard = (part: string): boolean => part.startsWith('f:m:{guard')
    const commands = seen
      .slice(placeOf(begin) + 1, placeOf(end))
      .filter((command) => !command.some(isGuard) || command.length > 2)
      .filter(([name = '', ...rest]) => name.toLowerCase() === 'mget' || !rest.some(isGuard))
      .map((command) => command.filter((part) => !isGuard(part)))
    const calls: Record<string, number> = {}
    for (const [name = ''] of commands) calls[name.toLowerCase()] = (calls[name.toLowerCase()] ?? 0) + 1
    return { commands, calls }
  }

  it('is one MGET with each key once, whatever the query’s shape', async () => {
    const query = `query Shapes($ids: [Int64!]!, $keys: [CheckoutV1Key!]!, $fraud: [FraudDetectionV1Key!]!, $not: Boolean = false) {
      a: customer(customerId: 401) { ...Views }
      b: customer(customerId: "401") { customerProfile { score } again: customerProfile(maxAge: "1d") { score } }
      customers(customerIds: $ids) { ... on Customer { customerRealtimeFeatures { amountLastHour } } }
      more: customers(customerIds: $ids) { ...Views customerTransactionFeatures @include(if: $not) { transactionCount7d } }
      merchantDevices(keys: [{ merchantId: "m1", deviceId: 7 }, { deviceId: 7, merchantId: "m1" }]) { deviceRisk { isRooted } }
      merchant(merchantId: "m1") { merchantProfile { anInt32 } }
      checkoutV1(keys: $keys) { vector }
      checkoutV1Columns(keys: $keys) { vectors }
      fraudDetectionV1(keys: $fraud) { vector }
      nothing: customers(customerIds: [499]) { customerId }
      skipped: customer(customerId: 498) @skip(if: true) { ...Views }
    }
    fragment Views on Customer { customerProfile { score } customerRealtimeFeatures { amountLastHour } }`
    const variables = {
      ids: [401, 402, 402, 401, '403'],
      keys: [
        { customerId: 401, merchantId: 'm1', deviceId: 7, basketValue: 1 },
        { customerId: 404, merchantId: 'm2', deviceId: 7, basketValue: 1 },
      ],
      fraud: [{ customerId: 405, transactionAmount: 1 }],
    }
    const key = (view: string, suffix: string): string => `${gateway.keyPrefix(view)}{${suffix}}`
    const expected = [
      ...[401, 402, 403, 404].map((id) => key('customer_profile', String(id))),
      ...[401, 402, 403, 405].map((id) => key('customer_realtime_features', String(id))),
      ...[401, 404, 405].map((id) => key('customer_transaction_features', String(id))),
      ...['m1,7', 'm2,7'].map((id) => key('device_risk', id)),
      ...['m1', 'm2'].map((id) => key('merchant_profile', id)),
    ].sort()
    for (const engine of ['graphql-js', 'compiling', 'compiled']) {
      const { commands, calls } = await watched(() => gateway.ask(query, variables))
      expect([engine, calls]).toEqual([engine, { mget: 1 }])
      expect(commands.map(([name]) => name?.toLowerCase())).toEqual(['mget'])
      expect(commands[0]?.slice(1).sort()).toEqual(expected)
    }
  })

  it('is nothing for views that are skipped, entities without views, the catalogue and no keys', async () => {
    const query = `query Nothing($with: Boolean = false) {
      customer(customerId: 1) { customerId customerProfile @include(if: $with) { score } }
      customers(customerIds: []) { customerProfile { score } }
      checkoutV1(keys: []) { vector }
      featureViews { name }
    }`
    for (const variables of [{}, { with: false }, {}]) {
      const { calls } = await watched(async () => {
        const answer = await gateway.ask(query, variables)
        expect(answer.errors).toBeUndefined()
        expect(answer.data.customer).toEqual({ customerId: 1 })
      })
      expect(calls).toEqual({})
    }
    const { calls } = await watched(() => gateway.ask(query, { with: true }))
    expect(calls).toEqual({ mget: 1 })
  })

  it('is one command for a list above the size that joins others', async () => {
    const ids = Array.from({ length: 700 }, (_, index) => 10_000 + (index % 600))
    const query =
      'query Large($ids: [Int64!]!) { customers(customerIds: $ids) { customerProfile { score } } }'
    const { commands } = await watched(() => gateway.ask(query, { ids }))
    expect(commands.map((command) => [command[0]?.toLowerCase(), command.length - 1])).toEqual([
      ['mget', 600],
    ])
  })

  it('of concurrent requests is joined, and each gets its own rows', async () => {
    const ids = Array.from({ length: 40 }, (_, index) => 500 + index)
    await gateway.write(
      'customer_profile',
      ids.map((id) => customer(id, { lifetime_events: id * 10 }, start - second)),
    )
    const { calls } = await watched(async () => {
      // Without sockets between, so that they arrive in one turn of the event loop.
      const answers = await Promise.all(
        ids.map((id) =>
          gateway.gateway.app.inject({
            method: 'POST',
            url: '/graphql',
            headers: { host: 'localhost' },
            payload: {
              query:
                'query Own($id: Int64!) { customer(customerId: $id) { customerId customerProfile { lifetimeEvents } } }',
              variables: { id },
            },
          }),
        ),
      )
      expect(answers.map((answer) => answer.json().data.customer)).toEqual(
        ids.map((id) => ({ customerId: id, customerProfile: { lifetimeEvents: id * 10 } })),
      )
    })
    expect(Object.keys(calls)).toEqual(['mget'])
    expect(calls['mget']).toBeLessThanOrEqual(10)
  })

  it('by asOf is one statement per entity type, whatever the query’s shape', async () => {
    const asOf = formatTimestamp(start)
    const query = `{
      a: customer(customerId: 401, asOf: "${asOf}") { customerProfile { score } customerSegment { segment } }
      b: customers(customerIds: [401, 402], knownAt: "${asOf}") { customerRealtimeFeatures { amountLastHour } }
      c: customersAsOf(rows: [{ customerId: 401, asOf: "${asOf}" }]) { customerTransactionFeatures { transactionCount7d } }
      d: customer(customerId: 401) { customerSegment { segment } }
      merchant(merchantId: "m1", asOf: "${asOf}") { merchantProfile { anInt32 } }
    }`
    const reads = 'featuregraph_store_read_seconds_count{store="offline"}'
    const before = (await gateway.metrics()).get(reads) ?? 0
    await ask(query)
    expect(((await gateway.metrics()).get(reads) ?? 0) - before).toBe(3 * 2)
  })
})
