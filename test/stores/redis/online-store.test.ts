import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { StoreFailed } from '../../../src/errors.ts'
import type { OnlineStore } from '../../../src/stores/online-store.ts'
import { redisOnlineStore } from '../../../src/stores/redis/online-store.ts'
import { onlineSectionsContract } from '../../contract/online-sections.ts'
import { type OnlineStoreHarness, onlineStoreContract, packedRow } from '../../contract/online-store.ts'
import { type RedisServer, startRedis } from '../../services/redis.ts'
import { untilWorks } from '../../services/wait-until.ts'

const readTimeoutMs = 300
/** A timeout of reads that a call which fails at once cannot have waited for, on a busy machine either. */
const farOffMs = 100_000

/** Polls, since the clients connect in the background and nothing queues until they have. */
async function answering(store: OnlineStore): Promise<OnlineStore> {
  await untilWorks(() => Promise.all([store.ping(), store.writeMany([probe()], null)]))
  return store
}

function probe(): { readonly key: string; readonly row: Buffer } {
  return { key: `probe:{${randomUUID()}}`, row: packedRow([1, 1, 1]) }
}

function open(url: string, errors: Error[] = [], timeoutMs = readTimeoutMs): OnlineStore {
  return redisOnlineStore({
    url,
    readTimeoutMs: timeoutMs,
    onConnectionError: (error) => errors.push(error),
  })
}

const makeHarness = async (): Promise<OnlineStoreHarness> => {
  const url = inject('redisUrl')
  const client = new Redis(url)
  return {
    // Slow neighbours on a busy machine are no failure here: a generous bound.
    open: () => answering(open(url, [], 5_000)),
    plant: async (key, bytes) => {
      await client.set(key, bytes)
    },
    close: async () => client.disconnect(),
  }
}
onlineStoreContract('redis', makeHarness)
onlineSectionsContract('redis', makeHarness)

