import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type pg from 'pg'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import { type ImportedFile, type ImportOptions, importFile } from '../../../src/ingest/files/import-file.ts'
import { importTargets } from '../../../src/ingest/files/import-target.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { arrowFiles } from '../../../src/stores/duckdb/arrow-files.ts'
import { expandPattern } from '../../../src/stores/duckdb/duckdb-files.ts'
import { parquetFiles } from '../../../src/stores/duckdb/parquet-file.ts'
import type { FileStore } from '../../../src/stores/file-reader.ts'
import { csvFiles } from '../../../src/stores/files/csv-file.ts'
import { jsonFiles } from '../../../src/stores/files/json-file.ts'
import { localFiles } from '../../../src/stores/files/local-files.ts'
import { ndjsonFiles } from '../../../src/stores/files/ndjson-file.ts'
import type { OfflineStore } from '../../../src/stores/offline-store.ts'
import { postgresImportStore } from '../../../src/stores/postgres/imports/import-store.ts'
import { postgresRunStore } from '../../../src/stores/postgres/system/run-store.ts'
import { postgresViolationStore } from '../../../src/stores/postgres/system/violation-store.ts'
import { at } from '../../graph/run-operation.ts'
import { createTestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'

/** The moment of every import of these tests. */
export const importedAt = at('2026-11-23T12:00:00Z')

export interface ImportWorld {
  readonly url: string
  readonly pool: pg.Pool
  readonly offline: OfflineStore
  readonly registry: Registry
  readonly files: FileStore
  /** Writes a file of the name into the world's folder and answers its path. */
  readonly file: (name: string, content: string | Uint8Array) => Promise<string>
  /** As `file`, by DuckDB, of a query's rows. */
  readonly parquet: (name: string, query: string) => Promise<string>
  readonly importFile: (
    source: string,
    path: string,
    options?: Partial<ImportOptions>,
    clock?: () => Micros,
  ) => Promise<readonly ImportedFile[]>
  /** By definitions that have changed since; the tables are the same. */
  readonly importBy: (
    definitions: readonly unknown[],
    source: string,
    path: string,
    options?: Partial<ImportOptions>,
  ) => Promise<readonly ImportedFile[]>
  /** Rows of a query, each an array. */
  readonly rows: (sql: string) => Promise<readonly (readonly unknown[])[]>
  readonly close: () => Promise<void>
}

/** A database, a folder and the stores that an import needs. */
export async function importWorld(
  definitions: readonly unknown[],
  project = 'default',
): Promise<ImportWorld> {
  const registry = registryOf(definitions)
  const [database, folder, duckDb] = await Promise.all([
    createTestDatabase(),
    mkdtemp(join(tmpdir(), 'featuregraph-import-')),
    DuckDBInstance.create(':memory:'),
  ])
  const pool = testPool(database.url, 6, null)
  const offline = testOfflineStore(database.url, { project })
  await offline.ensureTables(
    registry.views.filter(({ source }) => source === null),
    registry.eventSources.filter(({ table }) => table === null),
  )
  const files = localFiles({
    readers: {
      parquet: parquetFiles,
      csv: csvFiles,
      ndjson: ndjsonFiles,
      json: jsonFiles,
      arrow: arrowFiles,
    },
    expand: expandPattern,
  })
  const stores = {
    files,
    imports: postgresImportStore(pool, project),
    runs: postgresRunStore(pool, project),
    violations: postgresViolationStore(pool, project),
  }
  const connection = await duckDb.connect()
  const importBy = (
    by: Registry,
    name: string,
    path: string,
    options: Partial<ImportOptions> = {},
    clock: () => Micros = () => importedAt,
  ): Promise<readonly ImportedFile[]> =>
    importFile(
      { ...stores, imports: { ...stores.imports, now: async () => clock() }, clock },
      { name, targets: importTargets(by, name) },
      path,
      {
        ...{ dryRun: false, onError: 'quarantine', assumeUtc: false, format: null },
        ...{ maxQuarantined: { kind: 'SHARE', share: 1 }, onWarning: () => {}, onWait: () => {} },
        ...{ onProgress: () => {}, ...options },
      },
    )
  return {
    url: database.url,
    pool,
    offline,
    registry,
    files,
    async file(name, content) {
      const path = join(folder, name)
      await writeFile(path, content)
      return path
    },
    async parquet(name, query) {
      const path = join(folder, name)
      await connection.run(`copy (${query}) to '${path}' (format parquet)`)
      return path
    },
    importFile: (...call) => importBy(registry, ...call),
    importBy: (changed, name, path, options) => importBy(registryOf(changed), name, path, options),
    rows: async (sql) => (await pool.query<unknown[]>({ text: sql, rowMode: 'array' })).rows,
    async close() {
      connection.disconnectSync()
      duckDb.closeSync()
      await Promise.all([offline.close(), pool.end(), rm(folder, { recursive: true, force: true })])
      await database.drop()
    },
  }
}

function registryOf(definitions: readonly unknown[]): Registry {
  return buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))
}
