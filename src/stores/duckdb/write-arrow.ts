import { open } from 'node:fs/promises'
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'
import {
  AsyncByteQueue,
  Field,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  Schema,
  Struct,
} from 'apache-arrow'
import { writtenColumn } from './duckdb-to-arrow.ts'

/** Rows of a record batch: about what readers hold at once. */
const batchRows = 16 * 2_048

/** The rows of a select, in its order, as an Arrow IPC file; a record batch at a time is in memory. */
export async function writeArrow(connection: DuckDBConnection, select: string, path: string): Promise<void> {
  const result = await connection.stream(select)
  const columns = result.columnTypes().map(writtenColumn)
  const names = result.columnNames()
  const fields = columns.map(({ type }, index) => new Field(names[index] ?? '', type, true))
  const schema = new Schema(fields)
  const queue = new TakenBytes()
  const writer = new RecordBatchFileWriter()
  writer.reset(queue, schema)
  const file = await open(path, 'w')
  try {
    let values: DuckDBValue[][] = columns.map(() => [])
    let rows = 0
    const writeBatch = async (): Promise<void> => {
      const children = columns.map(({ data }, index) => data(values[index] ?? []))
      const data = makeData({ type: new Struct(fields), length: rows, nullCount: 0, children })
      writer.write(new RecordBatch(schema, data))
      for (const piece of queue.take()) await file.writeFile(piece)
      values = columns.map(() => [])
      rows = 0
    }
    for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
      const { rowCount } = chunk
      if (rowCount === 0) break
      for (const [place, own] of values.entries()) {
        const vector = chunk.getColumnVector(place)
        for (let index = 0; index < rowCount; index += 1) own.push(vector.getItem(index))
      }
      rows += rowCount
      if (rows >= batchRows) await writeBatch()
    }
    if (rows > 0) await writeBatch()
    writer.finish()
    for (const piece of queue.take()) await file.writeFile(piece)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** What the writer gives, until it is taken: the package's own queue would grow with the file. */
class TakenBytes extends AsyncByteQueue {
  private pieces: Uint8Array[] = []

  override write(value: ArrayBufferView | Uint8Array): void {
    // A copy: the writer's buffers may be used again.
    this.pieces.push(new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice())
  }

  take(): readonly Uint8Array[] {
    const taken = this.pieces
    this.pieces = []
    return taken
  }
}
