import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { halfOf } from '../../src/server/admission/fair-queue.ts'
import { execute } from '../services/postgres.ts'
import { type RedisServer, startRedis } from '../services/redis.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { type Answer, startTestGateway, type TestGateway } from './start-test-gateway.ts'

const start = systemClock()
const textBytes = 500_000
const maxAnswerBytes = 8 * 1_048_576
const asOfRunning = 2
const callers = ['a', 'b', 'c'] as const

let redis: RedisServer
let database: TestDatabase
let folder: string
let gateway: TestGateway

beforeAll(async () => {
  ;[redis, database, folder] = await Promise.all([
    startRedis(),
    createTestDatabase(),
    mkdtemp(join(tmpdir(), 'featuregraph-load-')),
  ])
  const file = join(folder, 'keys.json')
  const entry = (name: string) => ({
    ...{ name, rights: ['read'] },
    sha256: createHash('sha256').update(name).digest('hex'),
  })
  await writeFile(file, JSON.stringify(callers.map(entry)))
  gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: redis.url,
    settings: {
      API_KEYS_FILE: file,
      ANSWER_THREADS: '1',
      AS_OF_CONCURRENCY: String(asOfRunning),
      MAX_ANSWER_BYTES: String(maxAnswerBytes),
    },
  })
  const ids = Array.from({ length: 300 }, (_, n) => n + 1)
  await gateway.write(
    'customer_profile',
    ids.map((id) => ({
      key: { customer_id: id },
      values: { lifetime_events: id, score: id / 8 },
      at: start,
    })),
  )
  await gateway.write('merchant_profile', [
    { key: { merchant_id: 'm' }, values: { a_string: 'x'.repeat(textBytes) }, at: start - 1_000_000 },
  ])
  await execute(database.url, `insert into shop.naps values (1, '2026-01-01T00:00:00Z', 3600)`)
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([database?.drop(), redis?.stop(), rm(folder, { recursive: true, force: true })])
})

type Caller = (typeof callers)[number]

async function ask(caller: Caller, query: string, variables = {}, signal?: AbortSignal): Promise<Answer> {
  const headers = { authorization: `Bearer ${caller}` }
  return await gateway.ask(query, variables, { headers, ...(signal ? { signal } : {}) })
}

/** Of `/metrics`; 0 where it has none. */
async function metric(name: string): Promise<number> {
  const response = await fetch(`${gateway.url}/metrics`, { headers: { authorization: 'Bearer a' } })
  const line = (await response.text()).split('\n').find((one) => one.startsWith(`${name} `))
  return Number(line?.slice(name.length) ?? 0)
}

const inClass = (what: string, workClass: string) => metric(`featuregraph_work_${what}{class="${workClass}"}`)

/** 52 fields a customer, so that 1,000 customers are more values than the main thread answers. */
const manyFields = `query Many($ids: [Int64!]!) { customers(customerIds: $ids) { customerId ${Array.from(
  { length: 17 },
  (_, n) => `p${n}: customerProfile { lifetimeEvents score }`,
).join(' ')} } }`

it('answers more values than the main thread takes as it answers parts of them, and counts them alike', async () => {
  const ids = Array.from({ length: 1_000 }, (_, n) => n + 1)
  const rows = (status: string) =>
    metric(`featuregraph_rows_total{view="customer_profile",status="${status}"}`)
  const present = await rows('PRESENT')
  const missing = await rows('NOT_FOUND')
  const large = await inClass('total', 'large')
  const interpreted = await metric('featuregraph_operations_total{route="interpreted"}')
  const whole = await ask('a', manyFields, { ids })
  expect(whole.errors).toBeUndefined()
  // Once, by the thread that has run it.
  expect(await metric('featuregraph_operations_total{route="interpreted"}')).toBe(interpreted + 1)
  expect([await rows('PRESENT'), await rows('NOT_FOUND')]).toEqual([present + 17 * 300, missing + 17 * 700])
  expect(await inClass('total', 'large')).toBe(large + 1)
  const parts = [
    await ask('a', manyFields, { ids: ids.slice(0, 500) }),
    await ask('b', manyFields, { ids: ids.slice(500) }),
  ]
  expect(whole.data.customers).toEqual(parts.flatMap(({ data }) => data.customers))
  expect(await inClass('total', 'large')).toBe(large + 1)
})

it('words the mistakes of a large request as those of a small one', async () => {
  const query = manyFields.replace('lifetimeEvents score', 'lifetimeEvents score @include(if: $flag)')
  const flagged = query.replace('($ids', '($flag: Boolean!, $ids')
  const [small, large] = await Promise.all(
    [10, 1_000].map((count) => ask('a', flagged, { ids: Array.from({ length: count }, (_, n) => n) })),
  )
  expect(large?.status).toBe(small?.status)
  expect(large?.errors?.map(({ message }) => message)).toEqual(small?.errors?.map(({ message }) => message))
})

const text = 'query Text($ids: [String!]!) { merchants(merchantIds: $ids) { merchantProfile { aString } } }'

