import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { Clock } from '../definitions/timestamp.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../embedded/embedded-postgres.ts'
import type { DeadLetterStore } from '../stores/dead-letter-store.ts'
import type { DeletionStore } from '../stores/deletion-store.ts'
import { expandPattern } from '../stores/duckdb/duckdb-files.ts'
import { parquetFiles } from '../stores/duckdb/parquet-file.ts'
import type { EventRetention } from '../stores/event-retention.ts'
import type { EventStore } from '../stores/event-store.ts'
import type { FileStore } from '../stores/file-reader.ts'
import { csvFiles } from '../stores/files/csv-file.ts'
import { localFiles } from '../stores/files/local-files.ts'
import { ndjsonFiles } from '../stores/files/ndjson-file.ts'
import type { ImportStore } from '../stores/import-store.ts'
import type { LeaderLock } from '../stores/leader-lock.ts'
import { memoryOnlineStore } from '../stores/memory/memory-online-store.ts'
import type { OfflineStore } from '../stores/offline-store.ts'
import type { OnlineStore } from '../stores/online-store.ts'
import { postgresDeletionStore } from '../stores/postgres/deletion/deletion-store.ts'
import { postgresDeadLetterStore } from '../stores/postgres/events/dead-letter-store.ts'
import { postgresEventRetention } from '../stores/postgres/events/event-retention.ts'
import { postgresEventStore } from '../stores/postgres/events/event-store.ts'
import { postgresOfflineStore } from '../stores/postgres/features/offline-store.ts'
import { postgresImportStore } from '../stores/postgres/imports/import-store.ts'
import { postgresOnlineStore } from '../stores/postgres/online-store.ts'
import { createPool } from '../stores/postgres/sql/pool.ts'
import { postgresLeaderLock } from '../stores/postgres/system/leader-lock.ts'
import { postgresRegistryStore } from '../stores/postgres/system/registry-store.ts'
import { postgresRunStore } from '../stores/postgres/system/run-store.ts'
import { postgresTileGenerations } from '../stores/postgres/system/tile-generations.ts'
import { postgresViolationStore } from '../stores/postgres/system/violation-store.ts'
import { migrate } from '../stores/postgres/tables/migrate.ts'
import { postgresSnapshotStore } from '../stores/postgres/windows/snapshot-store.ts'
import { redisOnlineStore } from '../stores/redis/redis-online-store.ts'
import type { RegistryStore } from '../stores/registry-store.ts'
import type { RunStore } from '../stores/run-store.ts'
import type { SnapshotStore } from '../stores/snapshot-store.ts'
import type { TileGenerations } from '../stores/tile-generations.ts'
import type { ViolationStore } from '../stores/violation-store.ts'

export interface Stores {
  readonly offline: OfflineStore
  readonly online: OnlineStore
  readonly registry: RegistryStore
  readonly runs: RunStore
  readonly snapshots: SnapshotStore
  readonly violations: ViolationStore
  readonly deletions: DeletionStore
  readonly workerLock: LeaderLock
  /** Whose holder applies events to streamed views. */
  readonly streamLock: LeaderLock
  readonly files: FileStore
  readonly imports: ImportStore
  readonly events: EventStore
  readonly deadLetters: DeadLetterStore
  readonly generations: TileGenerations
  readonly retention: EventRetention
  /** For migrations, tables and the demo's mark: few connections, no statement timeout. */
  readonly system: pg.Pool
  readonly offlineUrl: string
  readonly close: () => Promise<void>
}

export interface OpenStoresOptions {
  readonly log: Logger
  readonly clock: Clock
  readonly countNonFinite: (view: string) => void
}

/** Where the SQL files stand, from the sources and from the built package alike. */
const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url))

/**
 * Opens the stores that the settings name; without an offline URL the embedded Postgres, started or joined. Migrations
 * are applied. Redis may be away: its client goes on trying.
 * @throws StoreFailed when Postgres does not answer; EmbeddedPostgresFailed; MigrationFailed.
 */
export async function openStores(config: Config, options: OpenStoresOptions): Promise<Stores> {
  const embedded = config.offlineUrl === null ? await startEmbedded(config, options.log) : null
  const offlineUrl = embedded?.url ?? config.offlineUrl ?? ''
  const closers: (() => Promise<unknown>)[] = embedded ? [embedded.stop] : []
  const close = async (): Promise<void> => {
    for (const closer of closers.reverse()) await closer()
  }
  try {
    const pool = (
      url: string,
      purpose: string,
      statementTimeoutMs: number | null,
      maxConnections: number,
    ): pg.Pool =>
      createPool({
        url,
        applicationName: `featuregraph ${purpose}`,
        statementTimeoutMs,
        maxConnections,
        onConnectionError: (error) =>
          options.log.warn({ reason: error.message }, `a connection to Postgres broke`),
      })
    const system = pool(offlineUrl, 'system', null, 8)
    closers.push(() => system.end())
    const applied = await migrate(system, migrationsFolder)
    if (applied.length > 0) options.log.info({ applied }, 'migrations applied')
    const offline = postgresOfflineStore(pool(offlineUrl, 'offline', config.offlineTimeoutMs, 8), {
      project: config.project,
      unboundedPool: system,
      countNonFinite: options.countNonFinite,
    })
    closers.push(offline.close)
    const online = openOnlineStore(
      config,
      options,
      (url) => pool(url, 'online', config.onlineTimeoutMs, 8),
      offlineUrl,
    )
    closers.push(online.close)
    return {
      offline,
      online,
      registry: postgresRegistryStore(system, config.project),
      runs: postgresRunStore(system, config.project),
      snapshots: postgresSnapshotStore(system, config.project),
      violations: postgresViolationStore(system, config.project),
      deletions: postgresDeletionStore(system, config.project),
      workerLock: postgresLeaderLock(system, config.project),
      streamLock: postgresLeaderLock(system, config.project, 'stream'),
      files: localFiles({
        readers: { parquet: parquetFiles, csv: csvFiles, ndjson: ndjsonFiles },
        expand: expandPattern,
      }),
      imports: postgresImportStore(system, config.project),
      events: postgresEventStore(system, config.project),
      deadLetters: postgresDeadLetterStore(system, config.project),
      generations: postgresTileGenerations(system, config.project),
      retention: postgresEventRetention(system, config.project),
      system,
      offlineUrl,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function openOnlineStore(
  config: Config,
  options: OpenStoresOptions,
  onlinePool: (url: string) => pg.Pool,
  offlineUrl: string,
): OnlineStore {
  const url = config.onlineUrl ?? offlineUrl
  if (url === 'memory:') return memoryOnlineStore(options.clock)
  if (url.startsWith('postgres')) return postgresOnlineStore(onlinePool(url))
  return redisOnlineStore({
    url,
    readTimeoutMs: config.onlineTimeoutMs,
    onConnectionError: quietly((reason) =>
      options.log.warn({ reason }, 'Redis cannot be reached; trying again'),
    ),
  })
}

/** A client that tries several times a second would fill the log: the same reason is told once every ten seconds. */
function quietly(tell: (reason: string) => void): (error: Error) => void {
  let last = ''
  let toldAt = Number.NEGATIVE_INFINITY
  return ({ message }) => {
    if (message === last && performance.now() - toldAt < 10_000) return
    last = message
    toldAt = performance.now()
    tell(message)
  }
}

function startEmbedded(config: Config, log: Logger): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres(config.dataFolder, { log: (line) => log.info(line) })
}
