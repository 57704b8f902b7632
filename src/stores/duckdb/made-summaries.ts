import type { DuckDBConnection } from '@duckdb/node-api'
import { isNumeric } from '../../definitions/value-type.ts'
import type { ColumnSummary, MadeColumn } from '../training-file.ts'

/** Quantiles hold the values in memory, and take most of the time that a summary takes. */
const mostRowsOfQuantiles = 250_000
const quantiles = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]

/** Of the table `made`, column by column, so that memory holds one. `storedName`: what a column is called in it. */
export async function summarized(
  connection: DuckDBConnection,
  columns: readonly MadeColumn[],
  storedName: (column: number, place: number) => string,
): Promise<readonly ColumnSummary[]> {
  const counted = await connection.runAndReadAll('select count(*) from made')
  const step = Math.ceil(Number(counted.getRows()[0]?.[0]) / mostRowsOfQuantiles)
  const summaries: ColumnSummary[] = []
  for (const [index, column] of columns.entries()) {
    if (column.kind !== 'VALUES' || !isNumeric(column.type)) continue
    const stored = storedName(index, 0)
    const number = `${stored}${column.type === 'bool' ? '::INTEGER' : ''}::DOUBLE`
    const sampled = step > 1 ? ` filter (rowid % ${step} = 0)` : ''
    const summed = await connection.runAndReadAll(
      `select count(*) - count(${stored}), min(${number}), max(${number}), avg(${number}),
         quantile_cont(${number}, [${quantiles.join(', ')}])${sampled}::VARCHAR from made`,
    )
    const [nulls, minimum, maximum, mean, list] = summed.getRows()[0] ?? []
    summaries.push({
      name: column.name,
      nulls: Number(nulls),
      minimum: minimum as number | null,
      maximum: maximum as number | null,
      mean: mean as number | null,
      quantiles: list === null || list === undefined ? null : JSON.parse(String(list)),
    })
  }
  return summaries
}
