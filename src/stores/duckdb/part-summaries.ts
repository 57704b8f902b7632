import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { isNumeric } from '../../definitions/value-type.ts'
import type { PartFiles, SummarizedColumn, SummarizeParts } from '../part-summaries.ts'
import type { ColumnSummary, TrainingFormat } from '../training-file.ts'
import { arrowToParquet } from './arrow-to-parquet.ts'

/** Exact quantiles need all values of a column at once, 8 bytes each. */
const exactRows = 10_000_000
const quantiles = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
const settings = {
  memory_limit: '256MB',
  // An estimate depends on who merges first.
  threads: '1',
  temp_directory: '',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
}

/** Column by column, so that memory holds one. */
export const summarizeParts: SummarizeParts = async (parts, columns) => {
  if (parts.format !== 'arrow') return await summarize(parts, columns)
  // DuckDB reads no Arrow by itself.
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-parts-'))
  try {
    const paths = parts.paths.map((_, index) => join(folder, `${index}.parquet`))
    for (const [index, path] of parts.paths.entries()) await arrowToParquet(path, folder, paths[index] ?? '')
    return await summarize({ ...parts, paths, format: 'parquet' }, columns)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const summarize: SummarizeParts = async (parts, columns) => {
  const instance = await DuckDBInstance.create(':memory:', settings)
  const connection = await instance.connect()
  try {
    const summaries: ColumnSummary[] = []
    for (const column of columns.filter(({ type }) => isNumeric(type))) {
      const { [0]: row = [] } = (await connection.runAndReadAll(summarySql(parts, column))).getRows()
      const [nulls, minimum, maximum, mean, list] = row
      summaries.push({
        name: column.name,
        nulls: Number(nulls),
        minimum: minimum as number | null,
        maximum: maximum as number | null,
        mean: mean as number | null,
        quantiles: list === null ? null : JSON.parse(String(list)),
      })
    }
    return summaries
  } finally {
    connection.disconnectSync()
    instance.closeSync()
  }
}

function summarySql({ paths, format, rows }: PartFiles, { name, type }: SummarizedColumn): string {
  const column = `"${name.replaceAll('"', '""')}"`
  const number =
    type === 'bool' ? `try_cast(${column} as BOOLEAN)::INTEGER::DOUBLE` : `try_cast(${column} as DOUBLE)`
  const list = paths.map((path) => `'${path.replace(/[*?[]/g, '[$&]').replaceAll("'", "''")}'`).join(', ')
  const quantile = rows > exactRows ? 'approx_quantile' : 'quantile_cont'
  return `select count(*) - count(number), min(number), max(number), avg(number),
    ${quantile}(number, [${quantiles.join(', ')}])::VARCHAR
    from (select ${number} as number from ${reader[format](list, column)})`
}

const reader: Readonly<Record<TrainingFormat, (list: string, column: string) => string>> = {
  // Of the Parquet files that are made of it.
  arrow: (list) => `read_parquet([${list}])`,
  parquet: (list) => `read_parquet([${list}], hive_partitioning = false)`,
  csv: (list) => `read_csv([${list}], header = true, all_varchar = true)`,
  ndjson: (list, column) =>
    `read_json([${list}], format = 'newline_delimited', columns = {${column}: 'VARCHAR'})`,
}
