import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import type { Clock } from '../definitions/timestamp.ts'
import { StoreUnsuitable } from '../errors.ts'
import { atMostEvery } from '../rate-limit.ts'
import type { ApplyLease } from '../stores/apply-lease.ts'
import type { AuditStore } from '../stores/audit-store.ts'
import type { DeadLetterStore } from '../stores/dead-letter-store.ts'
import type { DeletionStore } from '../stores/deletion-store.ts'
import type { EventRetention } from '../stores/event-retention.ts'
import type { EventStore } from '../stores/event-store.ts'
import type { ExampleKeys } from '../stores/example-keys.ts'
import type { FileReader, FileStore } from '../stores/file-reader.ts'
import { csvFiles } from '../stores/files/csv-file.ts'
import { jsonFiles } from '../stores/files/json-file.ts'
import { localFiles } from '../stores/files/local-files.ts'
import { ndjsonFiles } from '../stores/files/ndjson-file.ts'
import type { FilledViews } from '../stores/filled-views.ts'
import type { GuardLease } from '../stores/guard-lease.ts'
import type { GuardRecord } from '../stores/guard-record.ts'
import type { ImportStore } from '../stores/import-store.ts'
import type { LakeAccess } from '../stores/lake-access.ts'
import type { LeaderLock } from '../stores/leader-lock.ts'
import { memoryOnlineStore } from '../stores/memory/online-store.ts'
import type { OfflineStore } from '../stores/offline-store.ts'
import type { OnlineLeftovers } from '../stores/online-leftovers.ts'
import type { OnlineStore } from '../stores/online-store.ts'
import { postgresDeletionStore } from '../stores/postgres/deletion/deletion-store.ts'
import { postgresDeadLetterStore } from '../stores/postgres/events/dead-letter-store.ts'
import { postgresEventRetention } from '../stores/postgres/events/event-retention.ts'
import { postgresEventStore } from '../stores/postgres/events/event-store.ts'
import { postgresExampleKeys } from '../stores/postgres/features/example-keys.ts'
import { postgresOfflineStore } from '../stores/postgres/features/offline-store.ts'
import { postgresImportStore } from '../stores/postgres/imports/import-store.ts'
import { postgresOnlineStore } from '../stores/postgres/online-store.ts'
import { postgresQuarantineStore } from '../stores/postgres/quarantine/quarantine-store.ts'
import { checkSessions } from '../stores/postgres/sql/check-sessions.ts'
import { storeFailed } from '../stores/postgres/sql/pool.ts'
import { postgresApplyLease } from '../stores/postgres/system/apply-lease.ts'
import { postgresAuditStore } from '../stores/postgres/system/audit-store.ts'
import { postgresGuardLease } from '../stores/postgres/system/guard-lease.ts'
import { postgresGuardRecord } from '../stores/postgres/system/guard-record.ts'
import { postgresLeaderLock } from '../stores/postgres/system/leader-lock.ts'
import { postgresOnlineLeftovers } from '../stores/postgres/system/online-leftovers.ts'
import { postgresProcessRegistry } from '../stores/postgres/system/process-registry.ts'
import { postgresRecordRetention } from '../stores/postgres/system/record-retention.ts'
import { postgresRegistryStore } from '../stores/postgres/system/registry-store.ts'
import { postgresRunStore } from '../stores/postgres/system/run-store.ts'
import { postgresTileGenerations } from '../stores/postgres/system/tile-generations.ts'
import { postgresTombstoneLog } from '../stores/postgres/system/tombstone-log.ts'
import { postgresVersionNews } from '../stores/postgres/system/version-news.ts'
import { postgresVersionStore } from '../stores/postgres/system/version-store.ts'
import { postgresViolationStore } from '../stores/postgres/system/violation-store.ts'
import { postgresTableChanges } from '../stores/postgres/tables/table-changes.ts'
import { postgresSpineStore } from '../stores/postgres/training/spine-store.ts'
import { postgresTrainingJobQueue } from '../stores/postgres/training/training-job-queue.ts'
import { postgresTrainingSetStore } from '../stores/postgres/training/training-set-store.ts'
import { postgresFilledViews } from '../stores/postgres/windows/filled-views.ts'
import { postgresSnapshotStore } from '../stores/postgres/windows/snapshot-store.ts'
import type { ProcessRegistry } from '../stores/process-registry.ts'
import type { QuarantineStore } from '../stores/quarantine-store.ts'
import type { RecordRetention } from '../stores/record-retention.ts'
import type { RegistryStore } from '../stores/registry-store.ts'
import type { RunStore } from '../stores/run-store.ts'
import { withObjects } from '../stores/s3/object-files.ts'
import type { SnapshotFiles } from '../stores/snapshot-files.ts'
import type { SnapshotStore } from '../stores/snapshot-store.ts'
import type { SpineStore } from '../stores/spine-store.ts'
import type { TableChanges } from '../stores/table-changes.ts'
import type { TileGenerations } from '../stores/tile-generations.ts'
import type { TombstoneLog } from '../stores/tombstone-log.ts'
import type { TrainingJobQueue } from '../stores/training-job-queue.ts'
import type { TrainingSetStore } from '../stores/training-set-store.ts'
import type { VersionNews } from '../stores/version-news.ts'
import type { VersionStore } from '../stores/version-store.ts'
import type { ViolationStore } from '../stores/violation-store.ts'
import { type OpenPostgres, openPostgres } from './open-postgres.ts'
import { parquetRows } from './parquet-rows.ts'
import {
  routedDeletionStore,
  routedExampleKeys,
  routedOfflineStore,
  routedTableChanges,
} from './route-offline.ts'
import { serverOf } from './server-of.ts'

