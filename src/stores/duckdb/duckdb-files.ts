import { BadUserInput, messageOf } from '../../errors.ts'
import type { LakeAccess } from '../lake-access.ts'
import { connectDuckDb } from './open-duckdb.ts'

/** Files that a pattern with `*`, `**`, `?` or `[…]` matches. */
export async function expandPattern(pattern: string, lake?: LakeAccess): Promise<readonly string[]> {
  const { connection, close } = await connectDuckDb({ ...(lake ? { lake } : {}), paths: [pattern] })
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
