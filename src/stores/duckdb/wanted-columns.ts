import type { DuckDBConnection } from '@duckdb/node-api'
import type { ValueType } from '../../definitions/value-type.ts'
import type { ListedPart } from './listed-parts.ts'
import { type ParquetColumn, parquetColumn } from './parquet-column.ts'

/** A column that files must have, or may lack, in every file alike. */
export interface Wanted {
  readonly name: string
  readonly type: ValueType
  readonly isOptional: boolean
}

const absent: ParquetColumn = { expression: 'null::VARCHAR', value: () => null }

/**
 * How columns of files are read, in the order that they are wanted in, or what is wrong with them. Of files with equal columns one
 * is looked at; the footers of all are read. `names`: columns that the first file has.
 */
export async function readWanted(
  connection: DuckDBConnection,
  files: readonly ListedPart[],
  wanted: readonly Wanted[],
): Promise<{
  readonly columns: readonly ParquetColumn[]
  readonly problems: readonly string[]
  readonly names: ReadonlySet<string>
}> {
  const kinds = await differentFiles(connection, files)
  const int96 = await int96Columns(connection, files)
  const problems: string[] = []
  const read = wanted.map(({ name, type, isOptional }): ParquetColumn => {
    const found = kinds.map(({ file, columnOf }) => ({ file, stored: columnOf.get(name) }))
    const [first] = found
    if (first === undefined) return absent
    const other = found.find(({ stored }) => stored !== first.stored)
    if (other !== undefined) {
      const shown = ({ file, stored }: typeof first): string => `${stored ?? 'missing'} in ${file}`
      problems.push(
        `column ${JSON.stringify(name)} differs between files: ${shown(first)}, ${shown(other)}; write all of them alike`,
      )
      return absent
    }
    const { file, stored } = first
    if (stored === undefined) {
      if (!isOptional) problems.push(`column ${JSON.stringify(name)} is missing; expected ${type}`)
      return absent
    }
    const unfit = type === 'timestamp' ? noInstant(stored, int96.has(name)) : null
    const usable = unfit === null ? parquetColumn(name, stored, type) : null
    if (usable !== null) return usable
    problems.push(
      `column ${JSON.stringify(name)} is ${unfit ?? `${stored}, which cannot become ${type}`} (${file})`,
    )
    return absent
  })
  return { columns: read, problems, names: new Set(kinds[0]?.columnOf.keys()) }
}

function noInstant(stored: string, isInt96: boolean): string | null {
  if (isInt96)
    return 'INT96, whose zone is not known; write microseconds in UTC, in Spark by spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS'
  if (stored === 'TIMESTAMP WITH TIME ZONE' || stored === '"NULL"') return null
  return `${stored}, which is no instant; expected a timestamp in UTC (isAdjustedToUTC)`
}

interface FileKind {
  readonly file: string
  /** Types as DuckDB reads them. */
  readonly columnOf: ReadonlyMap<string, string>
}

/** One file of each set of columns. */
async function differentFiles(
  connection: DuckDBConnection,
  files: readonly ListedPart[],
): Promise<readonly FileKind[]> {
  const reader = await connection.runAndReadAll(
    `select min(file_name) from (
       select file_name, list({n: name, t: type, c: converted_type, l: logical_type} order by name) as columns
       from parquet_schema([${pathList(files)}]) group by file_name
     ) group by columns order by 1`,
  )
  const kinds: FileKind[] = []
  for (const [file] of reader.getRows()) {
    const described = await connection.runAndReadAll(`describe select * from ${parquetOf([String(file)])}`)
    const columnOf = new Map(described.getRows().map(([name, type]) => [String(name), String(type)]))
    kinds.push({ file: String(file), columnOf })
  }
  return kinds
}

async function int96Columns(
  connection: DuckDBConnection,
  files: readonly ListedPart[],
): Promise<ReadonlySet<string>> {
  const reader = await connection.runAndReadAll(
    `select distinct name from parquet_schema([${pathList(files)}]) where type = 'INT96'`,
  )
  return new Set(reader.getRows().map(([name]) => String(name)))
}

function pathList(files: readonly ListedPart[]): string {
  return files.map(({ path }) => literal(escaped(path))).join(', ')
}

/** Files as a source; columns go by name. */
export function parquetOf(paths: readonly string[]): string {
  const list = paths.map((path) => literal(escaped(path)))
  return `read_parquet([${list.join(', ')}], hive_partitioning = false, union_by_name = true)`
}

/** Paths are patterns: brackets take them literally. */
function escaped(path: string): string {
  return path.replace(/[*?[]/g, '[$&]')
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
