import { createHash } from 'node:crypto'
import { decimalOf, powerOfTen, scaledOf } from '../../definitions/decimal.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { ScalarValue, Value } from '../../definitions/value.ts'
import {
  decimalDigits,
  elementType,
  isDecimal,
  type PlainType,
  type ScalarType,
  type ValueType,
} from '../../definitions/value-type.ts'

/**
 * A feature row in bytes, the same in every online store. Little-endian:
 *
 * | at | size | what |
 * |---|---|---|
 * | 0 | 1 | format, 1 |
 * | 1 | 1 | flags: 1 a closing row, 2 a tombstone; both answer as if there were no row |
 * | 2 | 2 | zero |
 * | 4 | 4 | fingerprint of the layout |
 * | 8 | 8 | event timestamp, microseconds, float64 |
 * | 16 | 8 | created timestamp, microseconds, float64; null is -Infinity, so that it sorts lowest |
 * | 24 | 8 | row id, float64; 0 where there is none |
 * | 32 | ceil(n / 8) | null bitmap, one bit a feature, 1 is null |
 * | … | | one fixed slot a feature, in layout order |
 * | … | | the variable parts that slots point to |
 *
 * The three numbers are float64 because the compare-and-set script of Redis compares them in Lua, exact up to 2^53.
 */
export const packedFormat = 1
export const packedHeaderBytes = 32

const flagsAt = 1
const closingFlag = 1
const tombstoneFlag = 2

/** What a row's bytes mean: the features in slot order, each by its id, under the name that the fingerprint gives. */
export interface RowLayout {
  readonly fingerprint: number
  readonly features: readonly { readonly name: string; readonly type: ValueType }[]
}

/**
 * float64 and timestamp 8, int64 8 (a real one), a decimal as its scaled int64, int32 and float32 4, bool 1, everything else a
 * (start, length) pair.
 */
const slotBytes: Readonly<Record<PlainType, number>> = {
  int32: 4,
  int64: 8,
  float32: 4,
  float64: 8,
  bool: 1,
  timestamp: 8,
  string: 8,
  bytes: 8,
  uuid: 8,
}

export interface Slot {
  readonly name: string
  readonly type: ValueType
  readonly offset: number
  /** Where its null bit stands. */
  readonly nullByte: number
  readonly nullMask: number
}

/**
 * The layout of a view's rows today; its fingerprint depends on project, view, names, types and order, and on the
 * definition that computes them (null: their writer says what they mean), so that no row is read by another one.
 */
export function rowLayout(
  project: string,
  viewId: string,
  features: RowLayout['features'],
  definition: string | null = null,
): RowLayout {
  const columns = features.map(({ name, type }) => ({ name, type }))
  const text = JSON.stringify([
    packedFormat,
    project,
    viewId,
    columns.map(({ name, type }) => [name, type]),
    ...(definition === null ? [] : [definition]),
  ])
  return { fingerprint: createHash('sha256').update(text).digest().readUInt32LE(0), features: columns }
}

/** Slots in layout order, and where the fixed part of a row ends: a shorter value is no row of this layout. */
export function slotsOf(layout: RowLayout): { readonly slots: readonly Slot[]; readonly fixedEnd: number } {
  let offset = packedHeaderBytes + Math.ceil(layout.features.length / 8)
  const slots = layout.features.map(({ name, type }, index): Slot => {
    const slot = {
      name,
      type,
      offset,
      nullByte: packedHeaderBytes + (index >> 3),
      nullMask: 1 << (index & 7),
    }
    offset += slotSize(type)
    return slot
  })
  return { slots, fixedEnd: offset }
}

function slotSize(type: ValueType): number {
  const element = elementType(type)
  if (element !== null) return slotBytes.bytes
  return isDecimal(type) ? slotBytes.int64 : slotBytes[type as PlainType]
}

export interface RowToPack {
  readonly eventTimestamp: Micros
  readonly createdTimestamp: Micros | null
  readonly rowId: number | null
  /** In the layout's order, in the form of `acceptValue`. */
  readonly values: readonly (Value | null)[]
  readonly closing?: boolean
}

