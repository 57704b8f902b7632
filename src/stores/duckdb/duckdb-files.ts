import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { BadUserInput, messageOf } from '../../errors.ts'

/** Reading needs little: batches are handed on as they come. Nothing is loaded from elsewhere, nothing spilled to disk. */
const settings = {
  memory_limit: '1GB',
  threads: '2',
  temp_directory: '',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
}

/** A DuckDB of its own; `close` frees it. */
export async function openDuckDb(): Promise<{
  readonly connection: DuckDBConnection
  readonly close: () => void
}> {
  const instance = await DuckDBInstance.create(':memory:', settings)
  const connection = await instance.connect()
  return {
    connection,
    close: () => {
      connection.disconnectSync()
      instance.closeSync()
    },
  }
}

/** Files that a pattern with `*`, `**`, `?` or `[…]` matches. */
export async function expandPattern(pattern: string): Promise<readonly string[]> {
  const { connection, close } = await openDuckDb()
  try {
    const reader = await connection.runAndReadAll('select file from glob($1)', [pattern])
    return reader.getRows().map(([file]) => String(file))
  } catch (error) {
    throw new BadUserInput(`the pattern ${JSON.stringify(pattern)} cannot be read: ${firstLineOf(error)}`)
  } finally {
    close()
  }
}

/** DuckDB's words without its advice on SQL. */
export function firstLineOf(error: unknown): string {
  return messageOf(error).split('\n')[0] ?? ''
}
