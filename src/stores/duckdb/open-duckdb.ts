import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import type { LakeAccess } from '../lake-access.ts'
import { loadLakeExtensions } from './lake-extensions.ts'

export interface DuckDbOptions {
  /** `:memory:`, or the database file that its tables stand in. */
  readonly place: string
  /** As `256MB`; past it what does not fit goes to `temporary`, or the statement fails. */
  readonly memoryLimit?: string
  readonly threads?: number
  /** Folder of what does not fit in memory; absent: nothing is written to disk. */
  readonly temporary?: string
  readonly lake?: LakeAccess
  /** What will be read or written: `s3://…` needs `lake`, and loads what DuckDB needs for it. */
  readonly paths?: readonly string[]
  /** There are Delta tables among them. */
  readonly isDelta?: boolean
}

const readingMemory = '1GB'

/**
 * The one way to a DuckDB: it downloads nothing, loads no extension unasked, reads no secrets of its user, and its times are
 * UTC. The caller closes it.
 * @throws BadUserInput where a path needs an extension that is not there.
 */
export async function openDuckDb(options: DuckDbOptions): Promise<DuckDBInstance> {
  const instance = await DuckDBInstance.create(options.place, {
    memory_limit: options.memoryLimit ?? readingMemory,
    threads: String(options.threads ?? 2),
    temp_directory: options.temporary ?? '',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    allow_persistent_secrets: 'false',
  })
  const connection = await instance.connect()
  try {
    await connection.run(`set global timezone = 'UTC'`)
    await loadLakeExtensions(connection, options.lake ?? null, {
      paths: options.paths ?? [],
      isDelta: options.isDelta ?? false,
    })
    return instance
  } catch (error) {
    instance.closeSync()
    throw error
  } finally {
    connection.disconnectSync()
  }
}

/** A DuckDB, in memory unless its place is given, with one connection; `close` frees both. */
export async function connectDuckDb(options: Partial<DuckDbOptions> = {}): Promise<{
  readonly connection: DuckDBConnection
  readonly close: () => void
}> {
  const instance = await openDuckDb({ place: ':memory:', ...options })
  const connection = await instance.connect()
  return {
    connection,
    close: () => {
      connection.disconnectSync()
      instance.closeSync()
    },
  }
}
