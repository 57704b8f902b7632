import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { StoreUnsuitable } from '../../src/errors.ts'
import { type RedisServer, startRedis } from '../services/redis.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { startTestGateway, type TestGateway } from './start-test-gateway.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database?.drop())

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function server(...args: readonly string[]): Promise<RedisServer> {
  const started = await startRedis({ args })
  closers.push(started.stop)
  return started
}

async function startUnready(onlineUrl: string): Promise<TestGateway> {
  const gateway = await startTestGateway({ offlineUrl: database.url, onlineUrl, waitUntilReady: false })
  closers.push(gateway.close)
  return gateway
}

async function readiness({ url }: TestGateway): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`${url}/readyz`)
  return { status: response.status, body: await response.json() }
}

const healthy = {
  status: 200,
  body: expect.objectContaining({
    status: 'ready',
    dependencies: { 'online (redis)': 'up', 'offline (postgres)': 'up' },
  }),
}
const failing = (check: string, message: RegExp) => ({
  status: 503,
  body: expect.objectContaining({
    status: 'unready',
    dependencies: { 'online (redis)': 'down', 'offline (postgres)': 'up' },
    failures: [{ dependency: 'online (redis)', check, message: expect.stringMatching(message) }],
  }),
})

/** Lines of the log about the server, one for each change. */
const lines = ({ logLines }: TestGateway): readonly string[] =>
  logLines.filter((line) => /as the online store/.test(line))

it.each([
  ['a node of a Redis Cluster', ['--cluster-enabled', 'yes'], 'cluster'],
  ['a Redis that evicts', ['--maxmemory-policy', 'volatile-ttl'], 'eviction'],
])('the gateway does not start on %s, and says what to do', async (_what, args, check) => {
  const { url } = await server(...args)
  const error: unknown = await startUnready(url).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(StoreUnsuitable)
  expect(error).toMatchObject({ check, message: expect.stringMatching(/ set /) })
})

it('the gateway does not start where its user lacks a right, and says which', async () => {
  const { url } = await server()
  const admin = new Redis(url)
  await admin.call('ACL', 'SETUSER', 'gateway', 'on', '>secret', '~*', '+@all', '-@scripting')
  admin.disconnect()
  const error: unknown = await startUnready(url.replace('//', '//gateway:secret@')).catch(
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ message: expect.stringMatching(/no right to EVAL, EVALSHA .*ACL SETUSER/) })
})

it('on a replica the gateway starts, /readyz shows why it is unready, and a promotion ends that', async () => {
  const primary = await server()
  const { url } = await server('--replicaof', `127.0.0.1 ${primary.port}`)
  const gateway = await startUnready(url)
  await expect.poll(() => readiness(gateway)).toEqual(failing('replica', /it is a replica/))
  // Whether the replica holds all rows cannot be known, as nobody may write to it.
  const { data, errors } = await gateway.ask(
    '{ customer(customerId: 1) { customerProfile { freshness { status } } } }',
  )
  expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['UNAVAILABLE'])
  expect(data.customer.customerProfile.freshness.status).toBe('UNAVAILABLE')
  const admin = new Redis(url)
  await admin.call('REPLICAOF', 'NO', 'ONE')
  admin.disconnect()
  await expect.poll(() => readiness(gateway)).toEqual(healthy)
  expect(lines(gateway).map((line) => /"level":(\d+)/.exec(line)?.[1])).toEqual(['40', '30'])
})

it('a full memory makes the gateway unready while it lasts', async () => {
  const { url } = await server()
  const gateway = await startUnready(url)
  await expect.poll(() => readiness(gateway)).toEqual(healthy)
  const admin = new Redis(url)
  await admin.config('SET', 'maxmemory', '1')
  await expect.poll(() => readiness(gateway)).toEqual(failing('memory', /its memory is full/))
  await admin.config('SET', 'maxmemory', '0')
  admin.disconnect()
  await expect.poll(() => readiness(gateway)).toEqual(healthy)
  expect(lines(gateway)).toHaveLength(2)
})

it('a Redis that is away at the start and comes as one that evicts: /readyz names it, the rest is answered', async () => {
  const redis = await server('--maxmemory-policy', 'allkeys-lru')
  await redis.kill()
  const gateway = await startUnready(redis.url)
  expect(await readiness(gateway)).toEqual({
    status: 503,
    body: expect.objectContaining({
      status: 'unready',
      dependencies: { 'online (redis)': 'down', 'offline (postgres)': 'up' },
    }),
  })
  await redis.restart()
  await expect.poll(() => readiness(gateway)).toEqual(failing('eviction', /maxmemory-policy is allkeys-lru/))
  const { data } = await gateway.ask('{ featureServices { name } }')
  expect(data.featureServices.length).toBeGreaterThan(0)
  expect(lines(gateway)).toHaveLength(1)
})