describe('the commands of the Redis online store', () => {
  let server: RedisServer
  let store: OnlineStore
  let watcher: Redis
  let marker: Redis
  const seen: string[][] = []
  let monitor: Redis

  beforeAll(async () => {
    server = await startRedis()
    store = await answering(open(server.url))
    watcher = new Redis(server.url)
    marker = new Redis(server.url)
    monitor = await watcher.monitor()
    monitor.on('monitor', (_time: string, command: string[]) => seen.push(command))
  })
  afterAll(async () => {
    await store.close()
    for (const client of [watcher, marker, monitor]) client.disconnect()
    await server.stop()
  })

  /** Waits until the monitor, which lags behind, has reported everything so far; its place in `seen`. */
  async function mark(): Promise<number> {
    const text = randomUUID()
    await marker.echo(text)
    for (;;) {
      const place = seen.findIndex((command) => command[1] === text)
      if (place >= 0) return place
      await sleep(2)
    }
  }

  /** Commands that the work sent. */
  async function commandsOf(work: () => Promise<unknown>): Promise<string[][]> {
    const start = await mark()
    await work()
    return seen.slice(start + 1, await mark())
  }

  const keys = (count: number, name = 'k'): string[] =>
    Array.from({ length: count }, (_, index) => `${name}:{${index}}`)

  /** The key of the guard, which every read asks for. */
  const guard = 'f:m:{guard default}'

  it('reads many keys by one MGET', async () => {
    expect(await commandsOf(() => store.readMany(keys(100)))).toEqual([['mget', ...keys(100), guard]])
  })

  it('reads keys of any characters, alone and among others', async () => {
    const named = ['k:{plain}', 'k:{é}', 'k:{\u{1f600}}', 'k:{日本}', 'k:{}']
    await store.writeMany(
      named.map((key) => ({ key, row: packedRow([1, 1, 1], key) })),
      null,
    )
    for (const asked of [...named.map((key) => [key]), named, [...named, 'none:{ä}']]) {
      const { rows } = await store.readMany(asked)
      expect(rows).toEqual(asked.map((key) => (named.includes(key) ? packedRow([1, 1, 1], key) : null)))
    }
  })

  it('reads under the prefix of an address that has one', async () => {
    const prefixed = await answering(open(`${server.url}?keyPrefix=own:`))
    await prefixed.writeMany([{ key: 'k:{prefixed}', row: packedRow([1, 1, 1]) }], null)
    const [theirs, others] = [
      await prefixed.readMany(['k:{prefixed}']),
      await store.readMany(['own:k:{prefixed}']),
    ]
    await prefixed.close()
    expect([theirs.rows, others.rows]).toEqual([[packedRow([1, 1, 1])], [packedRow([1, 1, 1])]])
  })

  it('joins the reads of one turn of the event loop into one MGET, each caller getting its own rows', async () => {
    await store.writeMany(
      keys(6).map((key) => ({ key, row: packedRow([1, 1, 1], key) })),
      null,
    )
    const groups = [keys(3), keys(6).slice(2, 4), ['nothing:{1}'], keys(6).slice(4)]
    const commands = await commandsOf(async () => {
      const answers = await Promise.all(groups.map((group) => store.readMany(group)))
      expect(answers.map(({ rows }) => rows)).toEqual(
        groups.map((group) => group.map((key) => (key.startsWith('k:') ? packedRow([1, 1, 1], key) : null))),
      )
    })
    expect(commands).toEqual([['mget', ...groups.flat(), guard]])
  })

  it('joins at most 256 keys into one command, and splits no read', async () => {
    const sizes = [100, 100, 56, 1, 200, 55, 2]
    const commands = await commandsOf(() =>
      Promise.all(sizes.map((size, index) => store.readMany(keys(size, `g${index}`)))),
    )
    expect(commands.map((command) => command.length - 2)).toEqual([256, 256, 2])
  })

  it('sends a read of 256 keys or more alone, and the small ones beside it together', async () => {
    const commands = await commandsOf(() =>
      Promise.all([2, 256, 3, 1_000].map((size, index) => store.readMany(keys(size, `a${index}`)))),
    )
    expect(commands.map((command) => command.length - 2).sort((a, b) => a - b)).toEqual([5, 256, 1_000])
  })

  it('stops reading rows that may be large soon after they are too large, however many are asked for', async () => {
    const [key = ''] = keys(1, 'large')
    const row = packedRow([1, 1, 1], 'x'.repeat(1_000))
    await store.writeMany([{ key, row }], null)
    const answer = await store.readWithin(Array<string>(1_000).fill(key), 10_000)
    if (!('bytesStored' in answer)) throw new Error('1 MB was read')
    expect(answer.bytesStored).toBeLessThan(10_000 + 16 * row.length)
  })

  it('joins nothing across turns', async () => {
    const commands = await commandsOf(async () => {
      await store.readMany(keys(1))
      await store.readMany(keys(1))
    })
    expect(commands).toHaveLength(2)
  })

  it('writes 250 rows by one script call, sent by its digest once the connection knows it', async () => {
    const writes = keys(251).map((key) => ({ key, row: packedRow([2, 1, 1]) }))
    const commands = await commandsOf(() => store.writeMany(writes, null))
    const calls = commands.filter(([name]) => name === 'evalsha' || name === 'eval')
    expect(calls.map(([name, , keyCount]) => [name, keyCount])).toEqual([
      ['evalsha', '250'],
      ['evalsha', '1'],
    ])
  })

  it('works again after SCRIPT FLUSH', async () => {
    await marker.script('FLUSH')
    const write = probe()
    expect(await store.writeMany([write, write], null)).toEqual(['WRITTEN', 'WRITTEN'])
    expect((await store.readMany([write.key])).rows).toEqual([write.row])
  })

  it('expires rows by themselves, and keeps those without expiry', async () => {
    const [ageing, endless] = [probe(), probe()]
    const event = Date.now() * 1_000
    await store.writeMany([{ key: ageing.key, row: packedRow([event, 1, 1]) }], 60_000_000)
    await store.writeMany([{ key: endless.key, row: packedRow([event, 1, 1]) }], null)
    expect(await marker.pexpiretime(ageing.key)).toBe(event / 1_000 + 60_000)
    expect(await marker.pttl(endless.key)).toBe(-1)
  })

  it('takes the place of a key of another type', async () => {
    const { key, row } = probe()
    await marker.rpush(key, 'a', 'list')
    expect((await store.readMany([key])).rows).toEqual([null])
    expect(await store.writeMany([{ key, row }], null)).toEqual(['WRITTEN'])
    expect((await store.readMany([key])).rows).toEqual([row])
  })

  it('holds two connections, named, and gives them back when closed', async () => {
    const names = async (): Promise<string[]> =>
      [...String(await marker.client('LIST')).matchAll(/ name=(featuregraph-\w+)/g)]
        .map(([, name]) => name ?? '')
        .sort()
    const other = await answering(open(server.url))
    expect(await names()).toEqual([
      'featuregraph-read',
      'featuregraph-read',
      'featuregraph-write',
      'featuregraph-write',
    ])
    await other.close()
    await expect.poll(names).toEqual(['featuregraph-read', 'featuregraph-write'])
    await expect(other.readMany(['k'])).rejects.toBeInstanceOf(StoreFailed)
  })
})

