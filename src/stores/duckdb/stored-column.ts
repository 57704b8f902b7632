import {
  BIGINT,
  DOUBLE,
  type DuckDBDataChunk,
  type DuckDBType,
  FLOAT,
  INTEGER,
  TIMESTAMPTZ,
  UTINYINT,
} from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import type { Value } from '../../definitions/value.ts'
import type { ValueType } from '../../definitions/value-type.ts'
import { ValueColumn } from '../value-column.ts'
import { duckDbColumn } from './duckdb-type.ts'

/** What is put into one column of a table: a whole typed array is copied, other values are set one by one. */
export type ColumnSource = ValueColumn | Uint8Array | Float64Array | readonly (Value | null)[]

export interface StoredColumn {
  readonly type: DuckDBType
  /** Rows `start` to `start + rows` of the source into the chunk's column. */
  readonly write: (
    chunk: DuckDBDataChunk,
    column: number,
    source: ColumnSource,
    start: number,
    rows: number,
  ) => void
}

/** Of values, as a `ValueColumn` or an array. */
export function valueColumn(type: ValueType): StoredColumn {
  const { type: stored, value } = duckDbColumn(type)
  const encode = encoders.get(stored)
  return {
    type: stored,
    write(chunk, column, source, start, rows) {
      if (source instanceof ValueColumn && source.numbers !== null && encode) {
        const numbers = source.numbers.subarray(start, start + rows)
        copyInto(chunk, column, encode(numbers), validityOf(numbers))
        return
      }
      const vector = chunk.getColumnVector(column)
      const at =
        source instanceof ValueColumn
          ? (row: number) => source.at(row)
          : (row: number) => (source as readonly (Value | null)[])[row] ?? null
      for (let row = 0; row < rows; row += 1) vector.setItem(row, value(at(start + row)))
      vector.flush()
    },
  }
}

/** Numbers without nulls: of `Float64Array` and `Uint8Array`. */
export const numberColumn: StoredColumn = plainColumn(DOUBLE)
export const byteColumn: StoredColumn = plainColumn(UTINYINT)

function plainColumn(type: DuckDBType): StoredColumn {
  return {
    type,
    write(chunk, column, source, start, rows) {
      copyInto(chunk, column, (source as Uint8Array | Float64Array).subarray(start, start + rows), null)
    },
  }
}

/** How numbers stand in the memory of a column. */
const encoders: ReadonlyMap<DuckDBType, (numbers: Float64Array) => ArrayBufferView> = new Map<
  DuckDBType,
  (numbers: Float64Array) => ArrayBufferView
>([
  [DOUBLE, (numbers) => numbers],
  [FLOAT, (numbers) => Float32Array.from(numbers)],
  [INTEGER, (numbers) => Int32Array.from(numbers)],
  [BIGINT, int64s],
  [TIMESTAMPTZ, int64s],
])

/** Without a bigint per value; NaN becomes 0. Little-endian, as all that DuckDB runs on. */
function int64s(numbers: Float64Array): Int32Array {
  const halves = new Int32Array(numbers.length * 2)
  for (let index = 0; index < numbers.length; index += 1) {
    const number = numbers[index] ?? 0
    if (Number.isNaN(number)) continue
    const high = Math.floor(number / 4_294_967_296)
    halves[index * 2] = number - high * 4_294_967_296
    halves[index * 2 + 1] = high
  }
  return halves
}

/** A bit per value in whole words, set where there is one; null: all are. */
function validityOf(numbers: Float64Array): Uint8Array | null {
  let bits: Uint8Array | null = null
  for (let index = 0; index < numbers.length; index += 1) {
    if (!Number.isNaN(numbers[index] ?? Number.NaN)) continue
    bits ??= new Uint8Array(Math.ceil(numbers.length / 64) * 8).fill(0xff)
    bits[index >> 3] = (bits[index >> 3] ?? 0) & ~(1 << (index & 7))
  }
  return bits
}

/** By the library's lower half: its vectors take values one at a time only, at a bigint a null. */
function copyInto(
  { chunk }: DuckDBDataChunk,
  column: number,
  data: ArrayBufferView,
  validity: Uint8Array | null,
): void {
  const vector = duckdb.data_chunk_get_vector(chunk, column)
  const { buffer, byteOffset, byteLength } = data
  duckdb.copy_data_to_vector(vector, 0, buffer as ArrayBuffer, byteOffset, byteLength)
  if (validity === null) return
  duckdb.vector_ensure_validity_writable(vector)
  duckdb.copy_data_to_vector_validity(vector, 0, validity.buffer as ArrayBuffer, 0, validity.byteLength)
}
