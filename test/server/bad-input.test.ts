import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { type AnswerError, startTestGateway, type TestGateway } from './start-test-gateway.ts'

const maxEntities = 10
const maxBodyBytes = 64 * 1_024
let database: TestDatabase
/** Much longer than a busy machine needs for any request here. */
const heldUpMs = 60_000
let gateway: TestGateway

beforeAll(async () => {
  database = await createTestDatabase()
  gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: inject('redisUrl'),
    settings: { MAX_ENTITIES: String(maxEntities), MAX_BODY_BYTES: String(maxBodyBytes) },
  })
})
afterAll(async () => {
  await gateway?.close()
  await database?.drop()
})

/** Code → HTTP statuses, from the table of docs/asking.md: the one documented list. */
function documentedCodes(): ReadonlyMap<string, readonly number[]> {
  const asking = readFileSync(new URL('../../docs/asking.md', import.meta.url), 'utf8')
  const [, table = ''] = asking.split(/^## Errors$/m)
  const codes = new Map<string, readonly number[]>()
  for (const [, names = '', statuses = ''] of table.matchAll(/^\| ((?:`[A-Z_]+`(?:, )?)+) \| ([\d, ]+) \|/gm))
    for (const [name] of names.matchAll(/[A-Z_]+/g)) codes.set(name, statuses.split(', ').map(Number))
  return codes
}
const documented = documentedCodes()

interface Refusal {
  readonly status: number
  readonly text: string
  readonly errors: readonly AnswerError[]
}

/** A refusal is JSON in one shape, from the documented list, and says nothing of the inside. */
function expectRefusal(status: number, text: string, headers?: Headers): Refusal {
  expect(status).toBeGreaterThanOrEqual(400)
  expect(status, text).toBeLessThan(500)
  if (headers)
    expect(headers.get('content-type')).toMatch(/^application\/(?:graphql-response\+)?json; charset=utf-8$/)
  const { errors, data } = JSON.parse(text) as { errors: readonly AnswerError[]; data?: unknown }
  expect(data ?? null).toBeNull()
  expect(errors.length).toBeGreaterThan(0)
  for (const { message, extensions } of errors) {
    expect([...documented.keys()], text).toContain(extensions.code)
    expect([extensions.code, documented.get(extensions.code)]).toEqual([
      extensions.code,
      expect.arrayContaining([status]),
    ])
    expect(message).not.toBe('')
    expect(Object.keys(extensions).sort()).toEqual(['code', 'requestId'])
  }
  expectNoLeak(text)
  return { status, text, errors }
}

function expectNoLeak(text: string): void {
  const { port, hostname } = new URL(database.url)
  for (const secret of [
    /\bat [\w.<>]{1,80} \(|:\d+:\d+\)/,
    /node_modules|\/work\/|file:\/\//,
    /\.[jt]s\b/,
    /\bselect\b.{0,200}\bfrom\b|\bunnest\b|sqlstate|relation "|pg_/i,
    /postgres|redis|mget|ioredis|econn|socket/i,
    /call stack|RangeError|TypeError|undefined is not|Cannot read/,
    /f:[\w-]{4}:/,
    new RegExp(`\\b${port}\\b`),
    new RegExp(hostname.replaceAll('.', '\\.')),
    new RegExp(`\\b${new URL(inject('redisUrl')).port}\\b`),
  ])
    expect(text).not.toMatch(secret)
}

async function post(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = { 'content-type': 'application/json' },
) {
  const response = await fetch(`${gateway.url}/graphql`, { method: 'POST', headers, body })
  return { status: response.status, text: await response.text(), headers: response.headers }
}

async function refused(
  body: string | Uint8Array<ArrayBuffer>,
  headers?: Record<string, string>,
): Promise<Refusal> {
  const answer = await post(body, headers)
  return expectRefusal(answer.status, answer.text, answer.headers)
}

const withoutIds = (errors: readonly AnswerError[]) =>
  errors.map(({ message, path, extensions: { code } }) => ({ message, path, code }))
const codesOf = ({ errors }: Refusal) => [...new Set(errors.map((error) => error.extensions.code))]

/** The same three times: by graphql-js, at the use that compiles, and compiled. */
async function refusedThrice(query: string, variables: unknown = {}): Promise<Refusal> {
  const body = JSON.stringify({ query, variables })
  const first = await refused(body)
  for (const again of [await refused(body), await refused(body)]) {
    expect(again.status).toBe(first.status)
    expect(withoutIds(again.errors)).toEqual(withoutIds(first.errors))
  }
  return first
}

let operations = 0

it('has a documented list of codes', () => {
  expect(documented.get('BAD_USER_INPUT')).toEqual([400])
  expect(documented.size).toBeGreaterThan(8)
})

describe('a value in a variable is BAD_USER_INPUT', () => {
  const profile = '{ customerProfile { score } }'
  const raw = (text: string) => ({ raw: text })
  const tables: Record<string, { type: string; query: string; good: unknown[]; bad: unknown[] }> = {
    int64: {
      type: 'Int64!',
      query: `customer(customerId: $v) ${profile}`,
      good: [
        1,
        '1',
        -1,
        '-9223372036854775808',
        '9223372036854775807',
        9007199254740991,
        raw('-0'),
        raw('1.0'),
        raw('1e3'),
      ],
      bad: [
        ...['x', '', ' 1', '1 ', '1\n', '+1', '01', '-0', '1.0', '1e3', '0x10', '1_000', '١', '1\0', 'NaN'],
        ...['9223372036854775808', '-9223372036854775809', '9'.repeat(400)],
        ...[
          1.5,
          9007199254740992,
          raw('9007199254740993'),
          raw('-9007199254740993'),
          raw('1e400'),
          raw('1e19'),
        ],
        ...[true, null, {}, [], [1], undefined],
      ],
    },
    'list of int64': {
      type: '[Int64!]!',
      query: `customers(customerIds: $v) ${profile}`,
      good: [[], [1], 1, '1', ['1', 1]],
      bad: [[null], [1, 'x'], [[1]], { length: 1 }, null, undefined, 'x', [{}]],
    },
    int32: {
      type: 'Int!',
      query: 'merchantDevice(key: { merchantId: "m", deviceId: $v }) { deviceRisk { isRooted } }',
      good: [0, 2147483647, -2147483648],
      bad: [2147483648, -2147483649, 1.5, '1', true, null, raw('1e400'), [1], {}, undefined],
    },
    string: {
      type: 'String!',
      query: 'merchant(merchantId: $v) { merchantProfile { anInt32 } }',
      good: ['m', '', 'x'.repeat(1_024), 'é'.repeat(512), '🙂', '\u0001', '__proto__', '\ud83d\ude42'],
      bad: [
        ...['a\0b', '\0', '\ud800', 'x\udfff', '\ude42\ud83d', 'x'.repeat(1_025), 'é'.repeat(513)],
        ...[5, true, null, {}, ['a'], undefined],
      ],
    },
    timestamp: {
      type: 'Timestamp!',
      query: `customer(customerId: 1, asOf: $v) ${profile}`,
      good: [
        '2026-01-01T00:00:00Z',
        '2026-01-01T00:00:00.123456+05:30',
        '2026-01-01t00:00:00z',
        '2024-02-29T23:59:59-23:59',
      ],
      bad: [
        ...['2026-01-01T00:00:00', '2026-01-01', '2026-01-01T00:00:00.1234567891Z', '9999-12-31T23:59:59Z'],
        ...['2256-01-01T00:00:00Z', '1600-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '12026-01-01T00:00:00Z'],
        ...['2026-02-29T00:00:00Z', '2026-13-01T00:00:00Z', '2026-01-01T24:00:00Z', '2026-01-01T00:00:60Z'],
        ...[
          '2026-01-01T00:00:00+24:00',
          '2026-01-01T00:00:00+010',
          '2026-01-01T00:00:00 Z',
          '2026-01-01T00:00Z',
        ],
        ...[
          '2026-01-01T00:00:00.Z',
          '2026-01-01T00:00:00Z\n',
          ' 2026-01-01T00:00:00Z',
          '2026-01-01T00:00:00ZZ',
        ],
        ...['now', 'infinity', '-infinity', '', 'Thu, 01 Jan 2026 00:00:00 GMT', '20260101T000000Z'],
        ...[1767225600, 1767225600000000, true, {}, [], null, undefined],
      ],
    },
    duration: {
      type: 'Duration!',
      query: 'customer(customerId: 1) { customerProfile(maxAge: $v) { score } }',
      good: ['0s', '250ms', '90d', '104249d'],
      bad: [
        ...[
          '',
          '1',
          'h',
          '1.5h',
          '-1h',
          '+1h',
          '1 h',
          ' 1h',
          '1h ',
          '1w',
          '1H',
          '1h30m',
          '9999999999d',
          '999999999d',
        ],
        ...[5, 0, true, {}, null, undefined],
      ],
    },
    'a request value': {
      type: 'CheckoutV1Key!',
      query: 'checkoutV1(keys: [$v]) { vector }',
      good: [
        { customerId: 1, merchantId: 'm', deviceId: 1, basketValue: 1 },
        { customerId: '1', merchantId: 'm', deviceId: 1, basketValue: 1.5, itemCount: null, isGift: false },
      ],
      bad: [
        ...['1', true, null, raw('1e400'), [1], undefined].map((basketValue) => ({ basketValue })),
        ...[2 ** 31, 1.5, '1', true].map((itemCount) => ({ basketValue: 1, itemCount })),
        ...[0, 1, 'true'].map((isGift) => ({ basketValue: 1, isGift })),
        { basketValue: 1, unknownField: 1 },
        { basketValue: 1, customerId: 'x' },
        { basketValue: 1, merchantId: 'a\0b' },
        { basketValue: 1, deviceId: null },
      ].map((fields) => ({ customerId: 1, merchantId: 'm', deviceId: 1, ...fields })),
    },
    'a spine row': {
      type: 'CustomerAsOf!',
      query: 'customersAsOf(rows: [$v]) { customerId }',
      good: [{ customerId: 1, asOf: '2026-01-01T00:00:00Z', knownAt: null }],
      bad: [
        { customerId: 1 },
        { customerId: 1, asOf: null },
        { customerId: 1, asOf: '2026-01-01' },
        { customerId: 'x', asOf: '2026-01-01T00:00:00Z' },
        { asOf: '2026-01-01T00:00:00Z' },
        { customerId: 1, asOf: '2026-01-01T00:00:00Z', knownAt: 'now' },
        [],
      ],
    },
    'a tag': {
      type: '[TagInput!]',
      query: 'featureViews(tags: $v) { name }',
      good: [null, [], [{ key: 'a', value: 'b' }], { key: 'a', value: 'b' }],
      bad: ['x', [{ key: 'a' }], [{ key: 1, value: 'b' }], [null], [{ key: 'a', value: 'b', other: 1 }]],
    },
  }

  /** `raw` values are written into the JSON as they stand: numbers that JavaScript cannot hold. */
  function bodyOf(query: string, value: unknown): string {
    const raws: string[] = []
    const json = JSON.stringify({ query, variables: { v: value } }, (_key, item: unknown) => {
      if (typeof item !== 'object' || item === null || !('raw' in item)) return item
      return `raw ${raws.push(String(item.raw)) - 1}`
    })
    return json.replace(/"raw (\d+)"/g, (_match, index: string) => raws[Number(index)] ?? '')
  }

  it.each(Object.keys(tables))('%s, before the operation is compiled and after', async (name) => {
    const table = tables[name]
    if (!table) throw new Error(`no table ${name}`)
    const { type, query, good, bad } = table
    for (const value of bad) {
      operations += 1
      const text = `query Bad${operations}($v: ${type}) { ${query} }`
      const body = bodyOf(text, value)
      const fresh = await refused(body)
      expect([body, codesOf(fresh), fresh.status]).toEqual([body, ['BAD_USER_INPUT'], 400])
      for (const usable of [good[0], good[0], good[0]]) {
        const answer = await post(bodyOf(text, usable))
        expect([answer.status, JSON.parse(answer.text).errors]).toEqual([200, undefined])
      }
      const compiled = await refused(body)
      expect(withoutIds(compiled.errors)).toEqual(withoutIds(fresh.errors))
    }
    for (const value of good) {
      const body = bodyOf(`query Good($v: ${type}) { ${query} }`, value)
      const answer = await post(body)
      expect([body, answer.status, JSON.parse(answer.text).errors]).toEqual([body, 200, undefined])
    }
  })

  it('does not quote digits that JSON has rounded as if they were the caller’s', async () => {
    const text = 'query Rounded($v: Int64!) { customer(customerId: $v) { customerId } }'
    for (const digits of ['9007199254740993', '-9007199254740993', '12345678901234567890123', '1e22'])
      expect((await refused(bodyOf(text, { raw: digits }))).text).not.toMatch(/\d{16}|1e\+?22/)
  })

  it('is reported as such also when there are more wrong values than are listed', async () => {
    const query = 'query Many($ids: [Int64!]!) { customers(customerIds: $ids) { customerId } }'
    for (const count of [5, 60, 2_000]) {
      const { status, errors } = await refusedThrice(query, { ids: Array(count).fill('x') })
      expect([count, status, [...new Set(errors.map((error) => error.extensions.code))]]).toEqual([
        count,
        400,
        ['BAD_USER_INPUT'],
      ])
      expect(errors.length).toBeLessThanOrEqual(51)
    }
    const row = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`x${index}`, 1]))
    const spine = 'query Rows($rows: [CustomerAsOf!]!) { customersAsOf(rows: $rows) { customerId } }'
    const within = await refusedThrice(spine, { rows: Array(5).fill(row) })
    expect([codesOf(within), within.errors.length <= 51]).toEqual([['BAD_USER_INPUT'], true])
  })

  it('is reported as such when the variables are not the operation’s', async () => {
    const query = 'query Own($v: Int64!) { customer(customerId: $v) { customerId } }'
    expect(codesOf(await refusedThrice(query, {}))).toEqual(['BAD_USER_INPUT'])
    expect(codesOf(await refusedThrice(query, { other: 1 }))).toEqual(['BAD_USER_INPUT'])
    const answer = await gateway.ask(query, { v: 1, other: 1, constructor: 1, toString: 2 })
    expect(answer.status).toBe(200)
  })
})

