import { dirname } from 'node:path'
import { connectDuckDb } from './open-duckdb.ts'

interface TextColumn {
  readonly name: string
  /** The expression of its value, of that of its text. */
  readonly read: (column: string) => string
}

/** A CSV file without a header as COPY of Postgres writes it, in order; unquoted nothing is null. */
export async function csvToParquet(
  csv: string,
  columns: readonly TextColumn[],
  target: string,
): Promise<void> {
  const { connection, close } = await connectDuckDb({ temporary: dirname(target) })
  try {
    const stored = columns.map((_, index) => `'c${index}': 'VARCHAR'`).join(', ')
    const shown = columns.map(
      ({ name, read }, index) => `${read(`c${index}`)} as "${name.replaceAll('"', '""')}"`,
    )
    await connection.run(
      `copy (select ${shown.join(', ')} from read_csv('${literal(csv)}', columns = {${stored}}, auto_detect = false, header = false,
         delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, max_line_size = 8388608, parallel = false))
       to '${literal(target)}' (format parquet)`,
    )
  } finally {
    close()
  }
}

function literal(text: string): string {
  return text.replaceAll("'", "''")
}
