import type { DuckDBConnection } from '@duckdb/node-api'
import type { ColumnSummary } from '../training-file.ts'

/** As a list of DuckDB's. */
export const quantileList = '[0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]'
/** Quantiles hold the values in memory, and take most of the time that a summary takes. */
const mostRowsOfQuantiles = 250_000

interface SummarizedIn {
  readonly table: string
  readonly rows: number
  readonly column: string
  /** The column as a number. */
  readonly number: string
}

/** Of a column of a table; quantiles of every so many rows where there are many. */
export async function summarizeColumn(
  connection: DuckDBConnection,
  name: string,
  { table, rows, column, number }: SummarizedIn,
): Promise<ColumnSummary> {
  const step = Math.ceil(rows / mostRowsOfQuantiles)
  const sampled = step > 1 ? ` filter (rowid % ${step} = 0)` : ''
  return await readSummary(
    connection,
    name,
    `select count(*) - count(${column}), min(${number}), max(${number}), avg(${number}), quantile_cont(${number}, ${quantileList})${sampled}::VARCHAR from ${table}`,
  )
}

/** `sql` answers one row: nulls, minimum, maximum, mean, and the quantiles as text. */
export async function readSummary(
  connection: DuckDBConnection,
  name: string,
  sql: string,
): Promise<ColumnSummary> {
  const reader = await connection.runAndReadAll(sql)
  const [nulls, minimum, maximum, mean, list] = reader.getRows()[0] ?? []
  return {
    name,
    nulls: Number(nulls),
    minimum: minimum as number | null,
    maximum: maximum as number | null,
    mean: mean as number | null,
    quantiles: list === null || list === undefined ? null : JSON.parse(String(list)),
  }
}