it('has another thread write a value that is asked for often, and refuses more bytes than an answer may have', async () => {
  const before = await inClass('total', 'large')
  const times = Math.floor(maxAnswerBytes / textBytes) - 1
  const several = await ask('a', text, { ids: Array<string>(times).fill('m') })
  expect(several.errors).toBeUndefined()
  expect(
    several.data.merchants.map(
      (one: { merchantProfile: { aString: string } }) => one.merchantProfile.aString.length,
    ),
  ).toEqual(Array<number>(times).fill(textBytes))
  expect(await inClass('total', 'large')).toBe(before + 1)
  const many = await ask('a', text, { ids: Array<string>(300).fill('m') })
  expect(many.status).toBe(400)
  expect(many.errors).toMatchObject([
    {
      message: expect.stringContaining(`at most ${maxAnswerBytes} bytes`),
      extensions: { code: 'LIMIT_EXCEEDED' },
    },
  ])
  const aliased = `{ merchant(merchantId: "m") { merchantProfile { ${Array.from({ length: 300 }, (_, n) => `a${n}: aString`).join(' ')} } } }`
  expect((await ask('a', aliased)).errors).toMatchObject([{ extensions: { code: 'LIMIT_EXCEEDED' } }])
  expect(await inClass('total', 'large')).toBe(before + 1)
})

it('has the store send nothing of rows that are together more than an answer may have', async () => {
  const keys = Array.from({ length: 20 }, (_, n) => `large-${n}`)
  const values = { a_string: 'x'.repeat(textBytes) }
  await gateway.write(
    'merchant_profile',
    keys.map((key) => ({ key: { merchant_id: key }, values, at: start - 1_000_000 })),
  )
  const sent = async () => {
    const [, bytes = ''] = /total_net_output_bytes:(\d+)/.exec(await client.info('stats')) ?? []
    return Number(bytes)
  }
  const client = new Redis(redis.url)
  try {
    const before = await sent()
    expect((await ask('a', text, { ids: keys })).errors).toMatchObject([
      {
        message: expect.stringContaining(`at most ${maxAnswerBytes} bytes`),
        extensions: { code: 'LIMIT_EXCEEDED' },
      },
    ])
    expect((await sent()) - before).toBeLessThan(textBytes)
    // Few enough, they are answered.
    expect((await ask('a', text, { ids: keys.slice(0, 12) })).data.merchants).toHaveLength(12)
  } finally {
    client.disconnect()
  }
})

it.runIf(process.platform === 'linux')('has helpers and other threads give way to the main one', async () => {
  await ask('a', manyFields, { ids: Array.from({ length: 1_000 }, (_, n) => n) })
  const threads = readdirSync('/proc/self/task').map(Number)
  const giving = threads.filter((thread) => getPriority(thread) > getPriority(process.pid))
  // V8 has some, and one has answered.
  expect(giving.length).toBeGreaterThan(4)
})

it('answers a long spine as its parts', async () => {
  const query = `query Spine($rows: [CustomerAsOf!]!) {
    customersAsOf(rows: $rows) { customerId customerProfile { lifetimeEvents freshness { status source } } }
  }`
  const rows = Array.from({ length: 150 }, (_, n) => ({
    customerId: (n % 75) + 1,
    asOf: formatTimestamp(start + (n % 2) - 1),
  }))
  const [whole, ...parts] = await Promise.all(
    [rows, rows.slice(0, 75), rows.slice(75)].map((some) => ask('b', query, { rows: some })),
  )
  expect(whole?.errors).toBeUndefined()
  expect(whole?.data.customersAsOf).toEqual(parts.flatMap(({ data }) => data.customersAsOf))
  expect(
    new Set(
      whole?.data.customersAsOf.map(
        (row: { customerProfile: { lifetimeEvents: unknown } }) => row.customerProfile.lifetimeEvents,
      ),
    ),
  ).toContain(75)
})

it('lets no caller hold more than half of a class, lets others in, refuses what is too much, and answers online reads on', async () => {
  const nap = '{ customer(customerId: 1) { customerNaps { slept } } }'
  const leaving = new AbortController()
  const naps = (caller: Caller, count: number) =>
    Array.from({ length: count }, () => ask(caller, nap, {}, leaving.signal).catch(() => null))
  const state = async () => [await inClass('running', 'asOf'), await inClass('waiting', 'asOf')]

  const all = naps('a', 2)
  await expect.poll(state).toEqual([1, 1])
  all.push(...naps('b', 1))
  await expect.poll(state).toEqual([asOfRunning, 1])

  const mostWaiting = halfOf(256)
  all.push(...naps('c', mostWaiting))
  await expect.poll(state).toEqual([asOfRunning, 1 + mostWaiting])
  const refused = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer c' },
    body: JSON.stringify({ query: nap }),
  })
  expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([503, expect.any(Number)])
  expect(await refused.json()).toMatchObject({
    errors: [{ message: expect.stringContaining('as-of reads'), extensions: { code: 'OVERLOADED' } }],
  })
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await inClass('refused_total', 'asOf')).toBe(1)

  const online = await ask('c', '{ customer(customerId: 3) { customerProfile { lifetimeEvents } } }')
  expect(online.data.customer.customerProfile.lifetimeEvents).toBe(3)
  for (const path of ['/readyz', '/readyz?for=online', '/readyz?for=offline'])
    expect((await fetch(gateway.url + path)).status).toBe(200)
  expect((await fetch(`${gateway.url}/readyz?for=nothing`)).status).toBe(400)

  leaving.abort()
  await Promise.all(all)
  await expect.poll(state).toEqual([0, 0])
})
