import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { freePort } from '../../src/embedded/free-port.ts'
import { StoreFailed } from '../../src/errors.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { execute, type PostgresServer, startPostgres } from '../services/postgres.ts'
import { type RedisServer, startRedis } from '../services/redis.ts'
import { testPool } from '../services/test-pool.ts'
import { untilWorks, waitUntil } from '../services/wait-until.ts'
import { type Answer, newProject, startTestGateway, type TestGateway } from './start-test-gateway.ts'

const start: Micros = systemClock()
const project = newProject()
/** Of the one store that a test stops; the other has all the time that a busy machine may need. */
const hastyOnline = { PROJECT: project, ONLINE_TIMEOUT_MS: '300' }
const hastyOffline = { PROJECT: project, OFFLINE_TIMEOUT_MS: '1500' }

let redis: RedisServer
let postgres: PostgresServer
let database: string
let gateway: TestGateway

beforeAll(async () => {
  ;[redis, postgres] = await Promise.all([startRedis(), startPostgres()])
  database = await postgres.createDatabase()
  gateway = await startTestGateway({
    offlineUrl: database,
    onlineUrl: redis.url,
    settings: { PROJECT: project },
  })
  await writeRows()
  await execute(
    database,
    `insert into shop.naps values (1, '2026-01-01T00:00:00Z', 3600), (2, '2026-01-01T00:00:00Z', 0.5), (3, '2026-01-01T00:00:00Z', 5)`,
  )
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([redis?.stop(), postgres?.stop()])
})

async function writeRows(): Promise<void> {
  const ids = [1, 2, 3]
  const row = (id: number, values: Record<string, unknown>) => ({
    key: { customer_id: id },
    values,
    at: start - 1_000_000,
  })
  await gateway.write(
    'customer_profile',
    ids.map((id) => row(id, { lifetime_events: id })),
  )
  await gateway.write(
    'customer_realtime_features',
    ids.map((id) => row(id, { amount_last_hour: id })),
  )
  await gateway.write(
    'customer_segment',
    ids.map((id) => row(id, { segment: `s${id}` })),
  )
}

const mixed = `query Mixed($ids: [Int64!]!) {
  customers(customerIds: $ids) {
    customerId
    customerProfile { lifetimeEvents freshness { status source eventTimestamp ageSeconds } }
    customerRealtimeFeatures { amountLastHour freshness { status source } }
    customerSegment { segment freshness { status source } }
  }
  checkoutV1(keys: [{ customerId: 1, merchantId: "m", deviceId: 1, basketValue: 2 }]) { vector statuses }
  featureServices { name }
}`
const past = `query Past($asOf: Timestamp) {
  customer(customerId: 1, asOf: $asOf) { customerProfile { lifetimeEvents freshness { status source } } }
}`

interface CustomerRow {
  readonly customerId: number
  readonly customerProfile: {
    readonly lifetimeEvents: number | null
    readonly freshness: { readonly status: string }
  }
  readonly customerSegment: {
    readonly segment: string | null
    readonly freshness: { readonly status: string }
  }
}

function expectNoLeak(text: string): void {
  expect(text).not.toMatch(
    /ECONN|127\.0\.0\.1|localhost|postgres:|redis:|terminat|connection|select|\.ts|stack|f:[\w-]{4}:/i,
  )
  for (const port of [redis.port, postgres.port]) expect(text).not.toContain(String(port))
}

