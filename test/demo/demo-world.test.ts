import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { readConfig } from '../../src/config/read-config.ts'
import { parseTimestamp } from '../../src/definitions/timestamp.ts'
import { DemoRefused } from '../../src/errors.ts'
import { type Gateway, startGateway } from '../../src/gateway/start-gateway.ts'
import { blocksOf, commandOf } from '../docs/doc-blocks.ts'
import { setDatabaseClock } from '../services/database-clock.ts'
import { execute } from '../services/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { demoEvents, type LastHour } from './demo-events.ts'

const dayMicros = 86_400_000_000
const firstStart = Date.now() * 1_000

/** The README's own start, over the tests' servers; the clock is the test's. */
async function startDemo(url: string, now: number): Promise<Gateway> {
  await setDatabaseClock(url, now)
  const config = readConfig({
    FEATUREGRAPH_OFFLINE_URL: url,
    FEATUREGRAPH_ONLINE_URL: inject('redisUrl'),
    FEATUREGRAPH_PROJECT: 'demo_test',
    FEATUREGRAPH_DEMO: 'true',
    FEATUREGRAPH_PORT: '0',
    FEATUREGRAPH_ONLINE_TIMEOUT_MS: '60000',
  })
  return await startGateway(config, { log: pino({ level: 'silent' }), clock: () => now })
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
  readonly transactions: number
  readonly daily: number
}

async function countRows(url: string): Promise<RowCounts> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<RowCounts>(
      `select (select count(*)::int from events_demo_test.transactions) as transactions,
              (select count(*)::int from features_demo_test.customer_transaction_features) as daily`,
    )
    return rows[0] ?? { transactions: 0, daily: 0 }
  } finally {
    await client.end()
  }
}

