import { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { isAlive } from '../../src/embedded/postmaster-pid.ts'
import { execute, type PostgresServer, startPostgres } from './postgres.ts'
import { postgresUrl } from './postgres-url.ts'
import { type RedisServer, startRedis } from './redis.ts'
import { createTestDatabase } from './test-database.ts'

async function ask(url: string, sql: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end()
  }
}

async function ping(url: string): Promise<string> {
  const redis = new Redis(url, { lazyConnect: true })
  try {
    await redis.connect()
    return await redis.ping()
  } finally {
    redis.disconnect()
  }
}

describe("the run's services", () => {
  it('answer', async () => {
    expect(await ping(inject('redisUrl'))).toBe('PONG')
    expect(
      await ask(postgresUrl(), "select count(*)::int from pg_database where datname like 'featuregraph_%'"),
    ).toEqual([1])
  })

  it('give each caller a database of its own, at the same time too, and take it back while one is connected', async () => {
    const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()])
    await execute(one.url, 'create table mine (n int)')
    expect(await ask(two.url, "select to_regclass('mine')")).toEqual([null])
    const client = new pg.Client({ connectionString: one.url })
    const dropped = new Promise((resolve) => client.on('error', resolve))
    await client.connect()
    await Promise.all([one.drop(), two.drop()])
    await dropped
    await expect(ask(one.url, 'select 1')).rejects.toThrow('does not exist')
  })
})

describe('a service of a test of its own', () => {
  const servers: (RedisServer | PostgresServer)[] = []
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()))
  })

  it('can be killed and started again: Redis, on the same port and folder', async () => {
    const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
    servers.push(redis)
    const writer = new Redis(redis.url, { retryStrategy: null })
    writer.on('error', () => {})
    await writer.set('kept', '7')
    const { pid } = redis
    await redis.kill()
    expect(isAlive(pid)).toBe(false)
    await redis.restart()
    expect(redis.pid).not.toBe(pid)
    const reader = new Redis(redis.url)
    expect(await reader.get('kept')).toBe('7')
    reader.disconnect()
    writer.disconnect()
  })

  it('can be killed and started again: Postgres, on the same port and data', async () => {
    const postgres = await startPostgres()
    servers.push(postgres)
    const url = await postgres.createDatabase()
    await execute(url, 'set synchronous_commit = on; create table kept as select 7 as n')
    const { pid } = postgres
    await postgres.kill()
    expect(isAlive(pid)).toBe(false)
    await postgres.restart()
    expect(postgres.pid).not.toBe(pid)
    expect(await ask(url, 'select n from kept')).toEqual([7])
  })

  it('says why it does not start', async () => {
    await expect(startRedis({ args: ['--no-such-setting', '1'] })).rejects.toThrow('Bad directive')
  })
})