export interface Stores {
  readonly offline: OfflineStore
  readonly online: OnlineStore
  /** Why the online store's server cannot be used, by the check at the start; null too while it is away. Never rejects. */
  readonly onlineCheck: Promise<StoreUnsuitable | null>
  readonly registry: RegistryStore
  readonly versions: VersionStore
  /** Which process changes the registry. */
  readonly applies: ApplyLease
  /** Of the managed tables, for a change of the registry. */
  readonly tables: TableChanges
  readonly versionNews: VersionNews
  readonly runs: RunStore
  readonly snapshots: SnapshotStore
  readonly snapshotFiles: SnapshotFiles
  readonly violations: ViolationStore
  readonly deletions: DeletionStore
  readonly workerLock: LeaderLock
  /** Whose holder applies events to streaming views. */
  readonly streamLock: LeaderLock
  /** The same lock, for the process that catches tiles up when none does; it may hold the other too. */
  readonly catchUpLock: LeaderLock
  readonly files: FileStore
  readonly imports: ImportStore
  readonly events: EventStore
  readonly deadLetters: DeadLetterStore
  readonly quarantine: QuarantineStore
  readonly generations: TileGenerations
  /** What is known of the online store's contents; `guardLease` lets one process say so. */
  readonly guardRecord: GuardRecord
  readonly guardLease: GuardLease
  readonly tombstones: TombstoneLog
  readonly leftovers: OnlineLeftovers
  readonly fills: FilledViews
  readonly retention: EventRetention
  readonly exampleKeys: ExampleKeys
  readonly spines: SpineStore
  readonly trainingSets: TrainingSetStore
  readonly trainingJobs: TrainingJobQueue
  /** Under which the process reports itself in `processes`, and holds the guard's lease. */
  readonly processId: string
  readonly processes: ProcessRegistry
  readonly audit: AuditStore
  readonly records: RecordRetention
  /** Whether the stores answer, over connections that no read waits for. */
  readonly probes: Readonly<Record<'online' | 'offline', () => Promise<void>>>
  /** Where the offline database is; the embedded one may move. */
  readonly offlineUrl: () => string
  /** For migrations, tables and the demo's mark: few connections, no statement timeout. */
  readonly system: pg.Pool
  readonly close: () => Promise<void>
}

const probeTimeoutMs = 2_000

