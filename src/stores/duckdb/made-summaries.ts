import type { DuckDBConnection } from '@duckdb/node-api'
import { isNumeric } from '../../definitions/value-type.ts'
import type { ColumnSummary, MadeColumn } from '../training-file.ts'
import { summarizeColumn } from './column-summary.ts'

/** Of the table `made`, column by column, so that memory holds one. `storedName`: what a column is called in it. */
export async function summarized(
  connection: DuckDBConnection,
  columns: readonly MadeColumn[],
  storedName: (column: number, place: number) => string,
): Promise<readonly ColumnSummary[]> {
  const counted = await connection.runAndReadAll('select count(*) from made')
  const rows = Number(counted.getRows()[0]?.[0])
  const summaries: ColumnSummary[] = []
  for (const [index, column] of columns.entries()) {
    if (column.kind !== 'VALUES' || !isNumeric(column.type)) continue
    const stored = storedName(index, 0)
    const number = `${stored}${column.type === 'bool' ? '::INTEGER' : ''}::DOUBLE`
    summaries.push(
      await summarizeColumn(connection, column.name, { table: 'made', rows, column: stored, number }),
    )
  }
  return summaries
}
