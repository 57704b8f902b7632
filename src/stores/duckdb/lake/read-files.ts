import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { BadUserInput, StoreFailed, StoreTimedOut } from '../../../errors.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import { firstLineOf } from '../duckdb-files.ts'
import { filesOf } from './exported-files.ts'
import type { FileColumnsReader } from './file-columns.ts'
import { type Fileset, openFileset } from './fileset.ts'
import { areUnchanged, fingerprint, type LakeFile } from './lake-files.ts'
import { UnfitFiles } from './unfit-files.ts'

export interface LakeReader {
  /** A DuckDB that may read the view's path. */
  readonly instanceFor: (view: ParquetOfflineView) => Promise<DuckDBInstance>
  readonly columns: FileColumnsReader
}

interface Reading<T> {
  /** For messages: `the as-of join`. */
  readonly doing: string
  readonly signal: AbortSignal | null
  /** All that it reads of the files is read when it resolves; it may be called again after that. */
  readonly read: (connection: DuckDBConnection, fileset: Fileset) => Promise<T>
}

const mostTries = 5

/** As `openReading`, for what is all in the answer. */
export async function readFiles<T>(
  reader: LakeReader,
  view: ParquetOfflineView,
  reading: Reading<T>,
): Promise<T> {
  const { value, connection } = await openReading(reader, view, reading)
  connection.disconnectSync()
  return value
}

/**
 * Reads a view's files by one listing, on a connection of its own, which is handed over with what was read; the caller ends it. Where listed files
 * cannot be read since they are gone, or are others by its end, it reads again by a new listing; a few times. An aborted signal
 * interrupts the statement.
 * @throws StoreFailed naming the view; StoreTimedOut where the signal is a timeout's.
 */
export async function openReading<T>(
  { instanceFor, columns }: LakeReader,
  view: ParquetOfflineView,
  { doing, signal, read }: Reading<T>,
): Promise<{
  readonly value: T
  readonly connection: DuckDBConnection
  readonly files: readonly LakeFile[]
}> {
  const of = `the files of feature view "${view.name}" (${view.source.path})`
  const failed = (error: unknown): StoreFailed => {
    const reason =
      error instanceof UnfitFiles || error instanceof BadUserInput ? error.message : firstLineOf(error)
    return new StoreFailed(`DuckDB failed at ${doing} of ${of}: ${reason}`, { cause: error })
  }
  const instance = await instanceFor(view).catch((error: unknown) => {
    throw failed(error)
  })
  for (let tries = 1; ; tries += 1) {
    if (signal?.aborted) throw stopped(signal)
    const connection = await instance.connect()
    const interrupt = (): void => connection.interrupt()
    signal?.addEventListener('abort', interrupt, { once: true })
    let fileset: Fileset | null = null
    try {
      fileset = await openFileset(connection, columns, view)
      const value = await read(connection, fileset)
      if (await areUnchanged(fileset.files)) return { value, connection, files: fileset.files }
      connection.disconnectSync()
    } catch (error) {
      const isChanged = fileset !== null && (await haveChanged(connection, view, fileset))
      connection.disconnectSync()
      if (signal?.aborted) throw stopped(signal)
      if (error instanceof StoreFailed) throw error
      if (!isChanged) throw failed(error)
    } finally {
      signal?.removeEventListener('abort', interrupt)
    }
    if (tries === mostTries)
      throw new StoreFailed(
        `${of} changed while they were read, in each of ${mostTries} tries; a file is to be written under another name and moved into its place, and an old one to be removed once it is not read any more`,
      )
  }
}

function stopped({ reason }: AbortSignal): StoreFailed {
  return reason instanceof Error && reason.name === 'TimeoutError'
    ? new StoreTimedOut('DuckDB did not answer in time')
    : new StoreFailed('the caller went away')
}

/** After a failure: whether another listing finds other files, which may be why. */
async function haveChanged(
  connection: DuckDBConnection,
  view: ParquetOfflineView,
  { files }: Fileset,
): Promise<boolean> {
  if (view.source.format === 'delta') return false
  const now = await filesOf(connection, view.source.path).catch(() => null)
  if (now === null) return false
  const known = new Set(files.map(fingerprint))
  return now.length !== files.length || now.some((file) => !known.has(fingerprint(file)))
}