/** What the answer is with Redis away: 200, nulls, one error per view and place, the rest answered. */
function expectOnlineUnavailable({ status, text, data, errors = [] }: Answer): void {
  expect(status).toBe(200)
  expectNoLeak(text)
  expect(data.featureServices.length).toBeGreaterThan(0)
  data.customers.forEach((row: CustomerRow, index: number) => {
    expect(row).toEqual({
      customerId: index + 1,
      customerProfile: {
        lifetimeEvents: null,
        freshness: { status: 'UNAVAILABLE', source: 'ONLINE', eventTimestamp: null, ageSeconds: null },
      },
      customerRealtimeFeatures: {
        amountLastHour: null,
        freshness: { status: 'UNAVAILABLE', source: 'ONLINE' },
      },
      customerSegment: { segment: `s${index + 1}`, freshness: { status: 'PRESENT', source: 'OFFLINE' } },
    })
  })
  expect(data.checkoutV1[0].vector).toEqual([-1, 0, 0, 0.5, 0, 0, 0.25, 0, 2, 1, 0])
  expect(data.checkoutV1[0].statuses.slice(0, 8)).toEqual(Array(8).fill('UNAVAILABLE'))
  const reported = errors.map(({ path, extensions: { code, view, count } }) => [
    path?.join('.'),
    view,
    count,
    code,
  ])
  expect(reported.sort()).toEqual([
    ['checkoutV1.0', 'customer_profile', 1, 'UNAVAILABLE'],
    ['checkoutV1.0', 'customer_transaction_features', 1, 'UNAVAILABLE'],
    ['checkoutV1.0', 'device_risk', 1, 'UNAVAILABLE'],
    ['checkoutV1.0', 'merchant_profile', 1, 'UNAVAILABLE'],
    ['customers.0.customerProfile', 'customer_profile', 3, 'UNAVAILABLE'],
    ['customers.0.customerRealtimeFeatures', 'customer_realtime_features', 3, 'UNAVAILABLE'],
  ])
}

const askMixed = (of = gateway) => of.ask(mixed, { ids: [1, 2, 3] })

/** Polls until the answer has no errors, without touching the gateway. */
async function recovered(ask: () => Promise<Answer>): Promise<Answer> {
  return await untilWorks(async () => {
    const answer = await ask()
    if (answer.errors !== undefined) throw new Error(`still unavailable: ${answer.text}`)
    return answer
  })
}

/** The store did not answer at all. */
const isUnanswered = ({ errors = [] }: Answer): boolean =>
  errors.length > 0 &&
  errors.every(({ extensions: { reason } }) => reason === 'STORE_FAILED' || reason === 'TIMEOUT')
const isFailed = (answer: Answer): boolean => answer.errors !== undefined

/** Callers that ask one after the other until the work is done, whatever becomes of it; all their answers. */
async function underLoad(
  callers: number,
  ask: () => Promise<Answer>,
  work: (answers: readonly Answer[]) => Promise<void>,
): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  let loading = true
  const load = Array.from({ length: callers }, async () => {
    while (loading) answers.push(await ask())
  })
  try {
    await work(answers)
  } finally {
    loading = false
    await Promise.all(load)
  }
  return answers
}

async function readiness(of = gateway, asked = ''): Promise<{ status: number; dependencies: unknown }> {
  const response = await fetch(`${of.url}/readyz${asked}`)
  const { dependencies } = (await response.json()) as { dependencies: unknown }
  return { status: response.status, dependencies }
}

