import { type DuckDBDataChunk, type DuckDBType, DuckDBTypeId } from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'

/**
 * A chunk's column of DOUBLE or BIGINT as numbers, NaN for null; null of other types, and where an integer is no safe one.
 * By the library's lower half: its vectors give values one at a time only, at a bigint a value and a null.
 */
export function numberVector(
  { chunk, rowCount }: DuckDBDataChunk,
  column: number,
  { typeId }: DuckDBType,
): Float64Array | null {
  if (typeId !== DuckDBTypeId.DOUBLE && typeId !== DuckDBTypeId.BIGINT) return null
  const vector = duckdb.data_chunk_get_vector(chunk, column)
  const { buffer, byteOffset } = duckdb.vector_get_data(vector, rowCount * 8)
  const validity = duckdb.vector_get_validity(vector, Math.ceil(rowCount / 64) * 8)
  if (typeId === DuckDBTypeId.DOUBLE) {
    const numbers = new Float64Array(buffer, byteOffset, rowCount).slice()
    if (validity !== null)
      for (let row = 0; row < rowCount; row += 1) if (!isValid(validity, row)) numbers[row] = Number.NaN
    return numbers
  }
  // Little-endian, as all that DuckDB runs on.
  const halves = new Int32Array(buffer, byteOffset, rowCount * 2)
  const numbers = new Float64Array(rowCount)
  for (let row = 0; row < rowCount; row += 1) {
    if (validity !== null && !isValid(validity, row)) {
      numbers[row] = Number.NaN
      continue
    }
    const number = (halves[row * 2 + 1] ?? 0) * 4_294_967_296 + ((halves[row * 2] ?? 0) >>> 0)
    if (!Number.isSafeInteger(number)) return null
    numbers[row] = number
  }
  return numbers
}

function isValid(validity: Uint8Array, row: number): boolean {
  return ((validity[row >> 3] ?? 0) & (1 << (row & 7))) !== 0
}