/** Rows of one layout → bytes; compiled once per layout. */
export function rowPacker(layout: RowLayout): (row: RowToPack) => Buffer {
  const { slots, fixedEnd } = slotsOf(layout)
  return (row) => {
    let variable: Buffer[] | null = null
    let end = fixedEnd
    // From Node's pool: a buffer of its own for every small row costs more than the rest.
    const fixed = Buffer.allocUnsafe(fixedEnd).fill(0)
    fixed[0] = packedFormat
    if (row.closing === true) fixed[flagsAt] = closingFlag
    fixed.writeUInt32LE(layout.fingerprint, 4)
    fixed.writeDoubleLE(row.eventTimestamp, 8)
    fixed.writeDoubleLE(row.createdTimestamp ?? Number.NEGATIVE_INFINITY, 16)
    fixed.writeDoubleLE(row.rowId ?? 0, 24)
    for (let index = 0; index < slots.length; index += 1) {
      const slot = slots[index]
      if (!slot) continue
      const value = row.values[index] ?? null
      if (value === null) {
        fixed[slot.nullByte] = (fixed[slot.nullByte] ?? 0) | slot.nullMask
        continue
      }
      const part = writeSlot(fixed, slot, value)
      if (part === null) continue
      fixed.writeUInt32LE(end, slot.offset)
      fixed.writeUInt32LE(part.length, slot.offset + 4)
      variable ??= []
      variable.push(part)
      end += part.length
    }
    return variable === null ? fixed : Buffer.concat([fixed, ...variable], end)
  }
}

/** Writes a fixed value and returns null, or returns the bytes of a variable part. */
function writeSlot(row: Buffer, slot: Slot, value: Value): Buffer | null {
  const element = elementType(slot.type)
  if (element !== null) return packList(element, value as readonly ScalarValue[])
  const type = slot.type as ScalarType
  if (isText(type)) return Buffer.from(String(value), 'utf8')
  if (type === 'bytes') return Buffer.from(value as Uint8Array)
  writeFixed(row, type, slot.offset, value as ScalarValue)
  return null
}

function isText(type: ValueType): boolean {
  return type === 'string' || type === 'uuid'
}

function writeFixed(row: Buffer, type: ScalarType, offset: number, value: ScalarValue): void {
  switch (type) {
    case 'int32':
      row.writeInt32LE(Number(value), offset)
      return
    case 'int64':
      writeInt64(row, value as number | string, offset)
      return
    case 'float32':
      row.writeFloatLE(Number(value), offset)
      return
    case 'float64':
    case 'timestamp':
      row.writeDoubleLE(Number(value), offset)
      return
    case 'bool':
      row[offset] = value ? 1 : 0
      return
    case 'string':
    case 'bytes':
    case 'uuid':
      throw new TypeError(`${type} has no fixed slot`)
    default:
      writeDecimal(row, value as number | string, decimalDigits(type), offset)
  }
}

/** The scaled integer; without a BigInt object where it has at most 15 digits. */
function writeDecimal(row: Buffer, value: number | string, digits: number, offset: number): void {
  if (typeof value === 'string') row.writeBigInt64LE(scaledOf(value, digits), offset)
  else writeInt64(row, Math.round(value * powerOfTen(digits)), offset)
}

/** Without a BigInt object for a safe integer. */
function writeInt64(row: Buffer, value: number | string, offset: number): void {
  if (typeof value === 'string') {
    row.writeBigInt64LE(BigInt(value), offset)
    return
  }
  const high = Math.floor(value / 4_294_967_296)
  row.writeInt32LE(high, offset + 4)
  row.writeUInt32LE(value - high * 4_294_967_296, offset)
}

/** Count, then the items: fixed ones one after the other, strings and bytes each with its length in front. */
function packList(element: PlainType, items: readonly ScalarValue[]): Buffer {
  const count = Buffer.alloc(4)
  count.writeUInt32LE(items.length)
  if (element === 'string' || element === 'bytes') {
    const parts = items.flatMap((item) => {
      const bytes = typeof item === 'string' ? Buffer.from(item, 'utf8') : Buffer.from(item as Uint8Array)
      const length = Buffer.alloc(4)
      length.writeUInt32LE(bytes.length)
      return [length, bytes]
    })
    return Buffer.concat([count, ...parts])
  }
  const size = slotBytes[element]
  const body = Buffer.alloc(items.length * size)
  items.forEach((item, index) => {
    writeFixed(body, element, index * size, item)
  })
  return Buffer.concat([count, body])
}

