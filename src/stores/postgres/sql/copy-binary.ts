import { decimalOf } from '../../../definitions/decimal.ts'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { ScalarValue, Value } from '../../../definitions/value.ts'
import {
  decimalDigits,
  elementType,
  isDecimal,
  type PlainType,
  type ScalarType,
  type ValueType,
} from '../../../definitions/value-type.ts'
import { numericBytes, numericScaled } from './numeric-binary.ts'

/**
 * Rows in the binary format of COPY (manual, "COPY", section "Binary Format"): numbers need no text on either side,
 * which is half of what COPY costs Node. Values are in the form of `acceptValue`; a timestamp is microseconds since 1970,
 * where Postgres counts from 2000.
 */

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
const headerBytes = signature.length + 8
/** Postgres' timestamps count from 2000. */
export const microsFrom1970To2000 = 946_684_800_000_000

/** Of the element's column type in `pg_type`; stable across versions. */
const elementOids: Readonly<Record<PlainType, number>> = {
  bool: 16,
  bytes: 17,
  int64: 20,
  int32: 23,
  string: 25,
  float32: 700,
  float64: 701,
  timestamp: 1184,
  uuid: 2950,
}

const fixedBytes: Readonly<Partial<Record<ScalarType, number>>> = {
  bool: 1,
  int64: 8,
  int32: 4,
  float32: 4,
  float64: 8,
  timestamp: 8,
}

/** What stands before the first row, and behind the last. */
export function copyHeader(): Buffer {
  return Buffer.concat([signature, Buffer.alloc(8)])
}
export function copyTrailer(): Buffer {
  return Buffer.from([0xff, 0xff])
}

/** Rows → bytes of COPY's rows, column by column in the order of `types`. Grows its buffer as it needs. */
export interface CopyEncoder {
  readonly add: (row: readonly (Value | null)[]) => void
  /** Rows that are bytes already. */
  readonly addEncoded: (rows: Buffer) => void
  /** Bytes that were added since the last `take`. */
  readonly size: () => number
  /** Hands the bytes over; they are the caller's. */
  readonly take: () => Buffer
}

const firstBufferBytes = 262_144

export function copyEncoder(types: readonly ValueType[]): CopyEncoder {
  const elements = types.map(elementType)
  let buffer = Buffer.allocUnsafe(firstBufferBytes)
  let end = 0

  function need(bytes: number): void {
    if (end + bytes <= buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, end + bytes))
    buffer.copy(larger, 0, 0, end)
    buffer = larger
  }

  function addScalar(type: ScalarType, value: ScalarValue): void {
    if (type === 'string' || type === 'bytes') {
      const length =
        typeof value === 'string' ? Buffer.byteLength(value) : Buffer.from(value as Uint8Array).length
      need(4 + length)
      end = buffer.writeInt32BE(length, end)
      if (typeof value === 'string') buffer.write(value, end, 'utf8')
      else buffer.set(value as Uint8Array, end)
      end += length
      return
    }
    const bytes = fixedBytes[type]
    if (bytes === undefined) {
      addBytes(
        isDecimal(type)
          ? numericBytes(value as number | string, decimalDigits(type))
          : Buffer.from(String(value).replaceAll('-', ''), 'hex'),
      )
      return
    }
    need(4 + bytes)
    end = buffer.writeInt32BE(bytes, end)
    switch (type) {
      case 'bool':
        end = buffer.writeUInt8(value === true ? 1 : 0, end)
        return
      case 'int32':
        end = buffer.writeInt32BE(Number(value), end)
        return
      case 'int64':
        writeInt64(value as number | string)
        return
      case 'timestamp':
        writeMicros(Number(value))
        return
      case 'float32':
        end = buffer.writeFloatBE(Number(value), end)
        return
      case 'float64':
        end = buffer.writeDoubleBE(Number(value), end)
    }
  }

  function addBytes(bytes: Buffer): void {
    need(4 + bytes.length)
    end = buffer.writeInt32BE(bytes.length, end)
    buffer.set(bytes, end)
    end += bytes.length
  }

  function writeMicros(micros: Micros): void {
    const from2000 = micros - microsFrom1970To2000
    // Before 1715 it is no safe integer any more.
    writeInt64(
      Number.isSafeInteger(from2000) ? from2000 : String(BigInt(micros) - BigInt(microsFrom1970To2000)),
    )
  }

  function writeInt64(value: number | string): void {
    if (typeof value === 'string') {
      end = buffer.writeBigInt64BE(BigInt(value), end)
      return
    }
    const high = Math.floor(value / 4_294_967_296)
    end = buffer.writeInt32BE(high, end)
    end = buffer.writeUInt32BE(value - high * 4_294_967_296, end)
  }

  /** Dimensions, has nulls, the element's oid, length and lower bound, then the items. */
  function addList(element: PlainType, items: readonly ScalarValue[]): void {
    need(24)
    const lengthAt = end
    end += 4
    const start = end
    end = buffer.writeInt32BE(items.length === 0 ? 0 : 1, end)
    end = buffer.writeInt32BE(0, end)
    end = buffer.writeInt32BE(elementOids[element], end)
    if (items.length > 0) {
      end = buffer.writeInt32BE(items.length, end)
      end = buffer.writeInt32BE(1, end)
      for (const item of items) addScalar(element, item)
    }
    buffer.writeInt32BE(end - start, lengthAt)
  }

  return {
    add(row) {
      need(2)
      end = buffer.writeInt16BE(types.length, end)
      for (let index = 0; index < types.length; index += 1) {
        const value = row[index] ?? null
        if (value === null) {
          need(4)
          end = buffer.writeInt32BE(-1, end)
          continue
        }
        const element = elements[index] ?? null
        if (element === null) addScalar(types[index] as ScalarType, value as ScalarValue)
        else addList(element, value as readonly ScalarValue[])
      }
    },
    addEncoded(rows) {
      need(rows.length)
      end += rows.copy(buffer, end)
    },
    size: () => end,
    take() {
      const bytes = buffer.subarray(0, end)
      buffer = Buffer.allocUnsafe(Math.max(firstBufferBytes, Math.min(buffer.length, end * 2)))
      end = 0
      return bytes
    },
  }
}