describe('a document', () => {
  const documents: Record<string, readonly string[]> = {
    GRAPHQL_VALIDATION_FAILED: [
      '{ customer(customerId: 1) { customerProfile { noSuchFeature } } }',
      '{ customer(customerId: 1) { noSuchView { score } } }',
      '{ customer(customerId: 1) { customerProfile } }',
      '{ noSuchRoot }',
      '{ customer { customerId } }',
      '{ customer(customerId: 1, other: 2) { customerId } }',
      '{ customer(customerId: 1.5) { customerId } }',
      '{ customer(customerId: true) { customerId } }',
      '{ customer(customerId: "x") { customerId } }',
      '{ customer(customerId: 9223372036854775808) { customerId } }',
      '{ customer(customerId: -9223372036854775809) { customerId } }',
      '{ customer(customerId: null) { customerId } }',
      '{ customer(customerId: {}) { customerId } }',
      '{ customer(customerId: ENUM) { customerId } }',
      '{ customers(customerIds: [1, null]) { customerId } }',
      '{ customers(customerIds: [[1]]) { customerId } }',
      '{ merchant(merchantId: 5) { merchantId } }',
      '{ merchantDevice(key: { merchantId: "m", deviceId: 2147483648 }) { deviceId } }',
      '{ merchantDevice(key: { merchantId: "m" }) { deviceId } }',
      '{ merchantDevice(key: { merchantId: "m", deviceId: 1, x: 1 }) { deviceId } }',
      '{ customer(customerId: 1, asOf: "2026-01-01T00:00:00") { customerId } }',
      '{ customer(customerId: 1, asOf: "2026-01-01T00:00:00.1234567891Z") { customerId } }',
      '{ customer(customerId: 1, asOf: "9999-01-01T00:00:00Z") { customerId } }',
      '{ customer(customerId: 1, asOf: 1767225600) { customerId } }',
      '{ customer(customerId: 1) { customerProfile(maxAge: "1w") { score } } }',
      '{ customer(customerId: 1) { customerProfile(maxAge: 5) { score } } }',
      'query($v: String!) { customer(customerId: $v) { customerId } }',
      'query($v: NoSuchType!) { customer(customerId: $v) { customerId } }',
      'query($v: Int64! = "x") { customer(customerId: $v) { customerId } }',
      'query($v: Int64!) { __typename }',
      '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }',
      '{ ...Missing }',
      'fragment Unused on Query { __typename } { __typename }',
      '{ __typename @noSuchDirective }',
      '{ customer(customerId: 1) { customerId } customer(customerId: 2) { customerId } }',
      'query A { __typename } query A { __typename }',
    ],
    GRAPHQL_PARSE_FAILED: [
      '{',
      'query',
      '}',
      'hello',
      '{ merchant(merchantId: "\\ud800") { merchantId } }',
      '{ customer(customerId: 01) { customerId } }',
      `{ a(b: "${'x'.repeat(100)}) }`,
      '\u0000',
    ],
    BAD_USER_INPUT: [
      '{ merchant(merchantId: "a\\u0000b") { merchantId } }',
      `{ merchant(merchantId: "${'x'.repeat(1_025)}") { merchantId } }`,
      '{ merchants(merchantIds: ["m", "\\u0000"]) { merchantId } }',
      '{ a: customer(customerId: 1) { customerId } merchantDevices(keys: [{ merchantId: "\\u0000", deviceId: 1 }]) { deviceId } }',
      '{ checkoutV1(keys: [{ customerId: 1, merchantId: "m", deviceId: 1, basketValue: 1e400 }]) { vector } }',
      '{ checkoutV1Columns(keys: [{ customerId: 1, merchantId: "\\u0000", deviceId: 1, basketValue: 1 }]) { vectors } }',
    ],
  }
  it.each(Object.entries(documents).flatMap(([code, texts]) => texts.map((text) => [code, text] as const)))(
    '%s: %s',
    async (code, text) => {
      const answer = await refusedThrice(text)
      expect([codesOf(answer), answer.status]).toEqual([[code], 400])
    },
  )

  it('with operations of a kind that the schema does not have is the caller’s mistake', async () => {
    for (const text of ['mutation { deleteAll }', 'subscription { ticks }']) await refusedThrice(text)
  })

  it('with several operations needs the name of one, and no other name', async () => {
    const two = 'query A { __typename } query B { featureServices { name } }'
    const one = 'query A { __typename }'
    for (const body of [
      { query: two },
      { query: two, operationName: 'C' },
      { query: one, operationName: 'C' },
      { query: '{ __typename }', operationName: 'C' },
      { query: 'query A { __typename }', operationName: '__proto__' },
    ]) {
      const answer = await refused(JSON.stringify(body))
      expect([body, codesOf(answer)]).toEqual([body, ['OPERATION_RESOLUTION_FAILURE']])
    }
    for (const name of ['A', 'B', 'A', 'B', 'A', 'B']) {
      const answer = await post(JSON.stringify({ query: two, operationName: name }))
      const expected = name === 'A' ? '__typename' : 'featureServices'
      expect(Object.keys(JSON.parse(answer.text).data)).toEqual([expected])
    }
  })

  const deep = (open: string, inside: string, close: string, watermarks: number) =>
    open.repeat(watermarks) + inside + close.repeat(watermarks)
  it.each([
    ['selections', `{${deep('a{', 'b', '}', 3_000)}}`],
    ['selections that do not end', '{a'.repeat(4_990)],
    ['lists', `{customers(customerIds:${deep('[', '', ']', 4_900)}){customerId}}`],
    ['objects', `{customersAsOf(rows:${deep('{a:', '1', '}', 2_400)}){customerId}}`],
    ['10,000 levels', `{${deep('a{', 'b', '}', 10_000)}}`],
    ['10,000 lists', `{customers(customerIds:${deep('[', '', ']', 10_000)}){customerId}}`],
  ])('nested deeply is refused in words: %s', async (_name, text) => {
    const { errors } = await refusedThrice(text)
    expect(withoutIds(errors)).toEqual([expect.objectContaining({ code: 'LIMIT_EXCEEDED' })])
    expect(errors[0]?.message).toContain('FEATUREGRAPH_DOCUMENT_MAX_')
  })

  it.each([
    ['the same field', `{${' __typename'.repeat(5_000)}}`],
    ['tokens', `{${' a:__typename'.repeat(4_000)}}`],
    ['wrong fields', `{${Array.from({ length: 3_000 }, (_, index) => `x${index}`).join(' ')}}`],
  ])('with thousands of %s is answered in time', async (_name, text) => {
    const started = performance.now()
    const { status } = await refusedThrice(text)
    expect([status, performance.now() - started < heldUpMs]).toEqual([400, true])
  })
})