export interface OpenStoresOptions {
  readonly log: Logger
  readonly clock: Clock
  readonly countNonFinite: (view: string) => void
}

/**
 * Opens the stores that the settings name; without an offline URL the embedded Postgres, started or joined. Migrations
 * are applied. Redis may be away: its client goes on trying.
 * @throws StoreFailed when Postgres does not answer; StoreUnsuitable when it cannot be used; EmbeddedPostgresFailed;
 * MigrationFailed.
 */
export async function openStores(config: Config, options: OpenStoresOptions): Promise<Stores> {
  return await storesOn(await openPostgres(config, options.log), config, options)
}

/** The stores of an offline database that is open; closed with them, also where they cannot be opened. */
export async function storesOn(
  { system, pool, url: offlineUrl, close: closePostgres }: OpenPostgres,
  config: Config,
  options: OpenStoresOptions,
): Promise<Stores> {
  const closers: (() => Promise<unknown>)[] = [closePostgres]
  const processId = randomUUID()
  const close = async (): Promise<void> => {
    for (const closer of closers.reverse()) await closer()
  }
  try {
    const { countNonFinite } = options
    const database = postgresOfflineStore(pool('offline', config.offlineTimeoutMs), {
      ...{ project: config.project, unboundedPool: system, countNonFinite },
    })
    const parquet = parquetRows({ config, database, countNonFinite })
    const offline = routedOfflineStore(database, parquet, (line) => options.log.warn(line))
    closers.push(offline.close)
    const { online, check: onlineCheck } = await openOnlineStore(config, options, pool)
    closers.push(online.close)
    const probe = (url?: string): (() => Promise<void>) => {
      const connections = pool('probe', probeTimeoutMs, url)
      closers.push(() => connections.end())
      return async () => void (await connections.query('select 1').catch(storeFailed('answering')))
    }
    const offlineProbe = probe()
    const isPostgres = online.name === 'postgres'
    const onlineProbe = isPostgres && config.onlineUrl !== null ? probe(config.onlineUrl) : offlineProbe
    const files = openFiles(config.lake)
    closers.push(files.close)
    return {
      // Redis has no pool that reads could fill; how its own connections are is what matters.
      probes: { offline: offlineProbe, online: isPostgres ? onlineProbe : online.ping },
      offline,
      online,
      onlineCheck,
      registry: postgresRegistryStore(system, config.project),
      versions: postgresVersionStore(system, config.project),
      applies: postgresApplyLease(system, config.project),
      tables: routedTableChanges(postgresTableChanges(system, config.project), parquet),
      versionNews: postgresVersionNews(system, config.project),
      runs: postgresRunStore(system, config.project),
      snapshots: postgresSnapshotStore(system, config.project),
      snapshotFiles: snapshotFiles(config),
      violations: postgresViolationStore(system, config.project),
      deletions: routedDeletionStore(postgresDeletionStore(system, config.project), parquet),
      workerLock: postgresLeaderLock(system, config.project),
      streamLock: postgresLeaderLock(system, config.project, 'stream'),
      catchUpLock: postgresLeaderLock(system, config.project, 'stream'),
      files,
      imports: postgresImportStore(system, config.project),
      events: postgresEventStore(system, config.project),
      deadLetters: postgresDeadLetterStore(system, config.project),
      quarantine: postgresQuarantineStore(system, config.project),
      generations: postgresTileGenerations(system, config.project),
      guardRecord: postgresGuardRecord(system, config.project),
      guardLease: postgresGuardLease(system, config.project, processId),
      tombstones: postgresTombstoneLog(system, config.project),
      leftovers: postgresOnlineLeftovers(system, config.project),
      fills: postgresFilledViews(system, config.project),
      retention: postgresEventRetention(system, config.project),
      exampleKeys: routedExampleKeys(postgresExampleKeys(system, config.project), parquet),
      spines: postgresSpineStore(system, config.project),
      trainingSets: postgresTrainingSetStore(system, config.project),
      trainingJobs: postgresTrainingJobQueue(system, config.project),
      processId,
      processes: postgresProcessRegistry(system, config.project),
      audit: postgresAuditStore(system, config.project),
      records: postgresRecordRetention(system, config.project),
      system,
      offlineUrl,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Files of every format that the program reads, on this machine and in object stores. */
function openFiles(lake: LakeAccess): ReturnType<typeof withObjects> {
  return withObjects({
    local: openLocalFiles(),
    objects: async () => (await import('../stores/s3/object-store.ts')).openObjectStore(lake.s3),
    expand: (pattern) => expand(pattern, lake),
  })
}

export function openLocalFiles(): FileStore {
  const readers = {
    ...{ parquet: parquetFiles, csv: csvFiles, ndjson: ndjsonFiles, json: jsonFiles },
    arrow: arrowFiles,
  }
  return localFiles({ readers, expand })
}

const expand = async (pattern: string, lake?: LakeAccess): Promise<readonly string[]> =>
  (await import('../stores/duckdb/duckdb-files.ts')).expandPattern(pattern, lake)

/** DuckDB is loaded with the first Parquet file: it takes 20 MB. */
const parquetFiles: FileReader = {
  open: async (path) => (await import('../stores/duckdb/parquet-file.ts')).parquetFiles.open(path),
}

const arrowFiles: FileReader = {
  open: async (path) => (await import('../stores/duckdb/arrow-files.ts')).arrowFiles.open(path),
}

function snapshotFiles({ duckDbMemory, lake }: Pick<Config, 'duckDbMemory' | 'lake'>): SnapshotFiles {
  return {
    async open(...question) {
      const { duckDbSnapshotFiles } = await import('../stores/duckdb/snapshot-files.ts')
      return duckDbSnapshotFiles({ memoryLimit: duckDbMemory, lake }).open(...question)
    },
  }
}

async function openOnlineStore(
  config: Config,
  options: OpenStoresOptions,
  pool: OpenPostgres['pool'],
): Promise<{ readonly online: OnlineStore; readonly check: Stores['onlineCheck'] }> {
  const url = config.onlineUrl
  const nothingToCheck: Stores['onlineCheck'] = Promise.resolve(null)
  // The offline database has been checked, and another may be away.
  if (url === null)
    return {
      online: postgresOnlineStore(pool('online', config.onlineTimeoutMs), config.project),
      check: nothingToCheck,
    }
  if (url === 'memory:')
    return { online: memoryOnlineStore(options.clock, config.project), check: nothingToCheck }
  if (url.startsWith('postgres')) {
    const rows = pool('online', config.onlineTimeoutMs, url)
    return {
      online: postgresOnlineStore(rows, config.project),
      check: checkSessions(rows).then(() => null, unsuitableOrNull),
    }
  }
  // Its client tries several times a second.
  const isNews = atMostEvery(10_000)
  const unreachable = `Redis at ${serverOf(url)} (FEATUREGRAPH_ONLINE_URL) cannot be reached; trying again`
  const { redisOnlineStore } = await import('../stores/redis/online-store.ts')
  const online = redisOnlineStore({
    url,
    project: config.project,
    readTimeoutMs: config.onlineTimeoutMs,
    evictionDeclared: config.onlineEvictionDeclared,
    missesVerified: config.onlineVerifyMisses,
    onUnsuitable: (problem) => {
      if (problem === null) options.log.info('Redis can be used as the online store again')
      else options.log.warn({ check: problem.check }, problem.message)
    },
    onConnectionError: ({ message: reason }) => {
      if (isNews(reason)) options.log.warn({ reason }, unreachable)
    },
  })
  return { online, check: online.firstCheck }
}

function unsuitableOrNull(error: unknown): StoreUnsuitable | null {
  return error instanceof StoreUnsuitable ? error : null
}

/** At a start: what only a change of settings ends keeps the process from running, what may recover does not. */
export async function refuseUnsuitable(check: Stores['onlineCheck']): Promise<void> {
  const problem = await check
  if (problem?.lasting) throw problem
}