/** Statements that sleep now. */
async function sleepers(): Promise<number> {
  const pool = testPool(database, 1)
  try {
    const { rows } = await pool.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity where state = 'active' and wait_event = 'PgSleep'`,
    )
    return rows[0]?.count ?? -1
  } finally {
    await pool.end()
  }
}

describe('Redis', () => {
  it('killed in the middle of load: 200 with nulls and one error per view; back by itself after its restart', async () => {
    const answers = await underLoad(
      8,
      () => askMixed(),
      async (given) => {
        await waitUntil(() => given.length > 20, 'answers come')
        await redis.kill()
        await waitUntil(() => given.filter(isFailed).length > 20, 'answers with errors come')
        expectOnlineUnavailable(await askMixed())
        expect(await readiness()).toMatchObject({
          status: 503,
          dependencies: { 'online (redis)': 'down', 'offline (postgres)': 'up' },
        })
        expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
        await redis.restart()
        await recovered(() => askMixed())
      },
    )
    // It has lost its rows, which are written again before anything is answered.
    expect((await askMixed()).data.customers[0].customerProfile.freshness.status).toBe('PRESENT')
    // The writer has a connection of its own, which comes back on its own.
    await untilWorks(writeRows)
    expect((await askMixed()).data.customers[0].customerProfile.freshness.status).toBe('PRESENT')
    await gateway.ready()

    const failed = answers.filter(isFailed)
    expect(failed.length).toBeGreaterThan(10)
    expect(answers.length - failed.length).toBeGreaterThan(10)
    const unanswered = failed.filter(isUnanswered)
    for (const answer of unanswered) expectOnlineUnavailable(answer)
    // Some views are back before others; what is not is UNAVAILABLE, never NOT_FOUND.
    for (const { data } of answers)
      for (const { customerProfile } of data.customers)
        expect(['PRESENT', 'UNAVAILABLE']).toContain(customerProfile.freshness.status)
    const metrics = await gateway.metrics()
    expect(metrics.get('featuregraph_store_errors_total{store="online"}')).toBeGreaterThanOrEqual(
      unanswered.length,
    )
    const logged = gateway.logLines.filter((line) => line.includes('online store did not answer'))
    expect(logged.length).toBeGreaterThan(0)
    expect(logged.length).toBeLessThan(unanswered.length)
  })

  it('stopped without closing: answers within the deadline, other views at once; back when it goes on', async () => {
    const own = await startTestGateway({ offlineUrl: database, onlineUrl: redis.url, settings: hastyOnline })
    process.kill(redis.pid, 'SIGSTOP')
    try {
      // It stands still until all of these are answered: what waited for it would wait for ever.
      for (let round = 0; round < 6; round += 1) expectOnlineUnavailable(await askMixed(own))
      expect((await readiness(own)).status).toBe(503)
      expect((await readiness(own, '?for=offline')).status).toBe(200)
      expect((await readiness(own, '?for=online')).status).toBe(503)
      await Promise.all(Array.from({ length: 30 }, async () => expectOnlineUnavailable(await askMixed(own))))
    } finally {
      process.kill(redis.pid, 'SIGCONT')
    }
    const answer = await recovered(() => askMixed(own))
    expect(answer.data.customers[1].customerProfile.lifetimeEvents).toBe(2)
    await own.close()
  })

  it('away at the start: the gateway starts, unready, answers what it can, and becomes ready', async () => {
    const port = await freePort()
    const late = await startTestGateway({
      offlineUrl: database,
      onlineUrl: `redis://127.0.0.1:${port}`,
      settings: { PROJECT: 'late' },
      waitUntilReady: false,
    })
    let server: RedisServer | undefined
    try {
      expect(await readiness(late)).toMatchObject({
        status: 503,
        dependencies: { 'online (redis)': 'down', 'offline (postgres)': 'up' },
      })
      expect((await fetch(`${late.url}/healthz`)).status).toBe(200)
      const away = await late.ask(mixed, { ids: [1] })
      expect(away.data.customers[0].customerProfile.freshness.status).toBe('UNAVAILABLE')
      expect(away.data.customers[0].customerSegment.freshness.status).toBe('NOT_FOUND')
      server = await startRedis({ port })
      await late.ready()
      const back = await recovered(() => late.ask(mixed, { ids: [1] }))
      expect(back.data.customers[0].customerProfile.freshness.status).toBe('NOT_FOUND')
    } finally {
      await late.close()
      await server?.stop()
    }
  })
})