const freshness = `query ($id: Int64!, $asOf: Timestamp) { customer(customerId: $id, asOf: $asOf) {
  customerTransactionFeatures { totalTransactions30d freshness { status eventTimestamp source } }
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
    }
  }
}

describe('the demo world', () => {
  let database: TestDatabase
  let gateway: Gateway

  beforeAll(async () => {
    database = await createTestDatabase()
    gateway = await startDemo(database.url, firstStart)
  })
  afterAll(async () => {
    await gateway.close()
    await database.drop()
  })

  describe('the queries of the README and of docs/asking.md run as written', () => {
    const readme = readFileSync('README.md', 'utf8')
    const asking = readFileSync('docs/asking.md', 'utf8')
    const queries = [...(readme + asking).matchAll(/```graphql\n([\s\S]*?)```/g)].map(
      ([, query = '']) => query,
    )
    const variables = [...readme.matchAll(/`(\{ "id": .*?\})`/g)].map(
      ([, json = '']) => JSON.parse(json) as object,
    )

    it('are there', () => {
      expect(queries.length).toBeGreaterThanOrEqual(7)
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

  it('answers for both views at once after the first start, but for who was idle for a month or an hour', async () => {
    const query = `query ($ids: [Int64!]!) { customers(customerIds: $ids) { customerId
      customerTransactionFeatures { freshness { status } }
      customerRealtimeFeatures { transactionsLastHour amountLastHour freshness { status } } } }`
    const ids = Array.from({ length: 1_000 }, (_, index) => 1_001 + index)
    const { data } = (await ask(gateway, query, { ids })) as {
      data: {
        customers: (Pick<Asked['data']['customer'], 'customerTransactionFeatures'> & {
          readonly customerRealtimeFeatures: LastHour
        })[]
      }
    }
    const daily = data.customers.map((each) => each.customerTransactionFeatures.freshness.status)
    expect(daily.filter((status) => status === 'PRESENT').length).toBeGreaterThan(990)
    expect(data.customers.map(({ customerRealtimeFeatures }) => customerRealtimeFeatures)).toEqual(
      await demoEvents(database.url, 'demo_test').lastHours(ids, firstStart),
    )
  })

  it('holds a month ago what a snapshot of then held', async () => {
    const asOf = new Date((firstStart - 30 * dayMicros) / 1_000).toISOString()
    const { data } = (await ask(gateway, freshness, { id: 1001, asOf })) as Asked
    const { totalTransactions30d, freshness: answered } = data.customer.customerTransactionFeatures
    expect(answered).toMatchObject({ status: 'PRESENT', source: 'OFFLINE' })
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
    const { status, eventTimestamp } = data.customer.customerTransactionFeatures.freshness
    expect(status).toBe('PRESENT')
    expect(weekLater - (parseTimestamp(eventTimestamp) ?? 0)).toBeLessThan(1.1 * dayMicros)
  })

  it('is built by imports, batch runs and materialize, each recorded as a run', async () => {
    const { data } = (await ask(
      gateway,
      '{ runs(first: 1000) { nodes { kind view state rowsWritten } } }',
    )) as {
      data: { runs: { nodes: { kind: string; view: string; state: string; rowsWritten: number }[] } }
    }
    const { nodes } = data.runs
    expect(new Set(nodes.map(({ kind, view, state }) => `${kind} ${view} ${state}`))).toEqual(
      new Set([
        'IMPORT transactions SUCCEEDED',
        'BATCH customer_transaction_features SUCCEEDED',
        'MATERIALIZE customer_transaction_features SUCCEEDED',
      ]),
    )
    const { transactions, daily } = await countRows(database.url)
    const written = (kind: string, view: string): number =>
      nodes
        .filter((run) => run.kind === kind && run.view === view)
        .reduce((sum, { rowsWritten }) => sum + rowsWritten, 0)
    expect(written('IMPORT', 'transactions')).toBe(transactions)
    expect(written('BATCH', 'customer_transaction_features')).toBe(daily)
  })

  it('goes on where its writing was interrupted, and keeps no event twice', async () => {
    const whole = await countRows(database.url)
    await gateway.close()
    await execute(
      database.url,
      `update featuregraph.demo_projects set seeded_until = seeded_until - interval '7 days', seeding_until = seeded_until`,
    )
    gateway = await startDemo(database.url, firstStart + 7 * dayMicros)
    const { transactions, daily } = await countRows(database.url)
    expect({ transactions, daily }).toEqual({ transactions: whole.transactions, daily: whole.daily })
  })

  describe('the commands of docs/pushing.md and docs/streaming.md run as written', () => {
    const [first = ''] = blocksOf('docs/streaming.md', 'sh')
    const commands = [...blocksOf('docs/pushing.md', 'sh'), first].map(commandOf)
    let folder: string
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'featuregraph-docs-'))
    })
    afterAll(() => rm(folder, { recursive: true, force: true }))

    it.each(commands)('$command', async ({ command, files, answer }) => {
      for (const [name, text] of files) await writeFile(join(folder, name), text)
      const here = command.replaceAll('localhost:4000', new URL(gateway.url).host)
      const { stdout } = await promisify(execFile)('sh', ['-c', here], { cwd: folder })
      if (answer.length > 0) expect(stdout.trim().split('\n')).toEqual(answer)
      else expect(stdout).not.toContain('"errors"')
      expect(stdout).toMatch(/"accepted":(?:true|1)/)
    })
  })

  it('deletes a customer by the mutation of docs/deletion.md, as it is written', async () => {
    const [mutation = ''] = blocksOf('docs/deletion.md', 'text')
    const counted = expect.arrayContaining([{ place: expect.any(String), rows: expect.any(Number) }])
    expect(await ask(gateway, mutation)).toEqual({
      data: {
        deleteCustomer: {
          deletedAt: expect.any(String),
          counts: counted,
          notReached: expect.arrayContaining([expect.any(String)]),
        },
      },
    })
    const query = '{ customer(customerId: 1001) { customerTransactionFeatures { freshness { status } } } }'
    expect(await ask(gateway, query)).toMatchObject({
      data: { customer: { customerTransactionFeatures: { freshness: { status: 'NOT_FOUND' } } } },
    })
  })

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
