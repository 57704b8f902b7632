import type pg from 'pg'
import type { Value } from '../../../definitions/value.ts'
import type { ValueType } from '../../../definitions/value-type.ts'
import { copyHeaderEnd, readBinary } from './copy-binary.ts'
import { copyMessages } from './copy-messages.ts'
import { inline } from './copy-out.ts'
import type { Sql } from './statement.ts'

/** A row of binary COPY, read where it stands: columns by their places. */
export interface BinaryRow {
  readonly isNull: (column: number) => boolean
  readonly float64: (column: number) => number
  /** Of int32. */
  readonly integer: (column: number) => number
  /** Of int64 and timestamps; NaN beyond the safe integers. A timestamp counts from 2000. */
  readonly safeInteger: (column: number) => number
  readonly value: (column: number) => Value | null
}

/** As `copyOut`, row by row, without an object a row or a value: one row, which holds until `receive` returns. */
export async function copyOutEach(
  client: pg.ClientBase,
  sql: Sql,
  types: readonly ValueType[],
  receive: (row: BinaryRow) => void,
): Promise<void> {
  const starts = new Int32Array(types.length)
  const lengths = new Int32Array(types.length)
  let bytes: Buffer = Buffer.alloc(0)
  let view = new DataView(bytes.buffer, bytes.byteOffset, 0)
  let started = false

  const row: BinaryRow = {
    isNull: (column) => (lengths[column] ?? -1) < 0,
    float64: (column) => view.getFloat64(starts[column] ?? 0),
    integer: (column) => view.getInt32(starts[column] ?? 0),
    safeInteger(column) {
      const at = starts[column] ?? 0
      const number = view.getInt32(at) * 4_294_967_296 + view.getUint32(at + 4)
      return Number.isSafeInteger(number) ? number : Number.NaN
    },
    value(column) {
      const [type, length] = [types[column], lengths[column] ?? -1]
      return length < 0 || type === undefined ? null : readBinary(type, bytes, starts[column] ?? 0, length)
    },
  }

  await copyMessages(client, `copy (${inline(sql)}) to stdout (format binary)`, (piece, start, end) => {
    if (piece !== bytes) {
      bytes = piece
      view = new DataView(piece.buffer, piece.byteOffset, piece.length)
    }
    let at = start
    if (!started) {
      at = copyHeaderEnd(piece, start)
      started = true
    }
    // Nothing behind the header, or the trailer.
    if (at === end || view.getInt16(at) === -1) return
    at += 2
    for (let column = 0; column < types.length; column += 1) {
      const length = view.getInt32(at)
      at += 4
      starts[column] = at
      lengths[column] = length
      if (length > 0) at += length
    }
    receive(row)
  })
}