describe('a Redis that fails', () => {
  let server: RedisServer
  const stores: OnlineStore[] = []

  beforeAll(async () => {
    server = await startRedis()
  })
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()))
  })
  afterAll(async () => {
    await server.stop()
  })

  async function timed(work: Promise<unknown>): Promise<{ readonly error: unknown; readonly ms: number }> {
    const start = performance.now()
    const error = await work.then(
      () => null,
      (reason: unknown) => reason,
    )
    return { error, ms: performance.now() - start }
  }

  it('is reported at once by reads, writes and pings, and works again after its return without a new store', async () => {
    const errors: Error[] = []
    const store = await answering(open(server.url, errors, farOffMs))
    stores.push(store)
    const inFlight = timed(store.readMany(['k']))
    await server.kill()
    await inFlight
    for (const work of [
      () => store.readMany(['k']),
      () => store.readMany(Array.from({ length: 300 }, (_, index) => `k${index}`)),
      () => store.writeMany([probe()], null),
      () => store.ping(),
    ]) {
      const { error, ms } = await timed(work())
      expect(error).toBeInstanceOf(StoreFailed)
      expect(ms).toBeLessThan(farOffMs / 2)
    }
    await expect.poll(() => errors.length).toBeGreaterThan(0)

    await server.restart()
    await answering(store)
    const write = probe()
    expect(await store.writeMany([write], null)).toEqual(['WRITTEN'])
    expect((await store.readMany([write.key, 'missing'])).rows).toEqual([write.row, null])
  })

  it('fails what is in flight when it dies', async () => {
    const store = await answering(open(server.url, [], farOffMs))
    stores.push(store)
    process.kill(server.pid, 'SIGSTOP')
    const reading = timed(store.readMany(['k']))
    const writing = timed(store.writeMany([probe()], null))
    await sleep(50)
    await server.kill()
    for (const { error, ms } of [await reading, await writing]) {
      expect(error).toBeInstanceOf(StoreFailed)
      expect(ms).toBeLessThan(farOffMs / 2)
    }
    await server.restart()
  })

  it('that answers no more fails a read after its timeout and not before', async () => {
    const store = await answering(open(server.url))
    stores.push(store)
    process.kill(server.pid, 'SIGSTOP')
    try {
      const reads = await Promise.all([timed(store.readMany(['a'])), timed(store.readMany(['b', 'c']))])
      for (const { error, ms } of reads) {
        expect(error).toBeInstanceOf(StoreFailed)
        expect(ms).toBeGreaterThan(readTimeoutMs - 20)
      }
      // Also while the client tries to connect again.
      await sleep(1_000)
      const later = await timed(store.readMany(['a']))
      expect(later.error).toBeInstanceOf(StoreFailed)
    } finally {
      process.kill(server.pid, 'SIGCONT')
    }
    await answering(store)
  })

  it('that was never there is a failure of the calls, not of making the store', async () => {
    const errors: Error[] = []
    const store = open('redis://127.0.0.1:1', errors)
    stores.push(store)
    await expect(store.readMany(['k'])).rejects.toBeInstanceOf(StoreFailed)
    await expect(store.writeMany([probe()], null)).rejects.toBeInstanceOf(StoreFailed)
    await expect.poll(() => errors.length).toBeGreaterThan(0)
  })

  it('that answers a read with an error makes it a StoreFailed', async () => {
    const admin = new Redis(server.url)
    const store = await answering(open(server.url))
    stores.push(store)
    await admin.config('SET', 'maxmemory', '1')
    try {
      await expect(store.writeMany([probe()], null)).rejects.toBeInstanceOf(StoreFailed)
    } finally {
      await admin.config('SET', 'maxmemory', '0')
      admin.disconnect()
    }
    await answering(store)
  })
})

describe('a Redis with users', () => {
  const secret = 'Zq8-very-secret-7Hk'
  const stores: OnlineStore[] = []
  let server: RedisServer

  beforeAll(async () => {
    server = await startRedis()
    const admin = new Redis(server.url)
    await admin.call('ACL', 'SETUSER', 'reader', 'on', `>${secret}`, '~*', '+@all')
    await admin.call('ACL', 'SETUSER', 'default', 'resetpass', `>${secret}-default`)
    admin.disconnect()
  })
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()))
  })
  afterAll(async () => {
    await server.stop()
  })

  const url = (user: string, password: string): string =>
    `redis://${user}:${password}@127.0.0.1:${server.port}/0`

  it('lets in a user with a password, and the default user with its own', async () => {
    for (const [user, password] of [
      ['reader', secret],
      ['', `${secret}-default`],
    ] as const) {
      const store = await answering(open(url(user, password)))
      stores.push(store)
      const write = probe()
      await store.writeMany([write], null)
      expect((await store.readMany([write.key])).rows).toEqual([write.row])
    }
  })

  it.each([
    ['a wrong password', 'reader', `${secret}-wrong`],
    ['an unknown user', 'nobody', `${secret}-nobody`],
    ['a wrong password of the default user', '', `${secret}-wrong-default`],
  ])('refuses %s without showing it', async (_what, user, password) => {
    const reported: Error[] = []
    const store = open(url(user, password), reported)
    stores.push(store)
    await expect.poll(() => reported.length).toBeGreaterThan(0)
    const failures = await Promise.all(
      [store.readMany(['k']), store.writeMany([probe()], null), store.ping()].map((work) =>
        work.then(
          () => null,
          (error: unknown) => error,
        ),
      ),
    )
    for (const failure of failures) expect(failure).toBeInstanceOf(StoreFailed)
    // Everything that a logger could print, properties included.
    for (const error of [...failures, ...reported]) {
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(password)
    }
  })
})
