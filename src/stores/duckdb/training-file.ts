import { mkdtemp, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { type DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api'
import { featureStatuses } from '../../definitions/row-status.ts'
import { isNumeric } from '../../definitions/value-type.ts'
import { BadUserInput, errorCode, messageOf } from '../../errors.ts'
import type {
  ColumnSummary,
  MadeColumn,
  TrainingBatch,
  TrainingFile,
  TrainingFileRequest,
  TrainingFiles,
  TrainingFormat,
} from '../training-file.ts'
import { ValueColumn } from '../value-column.ts'
import { firstLineOf } from './duckdb-files.ts'
import { connectDuckDb } from './open-duckdb.ts'
import { parquetRows, parquetSource } from './parquet-file.ts'
import {
  byteColumn,
  type ColumnSource,
  numberColumn,
  type StoredColumn,
  valueColumn,
} from './stored-column.ts'

/** A data chunk holds no more. */
const chunkRows = 2_048
/** Quantiles hold the values in memory. */
const mostRowsOfQuantiles = 2_000_000
const quantiles = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]

const copyOptions: Readonly<Record<Exclude<TrainingFormat, 'arrow'>, string>> = {
  parquet: 'format parquet, compression zstd',
  csv: 'format csv, header',
  ndjson: 'format json',
}

/**
 * Types that a text column's values may all have, the narrowest first, and how such a value is written: a cast alone would round
 * 0.5 to an integer, and make a number of a code such as 007 or of an id of 20 digits.
 */
const guesses = [
  { type: 'BIGINT', form: '-?(0|[1-9][0-9]*)' },
  { type: 'DOUBLE', form: '-?(0|[1-9][0-9]{0,14})([.][0-9]+)?([eE][-+]?[0-9]+)?' },
  { type: 'BOOLEAN', form: '(?i)true|false' },
] as const

/** Training sets by DuckDB, in the rows' order. */
export const duckDbTrainingFiles: TrainingFiles = {
  async open(request) {
    const folder = await mkdtemp(path.join(path.dirname(request.out), '.featuregraph-')).catch(
      (error: unknown) => {
        throw new BadUserInput(`${request.out} cannot be written: ${messageOf(error)}`)
      },
    )
    // The rows stand in a database file: what does not fit into the memory is on disk.
    const opened = await connectDuckDb({
      place: path.join(folder, 'rows.db'),
      memoryLimit: '128MB',
      temporary: folder,
    })
    const { connection } = opened
    const close = async (): Promise<void> => {
      opened.close()
      await rm(folder, { recursive: true, force: true })
    }
    try {
      const file = await trainingFile(connection, folder, request)
      const failed = asRefusal(request)
      return {
        append: (batch) => file.append(batch).catch(failed),
        summarize: () => file.summarize().catch(failed),
        write: () => file.write().catch(failed),
        close,
      }
    } catch (error) {
      await close()
      throw error
    }
  },
}

/** A damaged spine, a full disk, or what stands in the file's place is the caller's; the rest is not. */
function asRefusal({ out, spine }: TrainingFileRequest): (error: unknown) => never {
  return (error) => {
    if (/failed to read file|decompression/i.test(messageOf(error)))
      throw new BadUserInput(`${spine.path} cannot be read: ${firstLineOf(error)}; nothing was written`)
    const isFull = /no space left|could not write|IO Error/i.test(messageOf(error))
    if (error instanceof BadUserInput || !(isFull || isSystemError(error))) throw error
    throw new BadUserInput(`${out} cannot be written: ${firstLineOf(error)}; nothing of it was left`)
  }
}

function isSystemError(error: unknown): boolean {
  return /^E[A-Z]+$/.test(errorCode(error))
}

async function trainingFile(
  connection: DuckDBConnection,
  folder: string,
  { spine, columns, out, format }: TrainingFileRequest,
): Promise<Omit<TrainingFile, 'close'>> {
  const isTyped = spine.form === 'TYPED'
  const spineColumns = isTyped ? [] : spine.columns.map(({ type }) => valueColumn(type ?? 'string'))
  const stored = [...spineColumns, ...columns.flatMap(storedColumns)]
  const names = [
    ...spineColumns.map((_, index) => `s${index}`),
    ...columns.flatMap((column, index) => storedColumns(column).map((_, place) => storedName(index, place))),
  ]
  const types = stored.map(({ type }) => type)
  await connection.run(
    `create table made (${names.map((name, index) => `${name} ${types[index]}`).join(', ')})`,
  )
  const appender = await connection.createAppender('made')

  return {
    async append(batch: TrainingBatch) {
      const sources: ColumnSource[] = isTyped ? [] : [...batch.spine]
      for (const column of batch.columns) {
        if (column instanceof ValueColumn || column instanceof Uint8Array) sources.push(column)
        else sources.push(...column)
      }
      for (let start = 0; start < batch.rows; start += chunkRows) {
        const rows = Math.min(chunkRows, batch.rows - start)
        const chunk = DuckDBDataChunk.create(types, rows)
        stored.forEach(({ write }, column) => {
          const source = sources[column]
          if (source) write(chunk, column, source, start, rows)
        })
        appender.appendDataChunk(chunk)
      }
    },

    async summarize() {
      appender.flushSync()
      const counted = await connection.runAndReadAll('select count(*) from made')
      const step = Math.ceil(Number(counted.getRows()[0]?.[0]) / mostRowsOfQuantiles)
      const summaries: ColumnSummary[] = []
      for (const [index, column] of columns.entries()) {
        if (column.kind !== 'VALUES' || !isNumeric(column.type)) continue
        const stored = storedName(index, 0)
        const number = `${stored}${column.type === 'bool' ? '::INTEGER' : ''}::DOUBLE`
        const sampled = step > 1 ? ` filter (rowid % ${step} = 0)` : ''
        // Column by column: the quantiles hold one in memory.
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
    },

    async write() {
      appender.closeSync()
      const shown = isTyped
        ? spine.columns.map(({ name }) => `spine.${quoted(name)}`)
        : await Promise.all(
            spine.columns.map(
              async ({ name, type }, index) =>
                `${await typedText(connection, `s${index}`, type === null)} as ${quoted(name)}`,
            ),
          )
      const made = columns.map((column, index) => `${shownColumn(column, index)} as ${quoted(column.name)}`)
      const from = isTyped
        ? `${spine.rows === null ? parquetSource(spine.path) : parquetRows(spine.path, spine.rows)} as spine positional join made`
        : 'made'
      const written = path.join(folder, 'written')
      const select = `select ${[...shown, ...made].join(', ')} from ${from}`
      if (format === 'arrow') await (await import('./write-arrow.ts')).writeArrow(connection, select, written)
      else
        await connection.run(
          `copy (${select}) to '${written.replaceAll("'", "''")}' (${copyOptions[format]})`,
        )
      const { size } = await stat(written)
      await rename(written, out)
      return { bytes: size }
    },
  }
}

const storedName = (column: number, place: number): string => `m${column}_${place}`

/** A vector is a column per place until it is written: numbers are copied as they stand. */
function storedColumns(column: MadeColumn): readonly StoredColumn[] {
  switch (column.kind) {
    case 'VALUES':
      return [valueColumn(column.type)]
    case 'STATUSES':
      return [byteColumn]
    case 'VECTORS':
      return Array.from({ length: column.width }, () => numberColumn)
  }
}

function shownColumn(column: MadeColumn, index: number): string {
  const first = `made.${storedName(index, 0)}`
  switch (column.kind) {
    case 'VALUES':
      return first
    case 'STATUSES':
      return `case ${first} ${featureStatuses.map((status, code) => `when ${code} then '${status}'`).join(' ')} end`
    case 'VECTORS': {
      const places = Array.from({ length: column.width }, (_, place) => `made.${storedName(index, place)}`)
      return `[${places.join(', ')}]`
    }
  }
}

/** The column as the type that all its texts are of; else as text. */
async function typedText(connection: DuckDBConnection, column: string, isGuessed: boolean): Promise<string> {
  if (!isGuessed) return column
  for (const { type, form } of guesses) {
    const isOfType = `regexp_full_match(${column}, '${form}') and try_cast(${column} as ${type}) is not null`
    const { [0]: row = [] } = (
      await connection.runAndReadAll(
        `select count(${column}), count(*) filter (${column} is not null and not (${isOfType})) from made`,
      )
    ).getRows()
    if (Number(row[0]) > 0 && Number(row[1]) === 0) return `try_cast(${column} as ${type})`
  }
  return column
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
