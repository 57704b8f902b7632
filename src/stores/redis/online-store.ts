import { Redis, type RedisOptions } from 'ioredis'
import { messageOf, StoreFailed, StoreTimedOut, type StoreUnsuitable } from '../../errors.ts'
import type { OnlineRead, OnlineStore, OnlineWrite, OnlineWriteOutcome } from '../online-store.ts'
import { guardMarkerName, markerKey, markersFront } from '../online-value/online-key.ts'
import { writeChunks } from '../online-value/write-chunks.ts'
import { answeredInTime, timedOut } from './answered-in-time.ts'
import { compareAndSetBatch, compareAndSetLua } from './compare-and-set.ts'
import { joinReads } from './joined-reads.ts'
import { MgetCommand } from './mget-command.ts'
import { readWithinLua } from './read-within.ts'
import { refusalOf } from './refusals.ts'
import { rowArguments } from './row-arguments.ts'
import { watchServer } from './watch-server.ts'
import { writeSectionsLua } from './write-sections.ts'

export interface RedisOnlineStoreOptions {
  readonly url: string
  /** Default `default`. */
  readonly project?: string
  /** A read that takes longer fails. */
  readonly readTimeoutMs: number
  /** Called when the connection fails, never with a secret. */
  readonly onConnectionError: (error: Error) => void
  /** That nothing is evicted, for a server that does not show it. Default false. */
  readonly evictionDeclared?: boolean
  /** That evicted rows are looked up offline. Default false. */
  readonly missesVerified?: boolean
  /** Called when a check of the server fails that did not before, and with null when none fails any more. */
  readonly onUnsuitable?: (problem: StoreUnsuitable | null) => void
}

export interface RedisOnlineStore extends OnlineStore {
  /** Why the server cannot be used, by the first check; null too while it cannot be reached. */
  readonly firstCheck: Promise<StoreUnsuitable | null>
}

const writeTimeoutMs = 10_000
const maxJoinedKeys = 256
/** Holds Redis for well under 1 ms. */
const scannedAtOnce = 1_000

type WriteScript = (keyCount: number, ...keysAndArguments: (string | number | Buffer)[]) => Promise<unknown>

/** KEYS: the marker; ARGV: what it is to become, and what it is, left out where there is none. */
const moveMarkerLua = `
local current = redis.call('GET', KEYS[1])
if current ~= (ARGV[2] or false) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1
`

/**
 * The online store on one Redis (6.2 or later); `rediss://user:password@host:port/db` for TLS and a user.
 * Two connections: reads never wait behind a batch of writes. Nothing queues while Redis is away: a call fails at once,
 * and the clients reconnect by themselves, within half a second of its return.
 * What the server is (`check-server.ts`) is checked whenever a connection becomes ready; `ping` rejects with what is
 * wrong, and so does a call that is refused for it.
 */