describe('the limit of entities', () => {
  const ids = (count: number) => Array.from({ length: count }, (_, index) => index)
  const view = '{ customerProfile { score } }'
  const service = (count: number) =>
    ids(count).map((customerId) => ({ customerId, merchantId: 'm', deviceId: 1, basketValue: 1 }))
  const spine = (count: number) =>
    ids(count).map((customerId) => ({ customerId, asOf: '2026-01-01T00:00:00Z' }))
  const list = `query List($ids: [Int64!]!) { customers(customerIds: $ids) ${view} }`
  const cases: Record<string, (count: number) => readonly [string, Record<string, unknown>]> = {
    'a list in a variable': (count) => [list, { ids: ids(count) }],
    'a list of duplicates': (count) => [list, { ids: Array(count).fill(1) }],
    'a list in the text': (count) => [`{ customers(customerIds: [${ids(count)}]) ${view} }`, {}],
    'a list of variables': (count) => [
      `query V($a: Int64!) { customers(customerIds: [${Array(count).fill('$a')}]) ${view} }`,
      { a: 1 },
    ],
    'a default value': (count) => [
      `query D($ids: [Int64!]! = [${ids(count)}]) { customers(customerIds: $ids) ${view} }`,
      {},
    ],
    'the default of a nullable variable': (count) => [
      `query D($ids: [Int64!] = [${ids(count)}]) { customers(customerIds: $ids) ${view} }`,
      {},
    ],
    'aliased roots': (count) => [
      `{ ${ids(count).map((id) => `a${id}: customer(customerId: ${id}) ${view}`)} }`,
      {},
    ],
    'roots of several kinds': (count) => [
      `query Kinds($ids: [Int64!]!) {
        a: customers(customerIds: $ids) ${view} b: customers(customerIds: [1, 2]) ${view} customer(customerId: 1) ${view}
        merchant(merchantId: "m") { merchantId } featureViews { name }
      }`,
      { ids: ids(count - 4) },
    ],
    fragments: (count) => [
      `query F($ids: [Int64!]!) { ...A ... on Query { b: customers(customerIds: $ids) ${view} } }
       fragment A on Query { ...B } fragment B on Query { c: customers(customerIds: [${ids(count - 5)}]) ${view} }`,
      { ids: ids(5) },
    ],
    '@include by a default': (count) => [
      `query I($with: Boolean = true, $ids: [Int64!]!) { customers(customerIds: $ids) @include(if: $with) ${view} }`,
      { ids: ids(count) },
    ],
    'a service': (count) => [
      'query S($keys: [CheckoutV1Key!]!) { checkoutV1(keys: $keys) { vector } }',
      { keys: service(count) },
    ],
    columns: (count) => [
      'query C($keys: [CheckoutV1Key!]!) { checkoutV1Columns(keys: $keys) { vectors } }',
      { keys: service(count) },
    ],
    'a spine': (count) => [
      `query S($rows: [CustomerAsOf!]!) { customersAsOf(rows: $rows) ${view} }`,
      { rows: spine(count) },
    ],
    'composite keys': (count) => [
      'query K($keys: [MerchantDeviceKey!]!) { merchantDevices(keys: $keys) { deviceId } }',
      { keys: ids(count).map((deviceId) => ({ merchantId: 'm', deviceId })) },
    ],
    'entities of which no view is asked for': (count) => [
      'query N($ids: [Int64!]!) { customers(customerIds: $ids) { customerId } }',
      { ids: ids(count) },
    ],
  }

  it.each(Object.keys(cases))('holds the whole request: %s', async (name) => {
    const make = cases[name]
    if (!make) throw new Error(`no case ${name}`)
    for (let use = 0; use < 3; use += 1) {
      const answer = await gateway.ask(...make(maxEntities))
      expect([answer.status, answer.errors]).toEqual([200, undefined])
    }
    const reads = async () =>
      ['online', 'offline'].map(async (store) =>
        (await gateway.metrics()).get(`featuregraph_store_read_rows_count{store="${store}"}`),
      )
    const before = await Promise.all(await reads())
    const { status, errors } = await refusedThrice(...make(maxEntities + 1))
    expect([status, withoutIds(errors)]).toEqual([
      400,
      [
        {
          message: `a request may ask for at most ${maxEntities} entities, ${maxEntities + 1} came; split it`,
          path: undefined,
          code: 'LIMIT_EXCEEDED',
        },
      ],
    ])
    expect(await Promise.all(await reads())).toEqual(before)
  })

  it('does not count what is skipped', async () => {
    const many = `[${ids(50)}]`
    const query = `query Skip($no: Boolean = false, $yes: Boolean!) {
      a: customers(customerIds: ${many}) @skip(if: true) ${view}
      b: customers(customerIds: ${many}) @include(if: false) ${view}
      c: customers(customerIds: ${many}) @include(if: $no) ${view}
      ... @skip(if: $yes) { d: customers(customerIds: ${many}) ${view} }
      ...Off @include(if: $no)
      customer(customerId: 1) ${view}
    }
    fragment Off on Query { e: customers(customerIds: ${many}) ${view} }`
    for (let use = 0; use < 3; use += 1) {
      const answer = await gateway.ask(query, { yes: true })
      expect([answer.status, Object.keys(answer.data)]).toEqual([200, ['customer']])
    }
    expect(codesOf(await refusedThrice(query, { yes: false }))).toEqual(['LIMIT_EXCEEDED'])
    expect(codesOf(await refusedThrice(query, { yes: true, no: true }))).toEqual(['LIMIT_EXCEEDED'])
  })

  it('counts a root field once that is written twice, as by two fragments', async () => {
    const query = `query Twice($ids: [Int64!]!) { ...A ...B }
      fragment A on Query { customers(customerIds: $ids) { customerId } }
      fragment B on Query { customers(customerIds: $ids) ${view} }`
    const answer = await gateway.ask(query, { ids: ids(maxEntities) })
    expect([answer.status, answer.data?.customers?.length]).toEqual([200, maxEntities])
    expect(codesOf(await refusedThrice(query, { ids: ids(maxEntities + 1) }))).toEqual(['LIMIT_EXCEEDED'])
  })

  it('comes after wrong values: a list of wrong keys is reported as such, whatever its length', async () => {
    for (const count of [maxEntities + 1, 40]) {
      const answer = await refusedThrice(list, { ids: [...ids(count), 'x'] })
      expect([codesOf(answer), answer.status]).toEqual([['BAD_USER_INPUT'], 400])
    }
    expect(codesOf(await refusedThrice(list, { ids: Array(3_000).fill('x') }))).toEqual(['BAD_USER_INPUT'])
  })
})

