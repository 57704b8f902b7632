import { type DuckDBConnection, type DuckDBDataChunk, SQLNULL } from '@duckdb/node-api'
import { BadUserInput } from '../../errors.ts'
import type { FileBatch, FileReader, MalformedRow, RowRange, WantedColumn } from '../file-reader.ts'
import { firstLineOf } from './duckdb-files.ts'
import { numberVector } from './number-vector.ts'
import { connectDuckDb } from './open-duckdb.ts'
import { emptyColumn, type ParquetColumn, parquetColumn, timeColumn } from './parquet-column.ts'

const noneMalformed: ReadonlyMap<number, MalformedRow> = new Map()

/** Parquet by DuckDB, streamed in the file's order, column by column. Times below a microsecond are cut off. */
export const parquetFiles: FileReader = {
  async open(path) {
    const { connection, close } = await connectDuckDb()
    const failed = (error: unknown): never => {
      close()
      throw error instanceof BadUserInput
        ? error
        : new BadUserInput(`${path} cannot be read as Parquet: ${firstLineOf(error)}`)
    }
    const stored = await connection
      .runAndReadAll(`describe select * from ${parquetSource(path)}`)
      .then((reader) => new Map(reader.getRows().map(([name, type]) => [String(name), String(type)])))
      .catch(failed)
    const total = await connection
      .runAndReadAll('select coalesce(sum(num_rows), 0)::DOUBLE from parquet_file_metadata($1)', [path])
      .then((reader) => Number(reader.getRows()[0]?.[0]))
      .catch(failed)
    return {
      form: 'TYPED',
      parquet: path,
      columns: [...stored.keys()],
      columnsAreFixed: true,
      timeColumns: new Map(
        [...stored].flatMap(([name, type]) => {
          const kind = timeColumn(type)
          return kind === null ? [] : [[name, kind] as const]
        }),
      ),
      read: (wanted, rows = null) =>
        readBatches(connection, { path, stored, wanted, rows: rows ?? { from: 0, to: total } }),
      close: async () => close(),
    }
  },
}

interface ParquetRead {
  readonly path: string
  readonly stored: ReadonlyMap<string, string>
  readonly wanted: readonly WantedColumn[]
  readonly rows: RowRange
}

async function* readBatches(
  connection: DuckDBConnection,
  { path, stored, wanted, rows: { from, to } }: ParquetRead,
): AsyncGenerator<FileBatch> {
  const columns: ParquetColumn[] = []
  for (const one of wanted) columns.push(await wantedColumn(connection, path, stored, one))
  const list = columns.map(({ expression }) => expression).join(', ')
  const total = to - from
  let read = 0
  try {
    const result = await connection.stream(`select ${list} from ${parquetRows(path, { from, to })}`)
    const types = result.columnTypes()
    for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
      const { rowCount } = chunk
      if (rowCount === 0) break
      const first = from + read + 1
      read += rowCount
      // Only where they are asked for: most of a spine is numbers.
      let values: readonly (readonly unknown[])[] | null = null
      yield {
        rowNumbers: Array.from({ length: rowCount }, (_, index) => first + index),
        get columns() {
          values ??= columns.map(({ value }, place) => columnValues(chunk, place, value))
          return values
        },
        numbers: (place) => numberVector(chunk, place, types[place] ?? SQLNULL),
        malformed: noneMalformed,
        done: total === 0 ? 1 : read / total,
      }
    }
  } catch (error) {
    if (error instanceof BadUserInput) throw error
    throw new BadUserInput(`${path} cannot be read on behind row ${from + read}: ${firstLineOf(error)}`)
  }
}

function columnValues(
  chunk: DuckDBDataChunk,
  place: number,
  value: ParquetColumn['value'],
): readonly unknown[] {
  const vector = chunk.getColumnVector(place)
  const items: unknown[] = new Array(chunk.rowCount)
  for (let index = 0; index < items.length; index += 1) items[index] = value(vector.getItem(index))
  return items
}

async function wantedColumn(
  connection: DuckDBConnection,
  path: string,
  stored: ReadonlyMap<string, string>,
  { column, type }: WantedColumn,
): Promise<ParquetColumn> {
  const storedType = stored.get(column)
  if (storedType === undefined) return { expression: 'null::VARCHAR', value: () => null }
  const found = parquetColumn(column, storedType, type)
  if (found !== null) return found
  const empty = emptyColumn(column, storedType, type)
  const holding = `select 1 from ${parquetSource(path)} where ${empty.something} limit 1`
  const reader = await connection.runAndReadAll(holding)
  if (reader.currentRowCount === 0) return empty
  const message = `column ${JSON.stringify(column)} is ${storedType}, which cannot become ${type ?? 'a text'}`
  throw new BadUserInput(`${path}: ${message}`)
}

/** Some rows of the file as a source, in its order. */
export function parquetRows(path: string, { from, to }: RowRange): string {
  return `(select * from ${parquetSource(path)} limit ${to - from} offset ${from})`
}

/** A path with `*` in it would be a pattern: brackets take it literally. */
export function parquetSource(path: string): string {
  const literal = path.replace(/[*?[]/g, '[$&]')
  return `read_parquet('${literal.replaceAll("'", "''")}', hive_partitioning = false)`
}
