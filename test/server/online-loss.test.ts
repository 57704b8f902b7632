import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { entity, featureView } from 'featuregraph'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onlineKeySuffix } from '../../src/stores/online-value/online-key.ts'
import { startCommand } from '../cli/start-command.ts'
import { type RedisServer, startRedis } from '../services/redis.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'
import { waitUntil } from '../services/wait-until.ts'
import { newProject, startTestGateway, type TestGateway } from './start-test-gateway.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const profile = featureView('profile', { entity: customer, online: true, features: { score: 'float64' } })
const query = `query Read($ids: [Int64!]!) {
  customers(customerIds: $ids) { profile { score freshness { status reason source } } }
}`
const ids = Array.from({ length: 40 }, (_, index) => index + 1)

let database: TestDatabase
let redis: RedisServer
let client: Redis
let folder: string
const gateways: TestGateway[] = []
const project = newProject()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-loss-'))
  const lines = Object.entries({ customer, profile }).map(
    ([name, value]) => `export const ${name} = ${JSON.stringify(value)}\n`,
  )
  await writeFile(join(folder, 'definitions.mjs'), lines.join(''))
  ;[database, redis] = await Promise.all([createTestDatabase(), startRedis()])
  client = new Redis(redis.url)
  const gateway = await open()
  const at = Date.now() * 1_000
  await gateway.write(
    'profile',
    ids.map((id) => ({ key: { customer_id: id }, values: { score: id }, at: at - id })),
  )
})
afterAll(async () => {
  for (const gateway of gateways) await gateway.close()
  client?.disconnect()
  await Promise.all([redis?.stop(), database?.drop(), rm(folder, { recursive: true, force: true })])
})

async function open(settings: Readonly<Record<string, string>> = {}): Promise<TestGateway> {
  const gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: redis.url,
    makeTables: false,
    settings: { PROJECT: project, SCHEMA: folder, ...settings },
  })
  gateways.push(gateway)
  return gateway
}

const first = (): TestGateway => gateways[0] as TestGateway

interface Row {
  readonly profile: {
    readonly score: number | null
    readonly freshness: Readonly<Record<string, string | null>>
  }
}
const rowsOf = async (gateway: TestGateway): Promise<readonly Row[]> =>
  (await gateway.ask(query, { ids })).data.customers
const scoresOf = async (gateway: TestGateway) =>
  (await rowsOf(gateway)).map(({ profile: { score } }) => score)
const untilAnswered = (gateway: TestGateway) =>
  waitUntil(async () => !(await scoresOf(gateway)).includes(null), 'every row is answered')

/** No gateway gets the lease meanwhile, so that nothing is filled. */
async function withoutHolder(work: () => Promise<void>): Promise<void> {
  const pool = testPool(database.url, 1, null)
  try {
    await pool.query(
      `update featuregraph.online_guards set holder = gen_random_uuid(), expires_at = now() + interval '1 hour'
       where project = $1`,
      [project],
    )
    // The process that held it hears of that.
    await waitUntil(async () => {
      const before = await client.get(`f:m:{guard ${project}}`)
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      return (await client.get(`f:m:{guard ${project}}`)) === before
    }, 'nobody moves the guard')
    await work()
  } finally {
    await pool.query('update featuregraph.online_guards set expires_at = null where project = $1', [project])
    await pool.end()
  }
}

