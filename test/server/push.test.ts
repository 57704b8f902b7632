import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { type RedisServer, startRedis } from '../services/redis.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'
import { startTestGateway, type TestGateway } from './start-test-gateway.ts'

const keys = { reader: 'k-reader', writer: 'k-writer', both: 'k-both' }
let database: TestDatabase
let redis: RedisServer
let folder: string
let gateway: TestGateway

beforeAll(async () => {
  ;[database, redis, folder] = await Promise.all([
    createTestDatabase(),
    startRedis(),
    mkdtemp(join(tmpdir(), 'featuregraph-push-')),
  ])
  const entry = (name: string, key: string, rights: readonly string[]) => ({
    name,
    sha256: createHash('sha256').update(key).digest('hex'),
    rights,
  })
  const file = join(folder, 'keys.json')
  await writeFile(
    file,
    JSON.stringify([
      entry('reader', keys.reader, ['read']),
      entry('writer', keys.writer, ['write']),
      entry('both', keys.both, ['read', 'write']),
    ]),
  )
  gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: redis.url,
    settings: { API_KEYS_FILE: file, MAX_BODY_BYTES: '1024' },
  })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([database?.drop(), redis?.stop(), rm(folder, { recursive: true, force: true })])
})

const past = formatTimestamp(systemClock() - 3_600_000_000)
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const ndjson = { ...bearer(keys.writer), 'content-type': 'application/x-ndjson' }
const line = (row: unknown): string => `${JSON.stringify(row)}\n`
const profile = (id: number, n: number, more: object = {}) =>
  line({ customer_id: id, event_timestamp: past, lifetime_events: n, ...more })

interface Reply {
  readonly status: number
  readonly text: string
  readonly type: string | null
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of it
  readonly lines: readonly any[]
}

async function post(
  path: string,
  body: BodyInit | null,
  headers: Readonly<Record<string, string>> = ndjson,
): Promise<Reply> {
  const response = await fetch(`${gateway.url}/push/${path}`, { method: 'POST', headers, body })
  const text = await response.text()
  const lines = text.split('\n').filter((part) => part !== '')
  return {
    status: response.status,
    text,
    type: response.headers.get('content-type'),
    lines: lines.map((part) => JSON.parse(part)),
  }
}

