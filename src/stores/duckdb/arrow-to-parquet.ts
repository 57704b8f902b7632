import { open, rm } from 'node:fs/promises'
import { DuckDBDataChunk } from '@duckdb/node-api'
import { type Data, RecordBatchReader, type Schema } from 'apache-arrow'
import { BadUserInput, messageOf } from '../../errors.ts'
import { unpackBuffers } from './arrow-codecs.ts'
import { type ArrowColumn, arrowColumn } from './arrow-column.ts'
import { firstLineOf } from './duckdb-files.ts'
import { connectDuckDb } from './open-duckdb.ts'

/** A data chunk holds no more. */
const chunkRows = 2_048

interface NamedColumn extends ArrowColumn {
  readonly name: string
  readonly place: number
}

/**
 * The rows of an Arrow IPC file or stream, in order, as a Parquet file with the same columns and types, since DuckDB reads no
 * Arrow by itself. Record batch by record batch.
 * @throws BadUserInput for a file that is none, that breaks off, or has a column that no Parquet column of ours can be.
 */
export async function arrowToParquet(path: string, folder: string, target: string): Promise<void> {
  unpackBuffers()
  const stored = `${target}.db`
  const { connection, close } = await connectDuckDb({
    place: stored,
    memoryLimit: '256MB',
    temporary: folder,
  })
  const file = await open(path).catch((error: unknown) => {
    throw new BadUserInput(`${path} cannot be read: ${messageOf(error)}`)
  })
  let read = 0
  try {
    const reader = await RecordBatchReader.from(file).catch(refuse(path))
    await reader.open().catch(refuse(path))
    const columns = columnsOf(path, reader.schema)
    const defined = columns.map(({ name, type }) => `${quoted(name)} ${type}`).join(', ')
    await connection.run(`create table rows (${defined})`)
    const appender = await connection.createAppender('rows')
    for await (const batch of batchesOf(path, reader, () => read)) {
      const { numRows } = batch
      const readers = columns.map(({ valuesOf, place }) => {
        const data = batch.data.children[place]
        return data === undefined ? () => null : nullable(data, valuesOf(data))
      })
      for (let start = 0; start < numRows; start += chunkRows) {
        const rows = Math.min(chunkRows, numRows - start)
        const chunk = DuckDBDataChunk.create(
          columns.map(({ type }) => type),
          rows,
        )
        readers.forEach((valueAt, index) => {
          const vector = chunk.getColumnVector(index)
          for (let row = 0; row < rows; row += 1) vector.setItem(row, valueAt(start + row))
          vector.flush()
        })
        appender.appendDataChunk(chunk)
      }
      read += numRows
    }
    appender.closeSync()
    await connection.run(`copy rows to '${target.replaceAll("'", "''")}' (format parquet)`)
  } catch (error) {
    if (error instanceof BadUserInput) throw error
    throw new BadUserInput(`${path} cannot be read as Arrow: ${firstLineOf(error)}`)
  } finally {
    await file.close().catch(() => {})
    close()
    await rm(stored, { force: true })
  }
}

function nullable<Value>(data: Data, valueAt: (index: number) => Value): (index: number) => Value | null {
  return (index) => (data.getValid(index) ? valueAt(index) : null)
}

function columnsOf(path: string, schema: Schema): readonly NamedColumn[] {
  const names = new Set<string>()
  const problems: string[] = []
  const columns = schema.fields.flatMap(({ name, type }, place): NamedColumn[] => {
    // As DuckDB compares names.
    if (names.has(name.toLowerCase())) problems.push(`two columns are called ${JSON.stringify(name)}`)
    names.add(name.toLowerCase())
    const column = arrowColumn(type)
    if (column !== null) return [{ ...column, name, place }]
    problems.push(
      `column ${JSON.stringify(name)} is ${type}, which cannot be read; leave it out, or write Parquet`,
    )
    return []
  })
  if (problems.length > 0) throw new BadUserInput(problems.map((line) => `${path}: ${line}`).join('\n'))
  if (columns.length === 0) throw new BadUserInput(`${path} has no columns`)
  return columns
}

async function* batchesOf(path: string, reader: RecordBatchReader, read: () => number) {
  try {
    for await (const batch of reader) yield batch
  } catch (error) {
    if (error instanceof BadUserInput) throw new BadUserInput(`${path}: ${error.message}`)
    throw new BadUserInput(`${path} cannot be read on behind row ${read()}: ${messageOf(error)}`)
  }
}

function refuse(path: string): (error: unknown) => never {
  return (error) => {
    const reason = error instanceof BadUserInput ? error.message : messageOf(error)
    throw new BadUserInput(`${path} cannot be read as Arrow: ${reason}`)
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