describe('Postgres', () => {
  const asOf = formatTimestamp(start)
  const askPast = (of = gateway) => of.ask(past, { asOf })

  function expectOfflineUnavailable({ status, text, data, errors = [] }: Answer): void {
    expect(status).toBe(200)
    expectNoLeak(text)
    expect(data.customer.customerProfile).toEqual({
      lifetimeEvents: null,
      freshness: { status: 'UNAVAILABLE', source: 'OFFLINE' },
    })
    expect(errors).toMatchObject([
      {
        path: ['customer', 'customerProfile'],
        extensions: { code: 'UNAVAILABLE', view: 'customer_profile', count: 1 },
      },
    ])
  }

  it('killed in the middle of load: asOf is UNAVAILABLE, online still answers; back by itself', async () => {
    const answers = await underLoad(
      4,
      () => askPast(),
      async (given) => {
        await waitUntil(() => given.length > 10, 'answers come')
        await postgres.kill()
        await waitUntil(() => given.some(isFailed), 'an answer with errors comes')
        expectOfflineUnavailable(await askPast())
        const { data, errors } = await askMixed()
        expect(data.customers[2].customerProfile.lifetimeEvents).toBe(3)
        expect(data.customers[2].customerSegment).toEqual({
          segment: null,
          freshness: { status: 'UNAVAILABLE', source: 'OFFLINE' },
        })
        expect(errors).toMatchObject([
          { path: ['customers', 0, 'customerSegment'], extensions: { view: 'customer_segment', count: 3 } },
        ])
        expect(await readiness()).toMatchObject({
          status: 503,
          dependencies: { 'online (redis)': 'up', 'offline (postgres)': 'down' },
        })
        await postgres.restart()
        const back = await recovered(() => askPast())
        expect(back.data.customer.customerProfile).toEqual({
          lifetimeEvents: 1,
          freshness: { status: 'PRESENT', source: 'OFFLINE' },
        })
      },
    )
    const failed = answers.filter(isFailed)
    expect(failed.length).toBeGreaterThan(0)
    expect(answers.length).toBeGreaterThan(failed.length)
    for (const answer of failed) expectOfflineUnavailable(answer)
  })

  it('stopped without closing: UNAVAILABLE near the deadline, readiness and online answers at once', async () => {
    const own = await startTestGateway({ offlineUrl: database, onlineUrl: redis.url, settings: hastyOffline })
    const pids = await postgresProcesses()
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    try {
      // One after the other, and it stands still until the last is answered: what waited for it would wait for ever.
      const online = await own.ask('{ customer(customerId: 2) { customerProfile { lifetimeEvents } } }')
      expect(online.data.customer.customerProfile.lifetimeEvents).toBe(2)
      expectOfflineUnavailable(await askPast(own))
      expect((await readiness(own)).status).toBe(503)
      expect((await readiness(own, '?for=online')).status).toBe(200)
      expect((await readiness(own, '?for=offline')).status).toBe(503)
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    }
    await recovered(() => askPast(own))
    await own.close()
  })

  /** The server and its backends: a stopped server alone would leave the pool's sessions at work. */
  async function postgresProcesses(): Promise<number[]> {
    const pool = testPool(database, 1)
    try {
      const { rows } = await pool.query<{ pid: number }>(
        'select pid from pg_stat_activity where backend_type = $1 and pid <> pg_backend_pid()',
        ['client backend'],
      )
      return [postgres.pid, ...rows.map((row) => row.pid)]
    } finally {
      await pool.end()
    }
  }

  it('as the online store too, stopped without closing: answers within the online deadline', async () => {
    // A project has one online store.
    const settings = { ...hastyOnline, PROJECT: newProject() }
    const own = await startTestGateway({ offlineUrl: database, onlineUrl: database, settings })
    const ask = () =>
      own.ask('{ customer(customerId: 2) { customerProfile { freshness { status source } } } }')
    await recovered(ask)
    const pids = await postgresProcesses()
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    try {
      const { data, text } = await ask()
      expectNoLeak(text)
      expect(data.customer.customerProfile.freshness).toEqual({ status: 'UNAVAILABLE', source: 'ONLINE' })
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
      await recovered(ask)
      await own.close()
    }
  })

  const nap = (id: number) =>
    `{ customer(customerId: ${id}) { customerNaps { slept seconds freshness { status } } customerProfile { lifetimeEvents } } }`

  it('is stopped when the caller goes away', async () => {
    const controllers = [1, 2, 3].map(() => new AbortController())
    const calls = controllers.map(({ signal }) =>
      gateway.ask(nap(1), {}, { signal }).catch((error: unknown) => error),
    )
    await expect.poll(sleepers).toBe(3)
    for (const controller of controllers) controller.abort()
    for (const outcome of await Promise.all(calls)) expect(outcome).toMatchObject({ name: 'AbortError' })
    await expect.poll(sleepers).toBe(0)
    const after = await gateway.ask(nap(2))
    expect(after.errors).toBeUndefined()
    expect(after.data.customer.customerNaps).toEqual({
      slept: true,
      seconds: 0.5,
      freshness: { status: 'PRESENT' },
    })
  })

  it('too slow: UNAVAILABLE at the deadline, and the statement ends; the other views answer', async () => {
    const own = await startTestGateway({ offlineUrl: database, onlineUrl: redis.url, settings: hastyOffline })
    const { status, data, errors, text } = await own.ask(nap(1))
    expect(status).toBe(200)
    expectNoLeak(text)
    expect(data.customer).toEqual({
      customerNaps: { slept: null, seconds: null, freshness: { status: 'UNAVAILABLE' } },
      customerProfile: { lifetimeEvents: 1 },
    })
    expect(errors).toMatchObject([
      { path: ['customer', 'customerNaps'], extensions: { code: 'UNAVAILABLE', count: 1 } },
    ])
    await expect.poll(sleepers).toBe(0)
    await own.close()
  })

  it('busy with slow statements does not keep online answers waiting', async () => {
    let left = 12
    const slow = Array.from({ length: left }, () => gateway.ask(nap(1)).finally(() => left--))
    await expect.poll(sleepers).toBeGreaterThan(0)
    // The statements last until they are cancelled, after these answers.
    for (let round = 0; round < 10; round += 1) {
      const { data } = await gateway.ask('{ customer(customerId: 2) { customerProfile { lifetimeEvents } } }')
      expect(data.customer.customerProfile.lifetimeEvents).toBe(2)
    }
    expect(await sleepers()).toBeGreaterThan(0)
    await waitUntil(async () => {
      if (left > 0) {
        const asleep = `select pg_cancel_backend(pid) from pg_stat_activity where state = 'active' and wait_event = 'PgSleep'`
        await execute(database, asleep)
      }
      return left === 0
    }, 'the slow statements are cancelled')
    for (const { data } of await Promise.all(slow))
      expect(data.customer.customerNaps.freshness.status).toBe('UNAVAILABLE')
    await recovered(() => askPast())
  })

  it('away at the start: the gateway does not start, and says what does not answer', async () => {
    const port = await freePort()
    for (const host of ['127.0.0.1', 'localhost']) {
      const options = {
        offlineUrl: `postgres://me:hushhush@${host}:${port}/none`,
        onlineUrl: redis.url,
        makeTables: false,
      }
      const refused = await startTestGateway(options).then(
        () => null,
        (error: unknown) => error,
      )
      expect(refused).toBeInstanceOf(StoreFailed)
      expect(String(refused)).toMatch(
        /FEATUREGRAPH_OFFLINE_URL: Postgres at .* does not answer \(connect ECONNREFUSED/,
      )
      expect(String(refused)).not.toContain('hushhush')
    }
  })
})

describe('a stop', () => {
  it('ends connections that have sent nothing, without waiting for their headers', async () => {
    const own = await startTestGateway({ offlineUrl: database, onlineUrl: redis.url })
    const { hostname, port } = new URL(own.url)
    const silent = connect(Number(port), hostname)
    await once(silent, 'connect')
    expect((await fetch(`${own.url}/healthz`)).status).toBe(200)
    let text = ''
    silent.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    await Promise.all([once(silent, 'close'), own.close()])
    // After a minute Node would end it too, saying 408.
    expect(text).toBe('')
  })

  it('lets a running request finish, takes no new connection, and ends with its callers’ connections kept alive', async () => {
    const own = await startTestGateway({ offlineUrl: database, onlineUrl: redis.url })
    const query = '{ customer(customerId: 3) { customerNaps { slept } } }'
    const agent = new Agent({ keepAlive: true })
    const running = new Promise<{ readonly connection: unknown; readonly text: string }>(
      (resolve, reject) => {
        const headers = { 'content-type': 'application/json' }
        const sent = request(`${own.url}/graphql`, { method: 'POST', agent, headers }, async (response) => {
          let text = ''
          for await (const chunk of response) text += chunk
          resolve({ connection: response.headers.connection, text })
        })
        sent.on('error', reject)
        sent.end(JSON.stringify({ query }))
      },
    )
    await expect.poll(sleepers).toBe(1)
    const closed = own.close()
    await waitUntil(
      () =>
        fetch(`${own.url}/healthz`).then(
          () => false,
          () => true,
        ),
      'the gateway takes no connection',
    )
    const { connection, text } = await running
    expect(JSON.parse(text)).toEqual({ data: { customer: { customerNaps: { slept: true } } } })
    // Kept alive, the connection would hold up the end.
    expect(connection).toBe('close')
    await closed
    agent.destroy()
    // Twice does no harm.
    await own.close()
  })
})
