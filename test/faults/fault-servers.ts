import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { KafkaServer } from '../services/kafka.ts'
import { type PostgresServer, startPostgres } from '../services/postgres.ts'
import { startRedis } from '../services/redis.ts'
import { prepareTemplate } from '../services/template.ts'

/** Servers that a test may kill. */
export interface FaultServers {
  readonly kafka: KafkaServer
  readonly postgres: PostgresServer
  /** Of a database with the migrations. */
  readonly offlineUrl: string
  readonly onlineUrl: string
  /** Takes a copy of what Redis holds now; the result kills it and starts it again from the copy. */
  readonly snapshotRedis: () => Promise<() => Promise<void>>
  /** Kills Redis and starts it again with nothing. */
  readonly emptyRedis: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Postgres keeps what it has acknowledged; Redis keeps nothing by itself. */
export async function startFaultServers(kafka: KafkaServer): Promise<FaultServers> {
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-faults-'))
  const [postgres, redis] = await Promise.all([
    startPostgres({ settings: ['synchronous_commit=on'] }),
    startRedis({ dir: folder }),
  ])
  const offlineUrl = await postgres.createDatabase()
  await prepareTemplate(offlineUrl)
  const dump = join(folder, 'dump.rdb')
  let copies = 0
  const emptyRedis = async (): Promise<void> => {
    await redis.kill()
    await rm(dump, { force: true })
    await redis.restart()
  }
  return {
    kafka,
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
        await redis.kill()
        await copyFile(copy, dump)
        await redis.restart()
      }
    },
    emptyRedis,
    stop: async () => {
      await Promise.all([redis.stop(), postgres.stop(), kafka.stop()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}