describe('a gateway whose online store was emptied', () => {
  it('says LOST in the answer, in its errors, at /readyz and in the metrics, never NOT_FOUND, until it is filled', async () => {
    const gateway = first()
    await untilAnswered(gateway)
    await withoutHolder(async () => {
      await client.flushall()
      const answer = await gateway.ask(query, { ids: [1] })
      const freshness = { status: 'UNAVAILABLE', reason: 'LOST', source: 'ONLINE' }
      expect(answer.data.customers).toEqual([{ profile: { score: null, freshness } }])
      expect(answer.errors?.map(({ extensions }) => extensions)).toMatchObject([
        { code: 'UNAVAILABLE', reason: 'LOST', view: 'profile', count: 1 },
      ])
      const readyz = await fetch(`${gateway.url}/readyz`)
      expect([readyz.status, await readyz.json()]).toMatchObject([
        503,
        {
          status: 'unready',
          dependencies: { 'online (redis)': 'up', 'offline (postgres)': 'up' },
          onlineReads: 'LOST',
        },
      ])
      expect(
        (await gateway.metrics()).get('featuregraph_online_view_unavailable{view="profile",reason="LOST"}'),
      ).toBe(1)
    })
    await untilAnswered(gateway)
    expect(await scoresOf(gateway)).toEqual(ids)
    await gateway.ready()
    expect(
      (await gateway.metrics()).get('featuregraph_online_view_unavailable{view="profile",reason=""}'),
    ).toBe(0)
    expect(gateway.logLines.join('')).toContain('the online store was emptied')
  })

  it('is shown as being filled by a probe that does not wait for a database whose answer does not come', async () => {
    const gateway = first()
    await untilAnswered(gateway)
    const pool = testPool(database.url, 1, null)
    const held = await pool.connect()
    try {
      await held.query('begin; lock table featuregraph.runs in access exclusive mode')
      await client.flushall()
      const probe = async (): Promise<unknown> => await (await fetch(`${gateway.url}/readyz`)).json()
      const unavailableViews = [{ view: 'profile', reason: 'REFILLING', rowsRead: null }]
      await expect.poll(probe).toMatchObject({ unavailableViews })
    } finally {
      await held.query('rollback')
      held.release()
      await pool.end()
    }
    await untilAnswered(gateway)
  })

  it('answers from the offline store where that is set, and is ready', async () => {
    const gateway = await open({ ONLINE_FALLBACK: 'offline' })
    await untilAnswered(gateway)
    await withoutHolder(async () => {
      await client.flushall()
      const rows = await rowsOf(gateway)
      expect(rows.map(({ profile: { score } }) => score)).toEqual(ids)
      const freshness = { status: 'PRESENT', reason: null, source: 'OFFLINE' }
      expect(rows[0]?.profile.freshness).toEqual(freshness)
      expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200)
    })
    await untilAnswered(gateway)
  })

  it('answers UNAVAILABLE past as many offline statements as may run at once', async () => {
    const gateway = await open({ ONLINE_FALLBACK: 'offline', ONLINE_FALLBACK_CONCURRENCY: '1' })
    await untilAnswered(gateway)
    await withoutHolder(async () => {
      await client.flushall()
      const blocker = testPool(database.url, 1, null)
      const session = await blocker.connect()
      try {
        await session.query('begin')
        await session.query(`lock table features_${project}.profile in access exclusive mode`)
        const waiting = rowsOf(gateway)
        await waitUntil(async () => {
          const [row] = await rowsOf(gateway)
          return row?.profile.freshness['reason'] === 'LOST'
        }, 'the second read is refused')
        await session.query('rollback')
        expect((await waiting)[0]?.profile.freshness['source']).toBe('OFFLINE')
      } finally {
        session.release()
        await blocker.end()
      }
    })
    await untilAnswered(gateway)
  })
})

describe('rows that were removed singly from the online store', () => {
  const removeHalf = async (): Promise<void> => {
    const keys = (await client.keys('f:*{*}')).filter((key) => /:\{\d+\}$/.test(key))
    const odd = keys.filter((key) => ids.some((id) => id % 2 === 1 && key.endsWith(onlineKeySuffix([id]))))
    await client.del(...odd)
  }
  const command = (...args: readonly string[]) =>
    startCommand(
      args,
      { OFFLINE_URL: database.url, ONLINE_URL: redis.url, PROJECT: project, SCHEMA: folder },
      folder,
    ).ended

  it('are written again by materialize --verify, although the marker that stands after them is there', async () => {
    const gateway = first()
    await untilAnswered(gateway)
    await removeHalf()
    expect((await scoresOf(gateway)).filter((score) => score === null)).toHaveLength(ids.length / 2)
    const plain = await command('materialize')
    expect(plain.stdout).toContain('profile: 0 rows read')
    const { stdout } = await command('materialize', '--verify')
    expect(stdout).toBe('profile: 40 rows compared, 20 of them missing or older online and written again\n')
    expect(await scoresOf(gateway)).toEqual(ids)
  })

  it('are answered by the offline store where misses are verified', async () => {
    const gateway = await open({ ONLINE_VERIFY_MISSES: 'true' })
    await untilAnswered(gateway)
    await removeHalf()
    const rows = await rowsOf(gateway)
    expect(rows.map(({ profile: { score } }) => score)).toEqual(ids)
    expect(rows.map(({ profile: { freshness } }) => freshness['source'])).toEqual(
      ids.map((id) => (id % 2 === 1 ? 'OFFLINE' : 'ONLINE')),
    )
    const unknown = await gateway.ask(query, { ids: [999] })
    expect(unknown.data.customers[0].profile.freshness).toEqual({
      ...{ status: 'NOT_FOUND', reason: null, source: 'OFFLINE' },
    })
  })
})