export function redisOnlineStore(options: RedisOnlineStoreOptions): RedisOnlineStore {
  const shared = {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    retryStrategy: (attempt: number) => Math.min(attempt * 100, 500),
    // No resubmission: what was in flight when the connection broke has failed for its caller already.
    autoResendUnfulfilledCommands: false,
  } satisfies RedisOptions
  const reader = new Redis(options.url, {
    ...shared,
    connectionName: 'featuregraph-read',
    // A server that has stopped answering without closing: drop the connection rather than pile up commands.
    socketTimeout: Math.max(1_000, 4 * options.readTimeoutMs),
  })
  const writer = new Redis(options.url, {
    ...shared,
    connectionName: 'featuregraph-write',
    commandTimeout: writeTimeoutMs,
    socketTimeout: writeTimeoutMs,
  })
  // The client's own error has the refused command, HELLO with its password.
  const onError = (error: Error): void =>
    options.onConnectionError(
      new StoreFailed(
        `the connection to Redis (FEATUREGRAPH_ONLINE_URL) failed: ${error.message || error.name}`,
      ),
    )
  for (const client of [reader, writer]) client.on('error', onError)
  const watch = watchServer([writer, reader], {
    evictionDeclared: options.evictionDeclared ?? false,
    missesVerified: options.missesVerified ?? false,
    onChange: options.onUnsuitable ?? (() => {}),
  })

  /** What the client threw, as the port's error, with the remedy where the server cannot be used. */
  function failed(what: string): (cause: unknown) => never {
    return (cause) => {
      const message = `Redis did not ${what}`
      const refusal = refusalOf(cause)
      if (refusal) watch.noticed(refusal)
      const Failure = messageOf(cause) === timedOut ? StoreTimedOut : StoreFailed
      throw refusalOf(cause, message) ?? new Failure(message, { cause })
    }
  }

  reader.defineCommand('readWithin', { lua: readWithinLua })
  const reads = reader as unknown as {
    readonly readWithinBuffer: (
      keyCount: number,
      ...keysAndMost: (string | number)[]
    ) => Promise<number | (Buffer | null)[]>
  }
  writer.defineCommand('compareAndSet', { lua: compareAndSetLua })
  writer.defineCommand('writeSections', { lua: writeSectionsLua })
  writer.defineCommand('moveMarker', { lua: moveMarkerLua, numberOfKeys: 1 })
  const moves = writer as unknown as {
    readonly moveMarker: (key: string, ...texts: string[]) => Promise<unknown>
  }
  const scripts = writer as unknown as Readonly<Record<'compareAndSet' | 'writeSections', WriteScript>>

  async function runScript(
    name: keyof typeof scripts,
    writes: readonly OnlineWrite[],
    expiryMs: number,
  ): Promise<OnlineWriteOutcome[]> {
    try {
      // One connection keeps the order of its commands, so chunks may be in flight together.
      const replies = await Promise.all(
        writeChunks(writes, compareAndSetBatch).map((chunk) =>
          scripts[name](
            chunk.length,
            ...chunk.map((write) => write.key),
            expiryMs,
            ...rowArguments(chunk.map((write) => write.row)),
          ),
        ),
      )
      return replies.flat().map((won): OnlineWriteOutcome => (won === 1 ? 'WRITTEN' : 'OLDER'))
    } catch (cause) {
      return failed('take a write')(cause)
    }
  }

  const guardName = guardMarkerName(options.project ?? 'default')
  const guardKey = markerKey(guardName)
  /** Of an address that has one; the client puts it before the keys of its own commands. */
  const { keyPrefix = '' } = reader.options
  const connections = { reader: 0, writer: 0 }
  reader.on('ready', () => {
    connections.reader += 1
  })
  writer.on('ready', () => {
    connections.writer += 1
  })

  /** What is in flight when a connection breaks is rejected: an answer is of the connection that it was asked over. */
  async function readGuarded(keys: readonly string[]): Promise<OnlineRead> {
    const asked = [...keys, guardKey]
    const command = new MgetCommand(keyPrefix === '' ? asked : asked.map((key) => keyPrefix + key))
    const read = reader.sendCommand(command) as Promise<(Buffer | null)[]>
    const rows = await answeredInTime(read, options.readTimeoutMs)
    return guarded(rows)
  }

  function guarded(rows: (Buffer | null)[]): OnlineRead {
    const guard = rows.pop()?.toString('latin1') ?? null
    return { rows, guard, connection: connections.reader }
  }
  const readJoined = joinReads(readGuarded, maxJoinedKeys)

  return {
    name: 'redis',
    guardName,
    losesTail: true,
    writeConnection: () => (writer.status === 'ready' ? connections.writer : null),
    async readMany(keys) {
      try {
        return await readJoined(keys)
      } catch (cause) {
        return failed('answer a read')(cause)
      }
    },
    async readWithin(keys, mostBytes) {
      try {
        const answer = await answeredInTime(
          reads.readWithinBuffer(keys.length + 1, ...keys, guardKey, mostBytes),
          options.readTimeoutMs,
        )
        return typeof answer === 'number' ? { bytesStored: answer } : guarded(answer)
      } catch (cause) {
        return failed('answer a read')(cause)
      }
    },
    writeMany: (writes, expireAfterMicros) =>
      runScript(
        'compareAndSet',
        writes,
        expireAfterMicros === null ? 0 : Math.ceil(expireAfterMicros / 1_000),
      ),
    writeSections: (writes, expireAt) =>
      runScript('writeSections', writes, expireAt === null ? 0 : Math.ceil(expireAt / 1_000)),
    // Both on the writer: its connection keeps the order, so a marker never overtakes rows on their way to a replica.
    readMarker: (name) => writer.get(markerKey(name)).catch(failed('answer a read')),
    async writeMarker(name, value) {
      await writer.set(markerKey(name), value).catch(failed('take a write'))
    },
    async moveMarker(name, from, to) {
      const texts = from === null ? [to] : [to, from]
      return (await moves.moveMarker(markerKey(name), ...texts).catch(failed('take a write'))) === 1
    },
    async removeRows(prefix) {
      const failure = failed('remove rows')
      for (const front of [prefix, markersFront(prefix)]) {
        let cursor = '0'
        do {
          const [next, keys] = await writer
            .scan(cursor, 'MATCH', `${front}*`, 'COUNT', scannedAtOnce)
            .catch(failure)
          if (keys.length > 0) await writer.unlink(...keys).catch(failure)
          cursor = next
        } while (cursor !== '0')
      }
      await writer.unlink(markerKey(prefix)).catch(failure)
    },
    async ping() {
      await Promise.all([answeredInTime(reader.ping(), options.readTimeoutMs), writer.ping()]).catch(
        failed('answer'),
      )
      const problem = await watch.current()
      if (problem) throw problem
    },
    firstCheck: watch.first,
    async close() {
      watch.stop()
      for (const client of [reader, writer]) client.disconnect()
    },
  }
}
