import type { DuckDBValue } from '@duckdb/node-api'
import {
  DuckDBBlobValue,
  DuckDBListValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
} from '@duckdb/node-api'
import {
  elementType,
  isDecimal,
  type PlainType,
  type ScalarType,
  type ValueType,
} from '../../definitions/value-type.ts'
import type { TimeColumn } from '../file-reader.ts'

/** How a column of a Parquet file is read as the wanted type. */
export interface ParquetColumn {
  /** Of the select list. */
  readonly expression: string
  /** A value of the result as the port hands it on. */
  readonly value: (value: DuckDBValue) => unknown
}

const integers = ['TINYINT', 'SMALLINT', 'INTEGER', 'UTINYINT', 'USMALLINT', 'UINTEGER']
const largeIntegers = ['UBIGINT', 'HUGEINT', 'UHUGEINT']
const floats = ['FLOAT', 'DOUBLE']
const texts = ['VARCHAR', 'UUID', 'ENUM', 'JSON']
const localTimes = ['TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS']
const times = [...localTimes, 'TIMESTAMP WITH TIME ZONE']

const numbers = [...integers, ...largeIntegers, 'BIGINT', ...floats, 'DECIMAL']

/** Text too: it is read exactly. */
const decimals = [...numbers, 'VARCHAR']

const readable: Readonly<Record<PlainType, readonly string[]>> = {
  int32: numbers,
  int64: numbers,
  float32: numbers,
  float64: numbers,
  string: texts,
  bool: ['BOOLEAN', ...numbers],
  timestamp: [...times, 'DATE', ...numbers, ...texts],
  bytes: ['BLOB'],
  uuid: texts,
}

/** What a value that is no finite instant becomes: beyond every timestamp. */
const noInstant = '9223372036854775807'

/** Null where the column's type (as `describe` prints it) cannot become the wanted one; `type` null: text of any scalar. */
export function parquetColumn(name: string, stored: string, type: ValueType | null): ParquetColumn | null {
  const column = `"${name.replaceAll('"', '""')}"`
  if (stored === '"NULL"') return { expression: `null::VARCHAR`, value: () => null }
  if (type === null) {
    const isScalar = [...numbers, ...texts, ...times, 'BOOLEAN', 'DATE'].includes(bareType(stored))
    return isScalar ? { expression: `${column}::VARCHAR`, value: asIs } : null
  }
  const element = elementType(type)
  if (element === null) return scalarColumn(column, bareType(stored), type as ScalarType)
  const list = /^(.*)\[\d*\]$/.exec(stored)?.[1]
  if (list === undefined || !readable[element].includes(bareType(list))) return null
  const expression = list === 'BIGINT' ? column : `${column}::${listItem(element, bareType(list))}[]`
  return { expression, value: listValue }
}

/**
 * How a column is read that cannot become the wanted type, if it holds nothing, as the columns and lists that tools write of
 * nulls alone: null, and lists as empty as they are. `something`: a condition of the rows that hold anything.
 */
export function emptyColumn(
  name: string,
  stored: string,
  type: ValueType | null,
): ParquetColumn & { readonly something: string } {
  const column = `"${name.replaceAll('"', '""')}"`
  if (!/\[\d*\]$/.test(stored))
    return { expression: 'null::VARCHAR', value: () => null, something: `${column} is not null` }
  const something = `list_aggregate(${column}, 'count') > 0`
  const isList = type !== null && elementType(type) !== null
  return isList
    ? { expression: `${column}::VARCHAR[]`, value: listValue, something }
    : { expression: 'null::VARCHAR', value: () => null, something }
}

/** Null where the column cannot be read as timestamps. */
export function timeColumn(stored: string): TimeColumn | null {
  const bare = bareType(stored.replace(/\[\d*\]$/, ''))
  if (localTimes.includes(bare)) return 'LOCAL'
  if (bare === 'TIMESTAMP WITH TIME ZONE') return 'INSTANT'
  return bare === 'DATE' ? 'DATE' : numbers.includes(bare) ? 'NUMBER' : null
}

function scalarColumn(column: string, stored: string, type: ScalarType): ParquetColumn | null {
  if (!(isDecimal(type) ? decimals : readable[type]).includes(stored)) return null
  const as = (sqlType: string): ParquetColumn => ({ expression: `${column}::${sqlType}`, value: asIs })
  switch (type) {
    case 'int32':
    case 'int64':
      // A double takes half the time of a bigint, and has every one of these exactly.
      if (integers.includes(stored) || floats.includes(stored)) return as('DOUBLE')
      return stored === 'BIGINT' ? { expression: column, value: asIs } : as('VARCHAR')
    case 'float32':
    case 'float64':
      return as('DOUBLE')
    case 'string':
      return as('VARCHAR')
    case 'timestamp': {
      if (stored === 'BIGINT') return { expression: column, value: asIs }
      if (integers.includes(stored) || floats.includes(stored)) return as('DOUBLE')
      if (texts.includes(stored) || numbers.includes(stored)) return as('VARCHAR')
      const time = stored === 'TIMESTAMP WITH TIME ZONE' ? column : `${column}::TIMESTAMP`
      const expression = `case when ${column} is null then null when isfinite(${time}) then epoch_us(${time}) else ${noInstant} end`
      return { expression, value: asNumber }
    }
    case 'bool':
      return stored === 'BOOLEAN' ? { expression: column, value: asIs } : as('DOUBLE')
    case 'bytes':
      return { expression: column, value: asBytes }
    case 'uuid':
      return as('VARCHAR')
    // Exact: of a float the shortest text.
    default:
      return as('VARCHAR')
  }
}

function listItem(element: PlainType, stored: string): string {
  if (element === 'timestamp' && (times.includes(stored) || stored === 'DATE'))
    return stored === 'TIMESTAMP WITH TIME ZONE' ? stored : 'TIMESTAMP'
  if (stored === 'BOOLEAN') return 'BOOLEAN'
  if (largeIntegers.includes(stored) || texts.includes(stored)) return 'VARCHAR'
  return element === 'bytes' ? 'BLOB' : 'DOUBLE'
}

/** `DECIMAL(10,2)` → `DECIMAL`, `ENUM('a', 'b')` → `ENUM`. */
function bareType(stored: string): string {
  return stored.replace(/\(.*\)$/s, '')
}

function asIs(value: DuckDBValue): unknown {
  return value
}

function asNumber(value: DuckDBValue): unknown {
  return value === null ? null : Number(value)
}

function asBytes(value: DuckDBValue): unknown {
  return value instanceof DuckDBBlobValue ? value.bytes : value
}

function listValue(value: DuckDBValue): unknown {
  if (!(value instanceof DuckDBListValue)) return null
  return value.items.map((item) => {
    if (item instanceof DuckDBTimestampValue || item instanceof DuckDBTimestampTZValue)
      return Number(item.micros)
    return asBytes(item)
  })
}
