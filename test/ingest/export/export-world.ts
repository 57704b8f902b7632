import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBInstance,
  DuckDBListValue,
  DuckDBTimestampTZValue,
} from '@duckdb/node-api'
import type pg from 'pg'
import { systemClock } from '../../../src/gateway/system-clock.ts'
import type { ExportRequest } from '../../../src/ingest/export/export-request.ts'
import { type Exported, type ExportStores, exportSubject } from '../../../src/ingest/export/export-subject.ts'
import type { DeletionSource, DeletionView } from '../../../src/stores/deletion-store.ts'
import { duckDbPartFiles } from '../../../src/stores/duckdb/part-files.ts'
import type { EventStore } from '../../../src/stores/event-store.ts'
import { localExportFolder } from '../../../src/stores/files/local-folder.ts'
import type { OfflineStore } from '../../../src/stores/offline-store.ts'
import { postgresDeletionStore } from '../../../src/stores/postgres/deletion/deletion-store.ts'
import { postgresLaterChanges } from '../../../src/stores/postgres/deletion/later-changes.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { postgresRowsToExport } from '../../../src/stores/postgres/export/rows-to-export.ts'
import { postgresRunStore } from '../../../src/stores/postgres/system/run-store.ts'
import type { ExportSubject } from '../../../src/stores/rows-to-export.ts'
import { createTestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'

export interface ExportWorld {
  readonly pool: pg.Pool
  readonly offline: OfflineStore
  readonly events: EventStore
  readonly stores: ExportStores
  /** A path in the world's folder where nothing is yet. */
  readonly newFolder: () => string
  readonly exportTo: (
    path: string,
    subject: ExportSubject,
    options?: Partial<ExportRequest>,
    stores?: Partial<ExportStores>,
  ) => Promise<Exported>
  /** The rows of an export, or of a query over `rows`; numbers, texts, and `µs`, hex or digits of what is neither. */
  readonly read: (path: string, query?: string) => Promise<readonly (readonly unknown[])[]>
  /** Of all files below a folder, sorted. */
  readonly files: (path: string) => Promise<readonly string[]>
  readonly erase: (...entity: DeletedEntity) => Promise<void>
  /** Records the deletion alone; what it resolves with erases. */
  readonly recordDeletion: (...entity: DeletedEntity) => Promise<() => Promise<void>>
  readonly close: () => Promise<void>
}

type DeletedEntity = readonly [
  joinKeys: Readonly<Record<string, 'int64' | 'string'>>,
  key: readonly (number | string)[],
  concerned: { readonly views?: readonly DeletionView[]; readonly sources?: readonly DeletionSource[] },
]

/** A database, a folder, and what an export needs. */
export async function exportWorld(): Promise<ExportWorld> {
  const [database, folder, duckDb] = await Promise.all([
    createTestDatabase(),
    mkdtemp(join(tmpdir(), 'featuregraph-export-')),
    DuckDBInstance.create(':memory:'),
  ])
  const pool = testPool(database.url, 6, null)
  const offline = testOfflineStore(database.url)
  const connection = await duckDb.connect()
  const deletions = postgresDeletionStore(pool, 'default')
  const s3 = { credentials: null, region: 'us-east-1', endpoint: null }
  const stores: ExportStores = {
    rowsToExport: postgresRowsToExport(pool, { project: 'default', countNonFinite: () => {} }),
    partFiles: duckDbPartFiles({ extensionsFolder: null, s3 }),
    openFolder: localExportFolder,
    changes: postgresLaterChanges(pool, 'default'),
    runs: postgresRunStore(pool, 'default'),
    clock: systemClock,
  }
  let folders = 0
  const recordDeletion: ExportWorld['recordDeletion'] = async (joinKeys, key, concerned) => {
    const { views = [], sources = [] } = concerned
    const keys = Object.entries(joinKeys).map(([name, type]) => ({ name, type }))
    const deletion = { entity: { id: 'thing', name: 'thing', joinKeys: keys }, key, views, sources }
    const { deletedAt } = await deletions.record(deletion, systemClock())
    return async () => {
      await deletions.erase(deletion, deletedAt)
    }
  }
  return {
    recordDeletion,
    ...{ pool, offline, stores, events: postgresEventStore(pool, 'default') },
    newFolder() {
      folders += 1
      return join(folder, String(folders))
    },
    exportTo: (path, subject, options = {}, others = {}) =>
      exportSubject(
        { ...stores, ...others },
        {
          ...{ project: 'default', subject, definition: null, path, from: undefined, to: undefined },
          ...{ rebuild: false, onWait: () => {}, onProgress: () => {}, ...options },
        },
      ),
    async read(path, query = 'from rows') {
      const source = `read_parquet('${path}/*/*.parquet', hive_partitioning = true, hive_types_autocast = false)`
      const reader = await connection.runAndReadAll(`with rows as (from ${source}) ${query}`)
      return reader.getRows().map((row) => row.map(shown))
    },
    async files(path) {
      const entries = await readdir(path, { withFileTypes: true, recursive: true })
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
        .toSorted()
    },
    async erase(...entity) {
      await (await recordDeletion(...entity))()
    },
    async close() {
      connection.disconnectSync()
      duckDb.closeSync()
      await Promise.all([offline.close(), pool.end(), rm(folder, { recursive: true, force: true })])
      await database.drop()
    },
  }
}

/** One text for equal values, whichever of the two they come from. */
export function shown(value: unknown): unknown {
  if (value instanceof DuckDBTimestampTZValue) return String(value.micros)
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('hex')
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (value instanceof DuckDBDecimalValue) return value.toString()
  if (value instanceof DuckDBListValue) return value.items.map(shown)
  if (Array.isArray(value)) return value.map(shown)
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : value
}