describe('a body', () => {
  const query = '{"query":"{ __typename }"}'
  it.each([
    [400, 'BAD_REQUEST', '{'],
    [400, 'BAD_REQUEST', ''],
    [400, 'BAD_REQUEST', 'null'],
    [400, 'BAD_REQUEST', '5'],
    [400, 'BAD_REQUEST', '"{ __typename }"'],
    [400, 'BAD_REQUEST', '{}'],
    [400, 'BAD_REQUEST', '[]'],
    [400, 'BAD_REQUEST', `[${query}]`],
    [400, 'BAD_REQUEST', `[${query},${query}]`],
    [400, 'BAD_REQUEST', '{"query":5}'],
    [400, 'BAD_REQUEST', '{"query":""}'],
    [400, 'BAD_REQUEST', '{"query":null}'],
    [400, 'BAD_REQUEST', '{"query":["{ __typename }"]}'],
    [400, 'BAD_REQUEST', '{"variables":{}}'],
    [400, 'BAD_REQUEST', '{"query":"{ __typename }","variables":[]}'],
    [400, 'BAD_REQUEST', '{"query":"{ __typename }","variables":"{}"}'],
    [400, 'BAD_REQUEST', '{"query":"{ __typename }","variables":5}'],
    [400, 'BAD_REQUEST', '{"query":"{ __typename }","extensions":[]}'],
    [400, 'BAD_REQUEST', '{"query":"{ __typename }","operationName":5}'],
    [400, 'BAD_REQUEST', '{"query":"{ __typename }","variables":{"__proto__":{"a":1}}}'],
    [400, 'BAD_REQUEST', '{"query":"{ __typename }","__proto__":{"a":1}}'],
    [400, 'BAD_REQUEST', '{"query":"{ __typename }","variables":{"constructor":{"prototype":{"a":1}}}}'],
    [400, 'BAD_REQUEST', `${query}${query}`],
    [400, 'BAD_REQUEST', "{'query':'{ __typename }'}"],
    [400, 'LIMIT_EXCEEDED', `${'['.repeat(20_000)}${']'.repeat(20_000)}`],
    [400, 'LIMIT_EXCEEDED', `${'{"a":'.repeat(8_000)}1${'}'.repeat(8_000)}`],
  ])('%i %s: %s', async (status, code, body) => {
    const answer = await refused(body)
    expect([answer.status, codesOf(answer)]).toEqual([status, [code]])
  })

  it('asking for a stored query is refused or not found, in words for the caller', async () => {
    const persistedQuery = (version: number, sha256Hash: string) => ({
      persistedQuery: { version, sha256Hash },
    })
    for (const extensions of [persistedQuery(1, 'x'), persistedQuery(2, 'x')]) {
      for (const body of [{ query: '{ __typename }', extensions }, { extensions }]) {
        const { status, text } = await post(JSON.stringify(body))
        expect(status).toBeLessThan(500)
        expect(JSON.parse(text).errors[0].extensions.code).not.toBe('INTERNAL_SERVER_ERROR')
        expectNoLeak(text)
      }
    }
  })

  it('over the limit is 413, at the limit it is read; with and without a declared length', async () => {
    const sized = (bytes: number) => {
      const frame = JSON.stringify({ query: '{ __typename } #' })
      return JSON.stringify({ query: `{ __typename } #${'x'.repeat(bytes - frame.length)}` })
    }
    expect((await post(sized(maxBodyBytes))).status).toBe(200)
    const over = await refused(sized(maxBodyBytes + 1))
    expect([over.status, codesOf(over)]).toEqual([413, ['LIMIT_EXCEEDED']])
    const streamed = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob([sized(maxBodyBytes + 1)]).stream(),
      duplex: 'half',
    } as RequestInit)
    expect(codesOf(expectRefusal(streamed.status, await streamed.text()))).toEqual(['LIMIT_EXCEEDED'])
    expect(streamed.status).toBe(413)
  })

  it.each([
    'text/plain',
    'text/plain; charset=utf-8',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
    'application/jsonx',
    'text/json',
    'application/json; charset=utf-16',
    'application/json; charset="utf-16le"',
    'application/json;charset=UTF-7',
    'application/json; charset=iso-8859-1',
    'nonsense',
    '*/*',
  ])('of type %s is 415', async (type) => {
    const answer = await refused(query, { 'content-type': type })
    expect([answer.status, codesOf(answer)]).toEqual([415, ['UNSUPPORTED_MEDIA_TYPE']])
  })

  it('without a type is refused', async () => {
    const answer = await refused(new TextEncoder().encode(query), {})
    expect(answer.status).toBe(415)
  })

  it.each(['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON; Charset="UTF-8"'])(
    'of type %s is read',
    async (type) => {
      expect(await post(query, { 'content-type': type })).toMatchObject({
        status: 200,
        text: '{"data":{"__typename":"Query"}}',
      })
    },
  )

  it('that says it is compressed and is not, or otherwise than by gzip, is not read', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
    const answer = await refused(query, headers)
    expect([answer.status, codesOf(answer)]).toEqual([400, ['BAD_REQUEST']])
    const other = await refused(query, { ...headers, 'content-encoding': 'br' })
    expect([other.status, codesOf(other)]).toEqual([415, ['UNSUPPORTED_MEDIA_TYPE']])
  })
})

