import { mkdtemp, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { type DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api'
import { featureStatuses } from '../../definitions/row-status.ts'
import { BadUserInput, errorCode, messageOf } from '../../errors.ts'
import type {
  MadeColumn,
  TrainingBatch,
  TrainingFile,
  TrainingFileRequest,
  TrainingFiles,
  TrainingFormat,
} from '../training-file.ts'
import { ValueColumn } from '../value-column.ts'
import { firstLineOf } from './duckdb-files.ts'
import { summarized } from './made-summaries.ts'
import { openDuckDb } from './open-duckdb.ts'
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
    const instance = await openDuckDb({
      place: path.join(folder, 'rows.db'),
      memoryLimit: '128MB',
      temporary: folder,
    })
    const [connection, beside] = [await instance.connect(), await instance.connect()]
    // What would be written when it is closed is removed at once.
    await connection.run('pragma disable_checkpoint_on_shutdown')
    const close = async (): Promise<void> => {
      connection.disconnectSync()
      beside.disconnectSync()
      instance.closeSync()
      await rm(folder, { recursive: true, force: true })
    }
    try {
      const file = await trainingFile({ connection, beside }, folder, request)
      const failed = asRefusal(request)
      return {
        append: (batch) => file.append(batch).catch(failed),
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

interface Connections {
  readonly connection: DuckDBConnection
  /** What reads rows while the file is written. */
  readonly beside: DuckDBConnection
}

async function trainingFile(
  { connection, beside }: Connections,
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

    async write() {
      appender.closeSync()
      const written = path.join(folder, 'written')
      // At once, since neither is done by all processors alone; both end before anything is closed.
      const summarizing = summarized(beside, columns, storedName)
      await writeRows(written).finally(() => summarizing.catch(() => {}))
      const summaries = await summarizing
      const { size } = await stat(written)
      await rename(written, out)
      return { bytes: size, summaries }
    },
  }

  async function writeRows(written: string): Promise<void> {
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
    const select = `select ${[...shown, ...made].join(', ')} from ${from}`
    if (format === 'arrow') await (await import('./write-arrow.ts')).writeArrow(connection, select, written)
    else
      await connection.run(`copy (${select}) to '${written.replaceAll("'", "''")}' (${copyOptions[format]})`)
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
