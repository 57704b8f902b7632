import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { type PostgresServer, startPostgres } from '../services/postgres.ts'
import { startRedis } from '../services/redis.ts'
import { prepareTemplate } from '../services/template.ts'

/** Servers that a test may kill, beside a broker. */
export interface FaultServers {
  readonly postgres: PostgresServer
  /** Of a database with the migrations. */
  readonly offlineUrl: string
  readonly onlineUrl: string
  /** Takes a copy of what Redis holds now; the result kills it and starts it again from the copy. */
  readonly snapshotRedis: () => Promise<() => Promise<void>>
  /** Until it is started again. */
  readonly killRedis: () => Promise<void>
  /** Kills Redis and starts it again with nothing. */
  readonly emptyRedis: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Postgres keeps what it has acknowledged; Redis keeps nothing by itself. */
export async function startFaultServers(): Promise<FaultServers> {
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-faults-'))
  const [postgres, redis] = await Promise.all([
    startPostgres({ settings: ['synchronous_commit=on'] }),
    startRedis({ dir: folder }),
  ])
  const offlineUrl = await postgres.createDatabase()
  await prepareTemplate(offlineUrl)
  const dump = join(folder, 'dump.rdb')
  let copies = 0
  let isRedisUp = true
  const killRedis = async (): Promise<void> => {
    if (isRedisUp) await redis.kill()
    isRedisUp = false
  }
  const startRedisAgain = async (): Promise<void> => {
    await redis.restart()
    isRedisUp = true
  }
  return {
    postgres,
    offlineUrl,
    onlineUrl: redis.url,
    snapshotRedis: async () => {
      const client = new Redis(redis.url)
      await client.save()
      client.disconnect()
      copies += 1
      const copy = join(folder, `copy-${copies}.rdb`)
      await copyFile(dump, copy)
      return async () => {
        await killRedis()
        await copyFile(copy, dump)
        await startRedisAgain()
      }
    },
    killRedis,
    emptyRedis: async () => {
      await killRedis()
      await rm(dump, { force: true })
      await startRedisAgain()
    },
    stop: async () => {
      await Promise.all([redis.stop(), postgres.stop()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}