/** The value in a slot of a row that is at least `fixedEnd` long and whose null bit is not set. */
export function readSlot(row: Buffer, slot: Slot): Value {
  const element = elementType(slot.type)
  if (element === null && !isText(slot.type) && slot.type !== 'bytes') {
    return readFixed(row, slot.type as ScalarType, slot.offset)
  }
  const start = row.readUInt32LE(slot.offset)
  const end = start + row.readUInt32LE(slot.offset + 4)
  if (end > row.length) throw new RangeError('a packed row points behind its end')
  if (isText(slot.type)) return row.toString('utf8', start, end)
  if (element === null) return row.subarray(start, end)
  return readList(row.subarray(start, end), element)
}

function readFixed(row: Buffer, type: ScalarType, offset: number): ScalarValue {
  switch (type) {
    case 'int32':
      return row.readInt32LE(offset)
    case 'int64':
      return readInt64(row, offset)
    case 'float32':
      return row.readFloatLE(offset)
    case 'float64':
    case 'timestamp':
      return row.readDoubleLE(offset)
    case 'bool':
      return row[offset] === 1
    case 'string':
    case 'bytes':
    case 'uuid':
      throw new TypeError(`${type} has no fixed slot`)
    default:
      return readDecimal(row, offset, decimalDigits(type))
  }
}

/** Without a BigInt object while it has at most 15 digits. */
export function readDecimal(row: Buffer, offset: number, digits: number): number | string {
  const scaled = readInt64(row, offset)
  return decimalOf(typeof scaled === 'number' ? scaled : BigInt(scaled), digits)
}

/** A number while it is a safe integer, else the decimal string; without a BigInt object for the former. */
export function readInt64(row: Buffer, offset: number): number | string {
  const high = row.readInt32LE(offset + 4)
  const value = high * 4_294_967_296 + row.readUInt32LE(offset)
  return Number.isSafeInteger(value) ? value : row.readBigInt64LE(offset).toString()
}

function readList(part: Buffer, element: PlainType): ScalarValue[] {
  const count = part.readUInt32LE(0)
  // The least that an item takes; a bool read behind the end would be false, four thousand million times.
  const itemBytes = element === 'string' || element === 'bytes' ? 4 : slotBytes[element]
  if (4 + count * itemBytes > part.length)
    throw new RangeError('a packed list counts more items than it holds')
  const items: ScalarValue[] = []
  let offset = 4
  for (let index = 0; index < count; index += 1) {
    if (element === 'string' || element === 'bytes') {
      const end = offset + 4 + part.readUInt32LE(offset)
      if (end > part.length) throw new RangeError('a packed list points behind its end')
      items.push(
        element === 'string' ? part.toString('utf8', offset + 4, end) : part.subarray(offset + 4, end),
      )
      offset = end
    } else {
      items.push(readFixed(part, element, offset))
      offset += slotBytes[element]
    }
  }
  return items
}

/**
 * What stands for a deleted entity: newer than every row of an event up to `deletedAt`, whenever it was created, so that
 * compare-and-set keeps them out.
 */
export function packTombstone(deletedAt: Micros): Buffer {
  const row = Buffer.alloc(packedHeaderBytes)
  row[0] = packedFormat
  row[flagsAt] = tombstoneFlag
  row.writeDoubleLE(deletedAt, 8)
  row.writeDoubleLE(Number.POSITIVE_INFINITY, 16)
  return row
}

/** Of at least a header: its values count; a closing row or a tombstone; flags of a later version. */
export function packedRowKind(row: Buffer): 'ROW' | 'ABSENT' | 'UNKNOWN' {
  const flags = row.readUInt32LE(0) >>> 8
  if (flags === 0) return 'ROW'
  return flags === closingFlag || flags === tombstoneFlag ? 'ABSENT' : 'UNKNOWN'
}

/** Of no layout, where the fingerprint of a row stands: it holds whatever the view's definition is. */
export const tombstoneFingerprint = 0

/** A row's place in the total order; null when the bytes are no packed row of this format. */
export function readRowOrder(row: Buffer): readonly [event: number, created: number, rowId: number] | null {
  if (row.length < packedHeaderBytes || row[0] !== packedFormat) return null
  return [row.readDoubleLE(8), row.readDoubleLE(16), row.readDoubleLE(24)]
}

/** Above 0 when the left row is the newer one. */
export function compareRowOrder(left: readonly number[], right: readonly number[]): number {
  for (let index = 0; index < 3; index += 1) {
    const [a, b] = [left[index] ?? 0, right[index] ?? 0]
    if (a !== b) return a > b ? 1 : -1
  }
  return 0
}
