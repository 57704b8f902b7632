import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
} from '@duckdb/node-api'
import {
  Binary,
  Bool,
  type Data,
  type DataType,
  DateDay,
  Decimal,
  Field,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  List,
  makeData,
  Struct,
  TimeMicrosecond,
  TimestampMicrosecond,
  TimestampMillisecond,
  TimestampNanosecond,
  TimestampSecond,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
} from 'apache-arrow'

type Values = readonly (DuckDBValue | undefined)[]

/** How values of a type of DuckDB's are written. */
export interface WrittenColumn {
  readonly type: DataType
  /** Of as many rows as there are values. */
  readonly data: (values: Values) => Data
}

type TypedArray =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array

/** A type that Arrow has no counterpart of is written as its text. */
export function writtenColumn(type: DuckDBType): WrittenColumn {
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return { type: new Bool(), data: bools }
    case DuckDBTypeId.TINYINT:
      return numbers(new Int8(), Int8Array, asIs)
    case DuckDBTypeId.SMALLINT:
      return numbers(new Int16(), Int16Array, asIs)
    case DuckDBTypeId.INTEGER:
      return numbers(new Int32(), Int32Array, asIs)
    case DuckDBTypeId.BIGINT:
      return numbers(new Int64(), BigInt64Array, asIs)
    case DuckDBTypeId.UTINYINT:
      return numbers(new Uint8(), Uint8Array, asIs)
    case DuckDBTypeId.USMALLINT:
      return numbers(new Uint16(), Uint16Array, asIs)
    case DuckDBTypeId.UINTEGER:
      return numbers(new Uint32(), Uint32Array, asIs)
    case DuckDBTypeId.UBIGINT:
      return numbers(new Uint64(), BigUint64Array, asIs)
    case DuckDBTypeId.FLOAT:
      return numbers(new Float32(), Float32Array, asIs)
    case DuckDBTypeId.DOUBLE:
      return numbers(new Float64(), Float64Array, asIs)
    case DuckDBTypeId.DATE:
      return numbers(new DateDay(), Int32Array, (value) =>
        value instanceof DuckDBDateValue ? value.days : 0,
      )
    case DuckDBTypeId.TIME:
      return numbers(new TimeMicrosecond(), BigInt64Array, (value) =>
        value instanceof DuckDBTimeValue ? value.micros : 0n,
      )
    case DuckDBTypeId.TIMESTAMP:
      return numbers(new TimestampMicrosecond(), BigInt64Array, timeOf)
    case DuckDBTypeId.TIMESTAMP_S:
      return numbers(new TimestampSecond(), BigInt64Array, timeOf)
    case DuckDBTypeId.TIMESTAMP_MS:
      return numbers(new TimestampMillisecond(), BigInt64Array, timeOf)
    case DuckDBTypeId.TIMESTAMP_NS:
      return numbers(new TimestampNanosecond(), BigInt64Array, timeOf)
    case DuckDBTypeId.TIMESTAMP_TZ:
      return numbers(new TimestampMicrosecond('UTC'), BigInt64Array, timeOf)
    case DuckDBTypeId.DECIMAL:
      return decimals(type.scale, type.width)
    case DuckDBTypeId.BLOB:
      return { type: new Binary(), data: blobs }
    case DuckDBTypeId.LIST:
      return lists(writtenColumn(type.valueType))
    case DuckDBTypeId.STRUCT:
      return structs(type.entryNames, type.entryTypes.map(writtenColumn))
    default:
      return { type: new Utf8(), data: texts }
  }
}

function asIs(value: DuckDBValue): number | bigint {
  return value as number | bigint
}

function timeOf(value: DuckDBValue): bigint {
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue) return value.micros
  if (value instanceof DuckDBTimestampSecondsValue) return value.seconds
  if (value instanceof DuckDBTimestampMillisecondsValue) return value.millis
  return value instanceof DuckDBTimestampNanosecondsValue ? value.nanos : 0n
}

interface Validity {
  readonly length: number
  readonly nullCount: number
  readonly nullBitmap: Uint8Array
}

