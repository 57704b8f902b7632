import { readFileSync } from 'node:fs'
import pg from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { parseTimestamp } from '../../src/definitions/timestamp.ts'
import { DemoRefused } from '../../src/errors.ts'
import { type Gateway, startGateway } from '../../src/server.ts'
import { execute } from '../services/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'

const dayMicros = 86_400_000_000
const firstStart = Date.now() * 1_000

/** The README's own start, over the tests' servers; the clock is the test's. */
function startDemo(url: string, now: number): Promise<Gateway> {
  const config = readConfig({
    FEATUREGRAPH_OFFLINE_URL: url,
    FEATUREGRAPH_ONLINE_URL: inject('redisUrl'),
    FEATUREGRAPH_PROJECT: 'demo_test',
    FEATUREGRAPH_DEMO: 'true',
    FEATUREGRAPH_PORT: '0',
    FEATUREGRAPH_ONLINE_TIMEOUT_MS: '5000',
  })
  return startGateway(config, { log: pino({ level: 'silent' }), clock: () => now })
}

async function ask(gateway: Gateway, query: string, variables: object = {}): Promise<unknown> {
  const response = await gateway.app.inject({
    method: 'POST',
    url: '/graphql',
    payload: { query, variables },
  })
  return response.json()
}

interface RowCounts {
  readonly daily: number
  readonly realtime: number
}

async function countRows(url: string): Promise<RowCounts> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<RowCounts>(
      `select (select count(*)::int from features_demo_test.customer_transaction_features) as daily,
              (select count(*)::int from features_demo_test.customer_realtime_features) as realtime`,
    )
    return rows[0] ?? { daily: 0, realtime: 0 }
  } finally {
    await client.end()
  }
}

const freshness = `query ($id: Int64!, $asOf: Timestamp) { customer(customerId: $id, asOf: $asOf) {
  customerTransactionFeatures { totalTransactions30d freshness { status eventTimestamp source } }
  customerRealtimeFeatures { transactionsLastHour freshness { status } }
} }`

interface Asked {
  readonly data: {
    readonly customer: {
      readonly customerTransactionFeatures: {
        readonly totalTransactions30d: number | null
        readonly freshness: {
          readonly status: string
          readonly eventTimestamp: string
          readonly source: string
        }
      }
      readonly customerRealtimeFeatures: { readonly freshness: { readonly status: string } }
    }
  }
}

describe('the demo world', () => {
  let database: TestDatabase
  let gateway: Gateway

  beforeAll(async () => {
    database = await createTestDatabase()
    gateway = await startDemo(database.url, firstStart)
  }, 60_000)
  afterAll(async () => {
    await gateway.close()
    await database.drop()
  })

  describe("the README's queries run as written", () => {
    const readme = readFileSync('README.md', 'utf8')
    const queries = [...readme.matchAll(/```graphql\n([\s\S]*?)```/g)].map(([, query = '']) => query)
    const variables = [...readme.matchAll(/`(\{ "id": .*?\})`/g)].map(
      ([, json = '']) => JSON.parse(json) as object,
    )

    it('are there', () => {
      expect(queries.length).toBeGreaterThanOrEqual(5)
      expect(variables).toHaveLength(2)
    })
    it.each(queries)('%s', async (query) => {
      for (const given of query.includes('$id') ? variables : [{}]) {
        const answer = await ask(gateway, query, given)
        expect(answer).toHaveProperty('data')
        expect(answer).not.toHaveProperty('errors')
      }
    })
  })

  it('answers PRESENT for every customer and both views at once after the first start', async () => {
    const query = `query ($ids: [Int64!]!) { customers(customerIds: $ids) {
      customerRealtimeFeatures { freshness { status } } customerTransactionFeatures { freshness { status } } } }`
    const ids = Array.from({ length: 1_000 }, (_, index) => 1_001 + index)
    const { data } = (await ask(gateway, query, { ids })) as {
      data: { customers: Record<string, unknown>[] }
    }
    const statuses = data.customers.map((customer) =>
      JSON.stringify(customer)
        .match(/[A-Z_]{7,}/g)
        ?.join(),
    )
    expect(new Set(statuses)).toEqual(new Set(['PRESENT,PRESENT']))
  })

  it('holds a month ago what a snapshot of then held', async () => {
    const asOf = new Date((firstStart - 30 * dayMicros) / 1_000).toISOString()
    const { data } = (await ask(gateway, freshness, { id: 1001, asOf })) as Asked
    const { totalTransactions30d, freshness: told } = data.customer.customerTransactionFeatures
    expect(told).toMatchObject({ status: 'PRESENT', source: 'OFFLINE' })
    expect(totalTransactions30d).toBeGreaterThan(0)
  })

  it('is continued by a later start, writes no history twice, and answers PRESENT a week later', async () => {
    const before = await countRows(database.url)
    await gateway.close()
    gateway = await startDemo(database.url, firstStart)
    expect(await countRows(database.url)).toMatchObject({ daily: before.daily })
    await gateway.close()
    const weekLater = firstStart + 7 * dayMicros
    gateway = await startDemo(database.url, weekLater)
    const after = await countRows(database.url)
    expect(after.daily - before.daily).toBeGreaterThan(6 * 900)
    expect(after.daily - before.daily).toBeLessThanOrEqual(7 * 1_000)
    const { data } = (await ask(gateway, freshness, { id: 1001 })) as Asked
    expect(data.customer.customerRealtimeFeatures.freshness.status).toBe('PRESENT')
    const { status, eventTimestamp } = data.customer.customerTransactionFeatures.freshness
    expect(status).toBe('PRESENT')
    expect(weekLater - (parseTimestamp(eventTimestamp) ?? 0)).toBeLessThan(1.1 * dayMicros)
  }, 60_000)

  it('starts over when its first writing was interrupted', async () => {
    const whole = await countRows(database.url)
    await gateway.close()
    await execute(database.url, 'update featuregraph.demo_projects set seeded_until = null')
    gateway = await startDemo(database.url, firstStart + 7 * dayMicros)
    expect(await countRows(database.url)).toMatchObject({ daily: whole.daily })
  }, 60_000)

  it('refuses a project that holds other data', async () => {
    const other = await createTestDatabase()
    try {
      await execute(
        other.url,
        `insert into featuregraph.views (project, id, name) values ('demo_test', 'mine', 'mine')`,
      )
      await expect(startDemo(other.url, firstStart)).rejects.toThrow(DemoRefused)
    } finally {
      await other.drop()
    }
  })
})