/** Bytes of COPY's rows, in pieces of any size → whole rows; int64 as everywhere: a number while it is a safe integer. */
export interface CopyDecoder {
  readonly decode: (piece: Buffer) => (Value | null)[][]
}

export function copyDecoder(types: readonly ValueType[]): CopyDecoder {
  let rest: Buffer = Buffer.alloc(0)
  let started = false
  let ended = false
  const elements = types.map(elementType)

  return {
    decode(piece) {
      const rows: (Value | null)[][] = []
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      let start = 0
      if (!started) {
        if (bytes.length < headerBytes) {
          rest = bytes
          return rows
        }
        start = copyHeaderEnd(bytes, 0)
        started = true
      }
      while (!ended) {
        const end = rowEnd(bytes, start)
        if (end === null) break
        if (end === -1) {
          ended = true
          break
        }
        rows.push(readRow(types, elements, bytes, start + 2))
        start = end
      }
      rest = bytes.subarray(start)
      return rows
    },
  }
}

/** Behind the header that starts there. */
export function copyHeaderEnd(bytes: Buffer, start: number): number {
  const end = start + headerBytes
  return end + bytes.readUInt32BE(end - 4)
}

/** Where the row at `start` ends; null when it is not all there yet, -1 for the trailer. */
function rowEnd(bytes: Buffer, start: number): number | null {
  if (start + 2 > bytes.length) return null
  const columns = bytes.readInt16BE(start)
  if (columns === -1) return -1
  let end = start + 2
  for (let column = 0; column < columns; column += 1) {
    if (end + 4 > bytes.length) return null
    const length = bytes.readInt32BE(end)
    end += 4 + Math.max(0, length)
  }
  return end <= bytes.length ? end : null
}

function readRow(
  types: readonly ValueType[],
  elements: readonly (PlainType | null)[],
  bytes: Buffer,
  start: number,
): (Value | null)[] {
  const row: (Value | null)[] = new Array(types.length)
  let at = start
  for (let index = 0; index < types.length; index += 1) {
    const length = bytes.readInt32BE(at)
    at += 4
    if (length === -1) {
      row[index] = null
      continue
    }
    const element = elements[index] ?? null
    row[index] =
      element === null
        ? readScalar(types[index] as ScalarType, bytes, at, length)
        : readList(element, bytes, at)
    at += length
  }
  return row
}

/** A column's value, which is not null. */
export function readBinary(type: ValueType, bytes: Buffer, at: number, length: number): Value {
  const element = elementType(type)
  return element === null ? readScalar(type as ScalarType, bytes, at, length) : readList(element, bytes, at)
}

function readScalar(type: ScalarType, bytes: Buffer, at: number, length: number): ScalarValue {
  switch (type) {
    case 'bool':
      return bytes[at] === 1
    case 'int32':
      return bytes.readInt32BE(at)
    case 'int64':
      return readInt64(bytes, at)
    case 'timestamp':
      return readMicros(bytes, at)
    case 'float32':
      return bytes.readFloatBE(at)
    case 'float64':
      return bytes.readDoubleBE(at)
    case 'string':
      return bytes.toString('utf8', at, at + length)
    case 'bytes':
      return Buffer.from(bytes.subarray(at, at + length))
    case 'uuid':
      return uuidText(bytes.toString('hex', at, at + length))
    default: {
      const digits = decimalDigits(type)
      return decimalOf(numericScaled(bytes, at, digits), digits)
    }
  }
}

function uuidText(hex: string): string {
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
  return parts.join('-')
}

function readInt64(bytes: Buffer, at: number): number | string {
  const value = bytes.readInt32BE(at) * 4_294_967_296 + bytes.readUInt32BE(at + 4)
  return Number.isSafeInteger(value) ? value : bytes.readBigInt64BE(at).toString()
}

function readMicros(bytes: Buffer, at: number): Micros {
  const from2000 = readInt64(bytes, at)
  return typeof from2000 === 'number'
    ? from2000 + microsFrom1970To2000
    : Number(BigInt(from2000) + BigInt(microsFrom1970To2000))
}

/** Of one dimension; a null inside stays null, which only lists of a mapped table can have. */
function readList(element: PlainType, bytes: Buffer, start: number): ScalarValue[] {
  if (bytes.readInt32BE(start) === 0) return []
  const count = bytes.readInt32BE(start + 12)
  const items: ScalarValue[] = []
  let at = start + 20
  for (let index = 0; index < count; index += 1) {
    const length = bytes.readInt32BE(at)
    at += 4
    items.push(length === -1 ? (null as unknown as ScalarValue) : readScalar(element, bytes, at, length))
    at += Math.max(0, length)
  }
  return items
}