function validity(values: Values): Validity {
  const nullBitmap = new Uint8Array((values.length + 7) >> 3)
  let nullCount = 0
  values.forEach((value, index) => {
    if (value === null || value === undefined) nullCount += 1
    else nullBitmap[index >> 3] = (nullBitmap[index >> 3] ?? 0) | (1 << (index & 7))
  })
  return { length: values.length, nullCount, nullBitmap }
}

function numbers<Type extends DataType>(
  type: Type,
  ArrayOf: new (length: number) => TypedArray,
  numberOf: (value: DuckDBValue) => number | bigint,
): WrittenColumn {
  return {
    type,
    data(values) {
      const data = new ArrayOf(values.length) as { [index: number]: number | bigint } & TypedArray
      values.forEach((value, index) => {
        if (value !== null && value !== undefined) data[index] = numberOf(value)
      })
      return makeData({ type, ...validity(values), data } as unknown as Parameters<typeof makeData>[0])
    },
  }
}

function bools(values: Values): Data {
  const data = new Uint8Array((values.length + 7) >> 3)
  values.forEach((value, index) => {
    if (value === true) data[index >> 3] = (data[index >> 3] ?? 0) | (1 << (index & 7))
  })
  return makeData({ type: new Bool(), ...validity(values), data })
}

function decimals(scale: number, width: number): WrittenColumn {
  const type = new Decimal(scale, width, 128)
  return {
    type,
    data(values) {
      const scaled = Buffer.alloc(values.length * 16)
      values.forEach((value, index) => {
        if (!(value instanceof DuckDBDecimalValue)) return
        scaled.writeBigUInt64LE(BigInt.asUintN(64, value.value), index * 16)
        scaled.writeBigInt64LE(BigInt.asIntN(64, value.value >> 64n), index * 16 + 8)
      })
      const data = new Uint32Array(scaled.buffer, scaled.byteOffset, values.length * 4)
      return makeData({ type, ...validity(values), data })
    },
  }
}

/** All texts are encoded at once, which takes a third of the time. */
function texts(values: Values): Data {
  const strings = values.map((value) => (value === null || value === undefined ? '' : String(value)))
  const data = Buffer.from(strings.join(''))
  const isAscii = data.length === strings.reduce((length, text) => length + text.length, 0)
  const valueOffsets = offsetsOf(strings, (text) => (isAscii ? text.length : Buffer.byteLength(text)))
  return makeData({ type: new Utf8(), ...validity(values), valueOffsets, data })
}

function blobs(values: Values): Data {
  const pieces = values.map((value) => (value instanceof DuckDBBlobValue ? value.bytes : new Uint8Array(0)))
  const valueOffsets = offsetsOf(pieces, (piece) => piece.length)
  return makeData({ type: new Binary(), ...validity(values), valueOffsets, data: Buffer.concat(pieces) })
}

/** Where each begins, and where the last ends. */
function offsetsOf<Item>(items: readonly Item[], sizeOf: (item: Item) => number): Int32Array {
  const offsets = new Int32Array(items.length + 1)
  let end = 0
  items.forEach((item, index) => {
    end += sizeOf(item)
    offsets[index + 1] = end
  })
  return offsets
}

function lists(item: WrittenColumn): WrittenColumn {
  const type = new List(new Field('item', item.type, true))
  return {
    type,
    data(values) {
      const items: DuckDBValue[] = []
      const valueOffsets = new Int32Array(values.length + 1)
      values.forEach((value, index) => {
        if (value instanceof DuckDBListValue) for (const one of value.items) items.push(one)
        valueOffsets[index + 1] = items.length
      })
      return makeData({ type, ...validity(values), valueOffsets, child: item.data(items) })
    },
  }
}

function structs(names: readonly string[], columns: readonly WrittenColumn[]): WrittenColumn {
  const type = new Struct(columns.map((column, index) => new Field(names[index] ?? '', column.type, true)))
  return {
    type,
    data(values) {
      const children = columns.map((column, place) =>
        column.data(
          values.map((value) =>
            value instanceof DuckDBStructValue ? (value.entries[names[place] ?? ''] ?? null) : null,
          ),
        ),
      )
      return makeData({ type, ...validity(values), children })
    },
  }
}
