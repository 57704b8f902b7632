import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isNumeric } from '../../definitions/value-type.ts'
import type { PartFiles, SummarizedColumn, SummarizeParts } from '../part-summaries.ts'
import type { ColumnSummary, TrainingFormat } from '../training-file.ts'
import { quantileList, readSummary } from './column-summary.ts'
import { connectDuckDb } from './open-duckdb.ts'

/** Exact quantiles need all values of a column at once, 8 bytes each. */
const exactRows = 10_000_000

/** Column by column, so that memory holds one. */
export const summarizeParts: SummarizeParts = async (parts, columns) => {
  const { format } = parts
  if (format === 'arrow') return await summarizeArrow(parts, columns)
  // One thread: an estimate depends on which one merges first.
  const { connection, close } = await connectDuckDb({ memoryLimit: '256MB', threads: 1 })
  try {
    const summaries: ColumnSummary[] = []
    for (const column of columns.filter(({ type }) => isNumeric(type))) {
      summaries.push(await readSummary(connection, column.name, summarySql({ ...parts, format }, column)))
    }
    return summaries
  } finally {
    close()
  }
}

/** DuckDB reads no Arrow: through Parquet files beside other temporary ones. */
async function summarizeArrow({ paths, rows }: PartFiles, columns: readonly SummarizedColumn[]) {
  const { arrowToParquet } = await import('./arrow-to-parquet.ts')
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-summary-'))
  try {
    const parts: string[] = []
    for (const [part, arrow] of paths.entries()) {
      const target = path.join(folder, `${part}.parquet`)
      await arrowToParquet(arrow, folder, target)
      parts.push(target)
    }
    return await summarizeParts({ paths: parts, format: 'parquet', rows }, columns)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function summarySql(
  { paths, format, rows }: PartFiles & { readonly format: keyof typeof reader },
  { name, type }: SummarizedColumn,
): string {
  const column = `"${name.replaceAll('"', '""')}"`
  const number =
    type === 'bool' ? `try_cast(${column} as BOOLEAN)::INTEGER::DOUBLE` : `try_cast(${column} as DOUBLE)`
  const list = paths.map((path) => `'${path.replace(/[*?[]/g, '[$&]').replaceAll("'", "''")}'`).join(', ')
  const quantile = rows > exactRows ? 'approx_quantile' : 'quantile_cont'
  return `select count(*) - count(number), min(number), max(number), avg(number),
    ${quantile}(number, ${quantileList})::VARCHAR
    from (select ${number} as number from ${reader[format](list, column)})`
}

const reader: Readonly<Record<Exclude<TrainingFormat, 'arrow'>, (list: string, column: string) => string>> = {
  parquet: (list) => `read_parquet([${list}], hive_partitioning = false)`,
  csv: (list) => `read_csv([${list}], header = true, all_varchar = true)`,
  ndjson: (list, column) =>
    `read_json([${list}], format = 'newline_delimited', columns = {${column}: 'VARCHAR'})`,
}
