import { type FileBatch, type MalformedRow, noNumbers, type OpenedFile } from '../file-reader.ts'
import type { JsonRow } from './json-row.ts'

export type NumberedRow = JsonRow & { readonly rowNumber: number }

/** Any number of rows at a time; `done`: how much of the file has been read with them, from 0 to 1. */
export type JsonRows = AsyncGenerator<{ readonly rows: readonly NumberedRow[]; readonly done: number }>

const batchRows = 2_048

/** A file of JSON objects; `rows` reads it from its start. */
export async function openedJson(rows: () => JsonRows): Promise<OpenedFile> {
  const columns = new Set<string>()
  for await (const batch of batches(rows())) {
    for (const { fields } of batch.rows) for (const name of Object.keys(fields ?? {})) columns.add(name)
    break
  }
  return {
    form: 'JSON',
    parquet: null,
    columns: [...columns],
    columnsAreFixed: false,
    timeColumns: new Map(),
    async *read(wanted): AsyncGenerator<FileBatch> {
      for await (const batch of batches(rows())) {
        const malformed = new Map<number, MalformedRow>()
        batch.rows.forEach((row, index) => {
          if (row.fields === null) malformed.set(index, row)
        })
        yield {
          rowNumbers: batch.rows.map(({ rowNumber }) => rowNumber),
          columns: wanted.map(({ column }) =>
            batch.rows.map(({ fields }) =>
              fields !== null && Object.hasOwn(fields, column) ? fields[column] : null,
            ),
          ),
          numbers: noNumbers,
          malformed,
          done: batch.done,
        }
      }
    },
    close: async () => {},
  }
}

/** The same rows, so many at a time. */
async function* batches(all: JsonRows): JsonRows {
  let batch: NumberedRow[] = []
  for await (const { rows, done } of all) {
    for (const row of rows) {
      if (batch.push(row) < batchRows) continue
      yield { rows: batch, done }
      batch = []
    }
  }
  if (batch.length > 0) yield { rows: batch, done: 1 }
}
