import { Redis } from 'ioredis'
import { afterEach, describe, expect, it } from 'vitest'
import { StoreFailed, StoreUnsuitable } from '../../../src/errors.ts'
import { checkEviction, checkVersion } from '../../../src/stores/redis/check-server.ts'
import {
  type RedisOnlineStore,
  type RedisOnlineStoreOptions,
  redisOnlineStore,
} from '../../../src/stores/redis/online-store.ts'
import { packedRow } from '../../contract/online-store.ts'
import { type RedisServer, startRedis } from '../../services/redis.ts'
import { untilWorks } from '../../services/wait-until.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function server(...args: readonly string[]): Promise<RedisServer> {
  const started = await startRedis({ args })
  closers.push(started.stop)
  return started
}

interface Opened {
  readonly store: RedisOnlineStore
  /** The check that began to fail, or null for a recovery, in their order. */
  readonly changes: (string | null)[]
}

function open(url: string, options: Partial<RedisOnlineStoreOptions> = {}): Opened {
  const changes: (string | null)[] = []
  const store = redisOnlineStore({
    url,
    readTimeoutMs: 60_000,
    onConnectionError: () => {},
    onUnsuitable: (problem) => changes.push(problem?.check ?? null),
    ...options,
  })
  closers.push(store.close)
  return { store, changes }
}

async function command(url: string, ...words: readonly string[]): Promise<void> {
  const [name = '', ...args] = words
  const client = new Redis(url)
  try {
    await client.call(name, ...args)
  } finally {
    client.disconnect()
  }
}

const row = { key: 'f:test:{1}', row: packedRow([1, 1, 1]) }

async function rejection(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => null,
    (error: unknown) => error,
  )
}

/** The first check and pings show the same, these once both connections are ready. */
async function expectUnsuitable({ store }: Opened, check: string, message: RegExp): Promise<void> {
  const expected = { check, message: expect.stringMatching(message) }
  expect(await store.firstCheck).toMatchObject(expected)
  await expect.poll(() => rejection(store.ping())).toBeInstanceOf(StoreUnsuitable)
  expect(await rejection(store.ping())).toMatchObject(expected)
}

describe('a Redis that can be the online store', () => {
  it('passes the first check, and leaves no key behind', async () => {
    const { url } = await server()
    const { store, changes } = open(url)
    expect(await store.firstCheck).toBeNull()
    await store.ping()
    expect(changes).toEqual([])
    const client = new Redis(url)
    expect(await client.dbsize()).toBe(0)
    client.disconnect()
  })

  it('that is away has no first check, is checked when it comes, and the store works then', async () => {
    const redis = await server()
    await redis.kill()
    const { store, changes } = open(redis.url)
    expect(await store.firstCheck).toBeNull()
    await redis.restart()
    await untilWorks(() => store.ping())
    expect(changes).toEqual([])
    expect(await store.writeMany([row], null)).toEqual(['WRITTEN'])
  })

  it('may have a user with no more rights than the message grants, whose policy is then read from INFO', async () => {
    const { url } = await server()
    const granted = '~f:* +ping +info +get +mget +set +del +eval +evalsha +scan +unlink'
    await command(url, 'ACL', 'SETUSER', 'gateway', 'on', '>secret', ...granted.split(' '))
    const { store } = open(withUser(url))
    expect(await store.firstCheck).toBeNull()
    await store.ping()
    expect(await store.writeMany([row], null)).toEqual(['WRITTEN'])
    expect(await store.moveMarker('m', null, '1')).toBe(true)
    expect((await store.readMany([row.key, 'f:test:{2}'])).rows).toEqual([row.row, null])
  })
})

