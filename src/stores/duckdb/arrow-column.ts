import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DECIMAL,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  type DuckDBType,
  type DuckDBValue,
  FLOAT,
  INTEGER,
  LIST,
  SMALLINT,
  TIME,
  TIMESTAMP,
  TIMESTAMP_NS,
  TIMESTAMPTZ,
  TINYINT,
  UBIGINT,
  UINTEGER,
  USMALLINT,
  UTINYINT,
  VARCHAR,
} from '@duckdb/node-api'
import { type Data, DataType, DateUnit, TimeUnit, Vector } from 'apache-arrow'

/** How a column of an Arrow file stands in DuckDB. */
export interface ArrowColumn {
  readonly type: DuckDBType
  /** The value of a row that is not null. */
  readonly valuesOf: (data: Data) => (index: number) => DuckDBValue
}

type Values = ArrayLike<number | bigint>

/** Null for a type that has no place in a spine or a table: structs, maps, unions, durations, intervals. */
export function arrowColumn(type: DataType): ArrowColumn | null {
  if (DataType.isNull(type)) return { type: VARCHAR, valuesOf: () => () => null }
  if (DataType.isBool(type)) return { type: BOOLEAN, valuesOf: decoded }
  if (DataType.isInt(type)) {
    const names = type.isSigned ? signed : unsigned
    return { type: names[type.bitWidth], valuesOf: asStored }
  }
  if (DataType.isFloat(type))
    return type.precision === 0
      ? { type: FLOAT, valuesOf: decoded }
      : { type: type.precision === 1 ? FLOAT : DOUBLE, valuesOf: asStored }
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isUtf8View(type))
    return { type: VARCHAR, valuesOf: decoded }
  if (isBytes(type)) {
    const valuesOf: ArrowColumn['valuesOf'] = (data) => {
      const value = decoded(data)
      return (index) => new DuckDBBlobValue(value(index) as unknown as Uint8Array)
    }
    return { type: BLOB, valuesOf }
  }
  if (DataType.isDictionary(type)) return dictionaryColumn(type.dictionary)
  if (DataType.isDecimal(type)) return decimalColumn(type.scale, type.precision, type.bitWidth)
  if (DataType.isDate(type)) {
    const perDay = type.unit === DateUnit.DAY ? 1 : 86_400_000
    return numbered(DATE, (value) => new DuckDBDateValue(Math.floor(Number(value) / perDay)))
  }
  if (DataType.isTime(type)) {
    const micros = microsOf(type.unit)
    return numbered(TIME, (value) => new DuckDBTimeValue(micros(BigInt(value))))
  }
  if (DataType.isTimestamp(type)) return timestampColumn(type.unit, type.timezone ?? null)
  if (DataType.isList(type) || DataType.isLargeList(type) || DataType.isFixedSizeList(type)) {
    const [field] = type.children
    const item = field === undefined ? null : arrowColumn(field.type)
    return item && { type: LIST(item.type), valuesOf: listOf(item) }
  }
  return null
}

const signed = { 8: TINYINT, 16: SMALLINT, 32: INTEGER, 64: BIGINT }
const unsigned = { 8: UTINYINT, 16: USMALLINT, 32: UINTEGER, 64: UBIGINT }

function isBytes(type: DataType): boolean {
  return (
    DataType.isBinary(type) ||
    DataType.isLargeBinary(type) ||
    DataType.isBinaryView(type) ||
    DataType.isFixedSizeBinary(type)
  )
}

/** Numbers as they stand. */
function asStored(data: Data): (index: number) => DuckDBValue {
  const values = data.values as Values
  return (index) => values[index] ?? null
}

/** By the package's own accessors, which lose nothing of texts, bytes and bools. */
function decoded(data: Data): (index: number) => DuckDBValue {
  const vector = new Vector([data])
  return (index) => vector.get(index) as DuckDBValue
}

function numbered(type: DuckDBType, value: (stored: number | bigint) => DuckDBValue): ArrowColumn {
  return {
    type,
    valuesOf: (data) => {
      const values = data.values as Values
      return (index) => value(values[index] ?? 0)
    },
  }
}

/** Categories of pandas: of what the package decodes as it stands. */
function dictionaryColumn(type: DataType): ArrowColumn | null {
  const isPlain =
    DataType.isUtf8(type) ||
    DataType.isLargeUtf8(type) ||
    DataType.isUtf8View(type) ||
    DataType.isInt(type) ||
    DataType.isFloat(type) ||
    DataType.isBool(type)
  const column = isPlain ? arrowColumn(type) : null
  return column && { type: column.type, valuesOf: decoded }
}

/** DuckDB's are of 128 bits and 38 digits too. */
function decimalColumn(scale: number, precision: number, bitWidth: number): ArrowColumn | null {
  if (bitWidth !== 128 || scale < 0 || scale > precision || precision > 38) return null
  return {
    type: DECIMAL(precision, scale),
    valuesOf: ({ values }) => {
      const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
      return (index) => {
        const high = bytes.readBigInt64LE(index * 16 + 8)
        return new DuckDBDecimalValue((high << 64n) | bytes.readBigUInt64LE(index * 16), precision, scale)
      }
    },
  }
}

/** With a zone an instant, in microseconds; without one a local time, whose nanoseconds stay. */
function timestampColumn(unit: TimeUnit, timezone: string | null): ArrowColumn {
  const micros = microsOf(unit)
  if (timezone !== null && timezone !== '')
    return numbered(TIMESTAMPTZ, (value) => new DuckDBTimestampTZValue(micros(BigInt(value))))
  if (unit === TimeUnit.NANOSECOND)
    return numbered(TIMESTAMP_NS, (value) => new DuckDBTimestampNanosecondsValue(BigInt(value)))
  return numbered(TIMESTAMP, (value) => new DuckDBTimestampValue(micros(BigInt(value))))
}

/** Below a microsecond it is cut off, towards the past. */
function microsOf(unit: TimeUnit): (value: bigint) => bigint {
  switch (unit) {
    case TimeUnit.SECOND:
      return (value) => value * 1_000_000n
    case TimeUnit.MILLISECOND:
      return (value) => value * 1_000n
    case TimeUnit.MICROSECOND:
      return (value) => value
    case TimeUnit.NANOSECOND:
      return (value) => (value - (((value % 1_000n) + 1_000n) % 1_000n)) / 1_000n
  }
}

function listOf(item: ArrowColumn): ArrowColumn['valuesOf'] {
  return (data) => {
    const [child] = data.children
    if (!child) return () => new DuckDBListValue([])
    const valueAt = item.valuesOf(child)
    const offsets = data.valueOffsets as Values | undefined
    const { stride } = data
    return (index) => {
      const start = Number(offsets?.[index] ?? index * stride)
      const end = Number(offsets?.[index + 1] ?? start + stride)
      const items: DuckDBValue[] = []
      for (let at = start; at < end; at += 1) items.push(child.getValid(at) ? valueAt(at) : null)
      return new DuckDBListValue(items)
    }
  }
}