describe('a request', () => {
  const json = { 'content-type': 'application/json' }
  const typename = `query=${encodeURIComponent('{ __typename }')}`

  async function send(path: string, init: RequestInit = {}) {
    const response = await fetch(gateway.url + path, init)
    return { status: response.status, text: await response.text(), headers: response.headers }
  }

  it('by GET answers a query, and what a form or an image of another page can send is refused', async () => {
    expect(await send(`/graphql?${typename}`, { headers: json })).toMatchObject({ status: 200 })
    expect(
      await send(`/graphql?${typename}`, { headers: { 'apollo-require-preflight': '1' } }),
    ).toMatchObject({
      status: 200,
    })
    const types = [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'text/plain; charset=utf-8',
      '',
    ]
    for (const headers of [{}, ...types.map((type) => ({ 'content-type': type }))]) {
      const answer = await send(`/graphql?${typename}`, { headers })
      expectRefusal(answer.status, answer.text, answer.headers)
    }
    const empty = await send(`/graphql?${typename}`, { method: 'POST' })
    expectRefusal(empty.status, empty.text, empty.headers)
  })

  it('never gives another page leave to read the answer', async () => {
    for (const [path, init] of [
      [
        '/graphql',
        {
          method: 'OPTIONS',
          headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
        },
      ],
      [`/graphql?${typename}`, { headers: { ...json, origin: 'http://evil.example' } }],
      ['/metrics', { headers: { origin: 'http://evil.example' } }],
    ] as const) {
      const { headers } = await send(path, init)
      expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
    }
  })

  it('by GET is refused where it cannot be a query', async () => {
    for (const search of [
      '',
      'query=',
      'query=%7B',
      `${typename}&${typename}`,
      `${typename}&variables=x`,
      `${typename}&variables=[]`,
      `${typename}&extensions=x`,
      `query=${encodeURIComponent('{ noSuchField }')}`,
      `query=${encodeURIComponent('query($v: Int64!) { customer(customerId: $v) { customerId } }')}&variables=${encodeURIComponent('{"v":"x"}')}`,
    ]) {
      const answer = await send(`/graphql?${search}`, { headers: json })
      expectRefusal(answer.status, answer.text, answer.headers)
    }
    const proto = await send(
      `/graphql?${typename}&variables=${encodeURIComponent('{"__proto__":{"polluted":1}}')}`,
      {
        headers: json,
      },
    )
    expect(proto.status).toBeLessThan(500)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    const mutation = await send(`/graphql?query=${encodeURIComponent('mutation { __typename }')}`, {
      headers: json,
    })
    expect([mutation.status, mutation.headers.get('allow')]).toEqual([405, 'POST'])
    expectRefusal(mutation.status, mutation.text)
  })

  it('whose address or headers are too long is refused in the same shape', async () => {
    const { port, hostname } = new URL(gateway.url)
    const { head, body } = await new Promise<{ head: string; body: string }>((resolve, reject) => {
      let received = ''
      const socket = connect(Number(port), hostname, () =>
        socket.write(`GET /graphql?query=${'x'.repeat(20_000)} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`),
      )
      socket.on('data', (data) => {
        received += data.toString()
      })
      socket.on('error', reject)
      socket.on('close', () => {
        const [headPart = '', bodyPart = ''] = received.split('\r\n\r\n')
        resolve({ head: headPart, body: bodyPart })
      })
    })
    expect(head).toMatch(/^HTTP\/1\.1 431 /)
    expect(JSON.parse(body).errors[0].extensions).toEqual({ code: 'LIMIT_EXCEEDED' })
    expectNoLeak(body)
  })

  it('to an unknown address is 404, to one that is no address 400', async () => {
    for (const path of [
      '/nothing',
      '/graphql/',
      '/GRAPHQL',
      '/graphiql/assets/..%2f..%2f..%2fetc%2fpasswd',
      '/.env',
      '/healthz/x',
    ]) {
      const answer = await send(path)
      expect([path, answer.status]).toEqual([path, 404])
      expect(codesOf(expectRefusal(answer.status, answer.text, answer.headers))).toEqual(['NOT_FOUND'])
    }
    for (const path of ['/%zz', '/graphiql/assets/%c0%ae']) {
      const answer = await send(path)
      expect([path, answer.status]).toEqual([path, 400])
      expect(codesOf(expectRefusal(answer.status, answer.text, answer.headers))).toEqual(['BAD_REQUEST'])
    }
  })

  it.each(['PUT', 'PATCH', 'DELETE', 'OPTIONS'])('by %s is 405 with what is allowed', async (method) => {
    const answer = await send('/graphql', { method })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, POST'])
    expect(codesOf(expectRefusal(answer.status, answer.text, answer.headers))).toEqual(['BAD_REQUEST'])
  })

  it('has its id in every error, and the log has it where the gateway is at fault', () => {
    // Nothing above was the gateway's fault.
    const faults = gateway.logLines.filter((line) => Number(JSON.parse(line).level) >= 50)
    expect(faults.map((line) => JSON.parse(line).err?.message ?? line)).toEqual([])
  })
})