async function count(view: string): Promise<number> {
  const pool = testPool(database.url, 1)
  try {
    const table = await pool.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where tablename like '%' || $1`,
      [view],
    )
    const name = table.rows[0]?.name
    const { rows } = await pool.query<{ count: string }>(`select count(*) from ${name}`)
    return Number(rows[0]?.count)
  } finally {
    await pool.end()
  }
}

async function ask(query: string) {
  const { data, errors } = await gateway.ask(query, {}, { headers: bearer(keys.reader) })
  expect(errors).toBeUndefined()
  return data
}

describe('POST /push/<view>', () => {
  it('answers a line per row in order and the counts last; both clocks then have the rows', async () => {
    const before = formatTimestamp(systemClock() - 1)
    const future = formatTimestamp(systemClock() + 3_600_000_000)
    const { status, type, lines } = await post(
      'customer_profile',
      [
        profile(1, 5, { score: 0.5, is_verified: true }),
        profile(1, 4),
        '\r\n',
        profile(2, 1, { event_timestamp: future }),
        'no json\n',
        '[1]\n',
        'null\n',
        profile(3, 1, { lifetime_events: 1.5, other: 1, created_timestamp: past }),
        profile(3, 1, { event_timestamp: '2026-01-01T00:00:00' }),
        '{"customer_id": 9007199254740993, "event_timestamp": "2026-01-01T00:00:00Z"}\n',
        `{"customer_id": "9007199254740993", "event_timestamp": "2026-01-01T00:00:00Z", "score": 2}`,
      ].join(''),
    )
    expect([status, type]).toEqual([200, 'application/x-ndjson'])
    const rejected = (row: number, message: RegExp) => ({
      row,
      accepted: false,
      code: 'INVALID_ROW',
      message: expect.stringMatching(message),
    })
    expect(lines).toEqual([
      { row: 0, accepted: true, online: 'OLDER' },
      { row: 1, accepted: true, online: 'WRITTEN' },
      { row: 2, accepted: true, online: 'NOT_YET' },
      rejected(3, /not JSON/),
      rejected(4, /expected a JSON object/),
      rejected(5, /expected a JSON object/),
      rejected(6, /lifetime_events: .*other: .*created_timestamp: /),
      rejected(7, /event_timestamp: expected an RFC 3339/),
      rejected(8, /customer_id: expected a 64-bit integer/),
      { row: 9, accepted: true, online: 'WRITTEN' },
      { accepted: 4, rejected: 6 },
    ])
    const now = formatTimestamp(systemClock())
    const fields = '{ customerProfile { lifetimeEvents score freshness { source } } }'
    const read = await ask(`{
      online: customers(customerIds: [1, 2, "9007199254740993"]) ${fields}
      offline: customers(customerIds: [1, 2, "9007199254740993"], asOf: "${now}") ${fields}
      later: customer(customerId: 2, asOf: "${future}") ${fields}
      notKnown: customer(customerId: 1, asOf: "${now}", knownAt: "${before}") { customerProfile { lifetimeEvents freshness { status } } }
    }`)
    const row = (source: string, lifetimeEvents: number | null, score: number | null) => ({
      customerProfile: { lifetimeEvents, score, freshness: { source } },
    })
    for (const [name, source] of [
      ['online', 'ONLINE'],
      ['offline', 'OFFLINE'],
    ] as const)
      expect(read[name]).toEqual([row(source, 4, null), row(source, null, null), row(source, null, 2)])
    expect(read.later).toEqual(row('OFFLINE', 1, null))
    expect(read.notKnown).toEqual({
      customerProfile: { lifetimeEvents: null, freshness: { status: 'NOT_FOUND' } },
    })
  })

  it('takes every type of value, timestamps as RFC 3339 and bytes as base64', async () => {
    const values = {
      an_int64: '9007199254740993',
      a_float32: 0.5,
      a_timestamp: '2026-01-01T01:00:00+01:00',
      some_bytes: 'AP8=',
      timestamp_list: ['2026-01-01T00:00:00.5Z'],
      bytes_list: ['', 'AA=='],
      string_list: ['a'],
    }
    const row = { merchant_id: 'm1', event_timestamp: past, ...values }
    const wrong = { ...row, a_timestamp: 5, some_bytes: 'A', timestamp_list: 'x', bytes_list: [1] }
    const { lines } = await post('merchant_profile', line(row) + line(wrong))
    expect(lines[0]).toEqual({ row: 0, accepted: true, online: 'WRITTEN' })
    expect(lines[1].message).toMatch(/a_timestamp: .*some_bytes: .*timestamp_list: .*bytes_list: /)
    expect(
      await ask(
        '{ merchant(merchantId: "m1") { merchantProfile { anInt64 aFloat32 aTimestamp someBytes timestampList bytesList stringList } } }',
      ),
    ).toEqual({
      merchant: {
        merchantProfile: {
          anInt64: '9007199254740993',
          aFloat32: 0.5,
          aTimestamp: '2026-01-01T00:00:00.000000Z',
          someBytes: 'AP8=',
          timestampList: ['2026-01-01T00:00:00.500000Z'],
          bytesList: ['', 'AA=='],
          stringList: ['a'],
        },
      },
    })
  })

  it('keeps rows out of the online store to OFFLINE, and of views that are not online', async () => {
    const [first] = (await post('customer_profile?to=OFFLINE', profile(20, 1))).lines
    expect(first).toEqual({ row: 0, accepted: true, online: 'NOT_ASKED' })
    expect(await ask('{ customer(customerId: 20) { customerProfile { lifetimeEvents } } }')).toEqual({
      customer: { customerProfile: { lifetimeEvents: null } },
    })
    const segment = line({ customer_id: 20, event_timestamp: past, segment: 's' })
    expect((await post('customer_segment', segment)).lines[0].online).toBe('NOT_ASKED')
    expect(await ask('{ customer(customerId: 20) { customerSegment { segment } } }')).toEqual({
      customer: { customerSegment: { segment: 's' } },
    })
  })

  it('rejects a line over 1 MB and goes on behind it', async () => {
    const long = profile(30, 1, { other: 'x'.repeat(1_048_576) })
    const { lines } = await post('customer_profile', profile(30, 1) + long + profile(31, 2))
    expect(lines.map((reply) => reply.accepted)).toEqual([true, false, true, 2])
    expect(lines[1].message).toBe('a line has at most 1048576 bytes')
  })

  it('refuses as a whole what is no push, with status and code', async () => {
    const body = profile(40, 1)
    const refusals: readonly [string, Record<string, string>, number, string][] = [
      ['customer_profile', { 'content-type': 'application/x-ndjson' }, 401, 'UNAUTHENTICATED'],
      ['customer_profile', { ...ndjson, ...bearer('k-other') }, 401, 'UNAUTHENTICATED'],
      ['customer_profile', { ...ndjson, ...bearer(keys.reader) }, 403, 'FORBIDDEN'],
      ['nothing', { ...ndjson, ...bearer(keys.reader) }, 403, 'FORBIDDEN'],
      ['customer_profile', { ...ndjson, 'content-type': 'application/json' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
      ['customer_profile', { ...ndjson, 'content-type': 'text/plain' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
      [
        'customer_profile',
        { ...ndjson, 'content-type': 'application/x-ndjson; charset=latin1' },
        415,
        'UNSUPPORTED_MEDIA_TYPE',
      ],
      ['customer_profile', { ...ndjson, 'content-encoding': 'gzip' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
      ['nothing', ndjson, 404, 'NOT_FOUND'],
      ['customerProfile', ndjson, 404, 'NOT_FOUND'],
      ['customer_orders', ndjson, 400, 'BAD_USER_INPUT'],
      ['customer_profile?to=ONLINE', ndjson, 400, 'BAD_USER_INPUT'],
      ['customer_profile?to=BOTH&to=BOTH', ndjson, 400, 'BAD_USER_INPUT'],
      ['customer_profile', { ...ndjson, 'idempotency-key': 'x'.repeat(256) }, 400, 'BAD_USER_INPUT'],
    ]
    const before = await count('customer_profile')
    for (const [path, headers, status, code] of refusals) {
      const sent = headers['content-encoding'] ? new Uint8Array(gzipSync(body)) : body
      const reply = await post(path, sent, headers)
      expect([path, reply.status, JSON.parse(reply.text).errors[0].extensions.code]).toEqual([
        path,
        status,
        code,
      ])
    }
    expect(await count('customer_profile')).toBe(before)
    const mapped = await post('customer_orders', body)
    expect(mapped.text).toContain('only views without a source take pushed rows')
    const type = { ...ndjson, 'content-type': 'application/x-ndjson; charset=UTF-8' }
    expect((await post('customer_profile', body, type)).status).toBe(200)
  })

  it('takes no rows, and says so', async () => {
    for (const body of ['', '\n \n'])
      expect((await post('customer_profile', body)).lines).toEqual([{ accepted: 0, rejected: 0 }])
  })
})

describe('an idempotency key over HTTP', () => {
  const withKey = (key: string) => ({ ...ndjson, 'idempotency-key': key })

  it('makes a retry of many batches write nothing, also with both at once; other rows are rejected', async () => {
    const ids = Array.from({ length: 5_000 }, (_, index) => 100_000 + index)
    const body = ids.map((id) => profile(id, id)).join('')
    const before = await count('customer_profile')
    const [first, second] = await Promise.all([
      post('customer_profile', body, withKey('k1')),
      post('customer_profile', body, withKey('k1')),
    ])
    expect(first.lines.at(-1)).toEqual({ accepted: 5_000, rejected: 0 })
    expect(second.lines).toEqual(first.lines)
    expect((await post('customer_profile', body, withKey('k1'))).lines).toEqual(first.lines)
    expect(await count('customer_profile')).toBe(before + 5_000)

    // The second batch differs; the first and the third are those of before.
    const other = ids.map((id) => profile(id, id === 102_500 ? 7 : id)).join('')
    const { lines } = await post('customer_profile', other, withKey('k1'))
    expect(lines.at(-1)).toEqual({ accepted: 3_000, rejected: 2_000 })
    expect([lines[1_999], lines[2_000], lines[4_000]]).toMatchObject([
      { accepted: true },
      { row: 2_000, accepted: false, code: 'BAD_USER_INPUT' },
      { accepted: true },
    ])
    expect(await count('customer_profile')).toBe(before + 5_000)
  })

  it('lets a push that broke off in the middle be sent again, every row once', async () => {
    const rows = Array.from({ length: 6_000 }, (_, index) => profile(200_000 + index, index))
    const before = await count('customer_profile')
    await new Promise<void>((resolve) => {
      const sending = request(`${gateway.url}/push/customer_profile`, {
        method: 'POST',
        headers: withKey('broken'),
      })
      sending.on('error', () => resolve())
      sending.on('response', (response) => {
        response.on('error', () => resolve())
        response.once('data', () => sending.destroy())
      })
      sending.write(rows.slice(0, 3_000).join(''))
    })
    await expect.poll(() => count('customer_profile')).toBe(before + 2_000)
    await sleep(200)
    expect(await count('customer_profile')).toBe(before + 2_000)
    const again = await post('customer_profile', rows.join(''), withKey('broken'))
    expect(again.lines.at(-1)).toEqual({ accepted: 6_000, rejected: 0 })
    expect(again.lines.every((reply, index) => index === 6_000 || reply.online === 'WRITTEN')).toBe(true)
    expect(await count('customer_profile')).toBe(before + 6_000)
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
  })
})

it('streams 50,000 rows: answers come while rows are still sent', async () => {
  const total = 50_000
  const before = await count('customer_profile')
  let sent = 0
  let sentAtFirstAnswer = total
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (sent === total) return controller.close()
      // The last rows wait for the first answers, so a gateway that collects first never ends.
      if (sent === 40_000) await firstAnswer
      const rows = Array.from({ length: 1_000 }, (_, index) => profile(300_000 + sent + index, index))
      sent += 1_000
      controller.enqueue(new TextEncoder().encode(rows.join('')))
    },
  })
  let answered = (): void => {}
  const firstAnswer = new Promise<void>((resolve) => {
    answered = resolve
  })
  const options = { method: 'POST', headers: ndjson, body, duplex: 'half' }
  const response = await fetch(`${gateway.url}/push/customer_profile`, options as RequestInit)
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    if (text === '') sentAtFirstAnswer = sent
    answered()
    text += decoder.decode(chunk, { stream: true })
  }
  expect(sentAtFirstAnswer).toBeLessThan(total)
  const lines = text.trimEnd().split('\n')
  expect(lines).toHaveLength(total + 1)
  expect(lines[total - 1]).toBe(`{"row":${total - 1},"accepted":true,"online":"WRITTEN"}`)
  expect(lines.at(-1)).toBe(`{"accepted":${total},"rejected":0}`)
  expect(await count('customer_profile')).toBe(before + total)
})

describe('the mutation over HTTP', () => {
  const mutation = `mutation { pushCustomerProfile(rows: [{ customerId: 50, eventTimestamp: "${past}", lifetimeEvents: 3 }]) { accepted rows { online } } }`

  it('needs the right write', async () => {
    const refused = await gateway.ask(mutation, {}, { headers: bearer(keys.reader) })
    expect([refused.status, refused.errors?.[0]?.extensions.code]).toEqual([403, 'FORBIDDEN'])
    const taken = await gateway.ask(mutation, {}, { headers: bearer(keys.both) })
    expect([taken.status, taken.data]).toEqual([
      200,
      { pushCustomerProfile: { accepted: 1, rows: [{ online: 'WRITTEN' }] } },
    ])
  })

  it('is not run by GET', async () => {
    const url = `${gateway.url}/graphql?query=${encodeURIComponent(mutation)}`
    const before = await count('customer_profile')
    const headers = { ...bearer(keys.both), 'content-type': 'application/json' }
    expect((await fetch(url, { headers })).status).toBe(405)
    expect(await count('customer_profile')).toBe(before)
  })
})

// Last: it leaves the online store empty.
it('keeps rows offline while Redis is away, says so per row, and logs no more', async () => {
  await redis.kill()
  try {
    const bulk = await post('customer_profile', `${profile(60, 6)}x\n`)
    expect(bulk.lines).toMatchObject([
      { row: 0, accepted: true, online: 'UNAVAILABLE' },
      { accepted: false, code: 'INVALID_ROW' },
      { accepted: 1, rejected: 1 },
    ])
    const mutation = `mutation { pushCustomerProfile(rows: [{ customerId: 61, eventTimestamp: "${past}", lifetimeEvents: 3 }]) { accepted rows { online } } }`
    expect(await gateway.ask(mutation, {}, { headers: bearer(keys.both) })).toMatchObject({
      status: 200,
      data: { pushCustomerProfile: { accepted: 1, rows: [{ online: 'UNAVAILABLE' }] } },
      errors: undefined,
    })
    const now = formatTimestamp(systemClock())
    expect(
      await ask(
        `{ customers(customerIds: [60, 61], asOf: "${now}") { customerProfile { lifetimeEvents } } }`,
      ),
    ).toEqual({
      customers: [{ customerProfile: { lifetimeEvents: 6 } }, { customerProfile: { lifetimeEvents: 3 } }],
    })
    expect(gateway.logLines.filter((logged) => logged.includes('did not take pushed rows'))).not.toEqual([])
  } finally {
    await redis.restart()
  }
})