describe('a Redis that cannot be the online store is named with the remedy', () => {
  it('a node of a Redis Cluster, which answered pings while every read failed', async () => {
    const { url } = await server('--cluster-enabled', 'yes')
    const opened = open(url)
    await expectUnsuitable(opened, 'cluster', /node of a Redis Cluster.*FEATUREGRAPH_ONLINE_URL/)
    expect(await rejection(opened.store.readMany(['a']))).toMatchObject({
      check: 'cluster',
      message: expect.stringMatching(/did not answer a read: it is a node of a Redis Cluster/),
    })
    expect(opened.changes).toEqual(['cluster'])
  })

  it.each([
    ['EVAL, EVALSHA', '~* +@all -eval -evalsha'],
    ['MGET', '~* +@all -mget'],
    ['SET', '~* +@all -set'],
    ['GET, MGET, EVAL, EVALSHA, SET, UNLINK, DEL', '~other:* +@all'],
  ])('a user without the right to %s', async (commands, rules) => {
    const { url } = await server()
    await command(url, 'ACL', 'SETUSER', 'gateway', 'on', '>secret', ...rules.split(' '))
    await expectUnsuitable(
      open(withUser(url)),
      'rights',
      new RegExp(`its user has no right to ${commands} on .*ACL SETUSER <user> ~f:\\*`),
    )
  })

  it.each(['allkeys-lru', 'allkeys-lfu', 'allkeys-random', 'volatile-lru', 'volatile-ttl'])(
    'a maxmemory-policy of %s, whatever is declared',
    async (policy) => {
      const { url } = await server('--maxmemory', '100mb', '--maxmemory-policy', policy)
      await expectUnsuitable(
        open(url, { evictionDeclared: true }),
        'eviction',
        new RegExp(`maxmemory-policy is ${policy},.*set its maxmemory-policy to noeviction`),
      )
    },
  )

  it('a policy that cannot be read, unless FEATUREGRAPH_ONLINE_EVICTION=none declares it', async () => {
    const { url } = await server()
    const rules = '~f:* +ping +get +mget +set +del +eval +evalsha +scan +unlink'
    await command(url, 'ACL', 'SETUSER', 'gateway', 'on', '>secret', ...rules.split(' '))
    await expectUnsuitable(
      open(withUser(url)),
      'eviction',
      /whether it evicts keys cannot be read;.*FEATUREGRAPH_ONLINE_EVICTION=none/,
    )
    const { store } = open(withUser(url), { evictionDeclared: true })
    expect(await store.firstCheck).toBeNull()
    await store.ping()
  })

  it('a replica, until it is promoted: from then on it passes by itself', async () => {
    const primary = await server()
    const { url } = await server('--replicaof', `127.0.0.1 ${primary.port}`)
    const opened = open(url)
    await expectUnsuitable(opened, 'replica', /it is a replica.*FEATUREGRAPH_ONLINE_URL to its primary/)
    expect((await opened.store.firstCheck)?.lasting).toBe(false)
    await command(url, 'REPLICAOF', 'NO', 'ONE')
    await expect.poll(() => opened.changes).toEqual(['replica', null])
    await opened.store.ping()
  })

  it('a primary that became a replica under open connections, by the write that it refuses', async () => {
    const [primary, { url }] = await Promise.all([server(), server()])
    const { store, changes } = open(url)
    await untilWorks(() => store.ping())
    await command(url, 'REPLICAOF', '127.0.0.1', String(primary.port))
    const refused = await rejection(store.writeMany([row], null))
    expect(refused).toBeInstanceOf(StoreFailed)
    expect(refused).toMatchObject({ message: expect.stringMatching(/did not take a write: it is a replica/) })
    expect(changes).toEqual(['replica'])
    await command(url, 'REPLICAOF', 'NO', 'ONE')
    await expect.poll(() => changes).toEqual(['replica', null])
  })

  it('a server that became a replica while it was away, at the reconnect', async () => {
    const [primary, redis] = await Promise.all([server(), server()])
    const { store, changes } = open(redis.url)
    await untilWorks(() => store.ping())
    await command(redis.url, 'REPLICAOF', '127.0.0.1', String(primary.port))
    await command(redis.url, 'CLIENT', 'KILL', 'TYPE', 'normal')
    await expect.poll(() => changes).toEqual(['replica'])
  })

  it('a full memory, until there is room: reads go on, writes say why they fail', async () => {
    const { url } = await server('--maxmemory', '1')
    const opened = open(url)
    await expectUnsuitable(opened, 'memory', /its memory is full.*raise its maxmemory/)
    expect((await opened.store.readMany([row.key])).rows).toEqual([null])
    for (const write of [
      opened.store.writeMany([row], null),
      opened.store.writeSections([row], null),
      opened.store.writeMarker('m', '1'),
    ]) {
      expect(await rejection(write)).toMatchObject({
        message: expect.stringMatching(/did not take a write: its memory is full/),
      })
    }
    await command(url, 'CONFIG', 'SET', 'maxmemory', '0')
    await expect.poll(() => opened.changes).toEqual(['memory', null])
    expect(await opened.store.writeMany([row], null)).toEqual(['WRITTEN'])
  })

  it('writes refused for another reason, in the words of Redis, until they pass', async () => {
    const { url } = await server('--min-replicas-to-write', '1')
    const opened = open(url)
    await expectUnsuitable(opened, 'writes', /it refuses writes with "NOREPLICAS/)
    await command(url, 'CONFIG', 'SET', 'min-replicas-to-write', '0')
    await expect.poll(() => opened.changes).toEqual(['writes', null])
  })

  it('a version before 6.2', () => {
    expect(checkVersion('6.0.16')).toMatchObject({
      check: 'version',
      lasting: true,
      message: expect.stringMatching(/it is version 6\.0\.16; run 6\.2 or later/),
    })
    expect(checkVersion('5.0.14')).not.toBeNull()
    for (const version of ['6.2.0', '6.2.14', '7.0.15', '8.0.0', '10.0', undefined])
      expect(checkVersion(version)).toBeNull()
  })

  it('nothing but noeviction counts as no eviction', () => {
    expect(checkEviction('noeviction', false)).toBeNull()
    expect(checkEviction('volatile-lfu', true)).not.toBeNull()
  })
})

function withUser(url: string): string {
  return url.replace('redis://', 'redis://gateway:secret@')
}
