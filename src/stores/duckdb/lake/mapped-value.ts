import { DuckDBBlobValue, DuckDBListValue } from '@duckdb/node-api'
import {
  decimalDigits,
  elementType,
  isDecimal,
  type PlainType,
  type ScalarType,
  type ValueType,
} from '../../../definitions/value-type.ts'
import { type ReadStoredValue, storedValueReader } from '../../stored-value.ts'
import { quoteText } from '../sql-text.ts'

/** A column of a file as it stands there. */
export interface StoredColumn {
  /** As SQL. */
  readonly column: string
  /** DuckDB's name of the type. */
  readonly stored: string
  readonly isInt96: boolean
  /** Of timestamps without a zone; null: there is none. */
  readonly timezone: string | null
}

/** How a value is read; or why it cannot be, without loss. */
export type MappedValue = { readonly expression: string } | { readonly needed: string }

const small = ['TINYINT', 'SMALLINT', 'INTEGER', 'UTINYINT', 'USMALLINT']
const integers = [...small, 'UINTEGER', 'BIGINT']
const numbers = [...integers, 'UBIGINT', 'HUGEINT', 'FLOAT', 'DOUBLE', 'DECIMAL']
const texts = ['VARCHAR', 'UUID', 'ENUM', 'JSON']
const instant = 'TIMESTAMP WITH TIME ZONE'
const localTimes = ['TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS', 'DATE']

interface PlainColumn {
  /** Types that convert without loss of meaning. */
  readonly mappable: readonly string[]
  /** The type that they are read as. */
  readonly readAs: string
}

const plain: Readonly<Record<PlainType, PlainColumn>> = {
  int32: { mappable: small, readAs: 'BIGINT' },
  int64: { mappable: integers, readAs: 'BIGINT' },
  float32: { mappable: numbers, readAs: 'DOUBLE' },
  float64: { mappable: numbers, readAs: 'DOUBLE' },
  string: { mappable: texts, readAs: 'VARCHAR' },
  uuid: { mappable: ['UUID', 'VARCHAR'], readAs: 'VARCHAR' },
  bool: { mappable: ['BOOLEAN'], readAs: 'BOOLEAN' },
  timestamp: { mappable: [instant, ...localTimes], readAs: 'BIGINT' },
  bytes: { mappable: ['BLOB'], readAs: 'BLOB' },
}

/** What a missing column is read as, so that files with and without it stand under each other. */
export function missingValue(type: ValueType): string {
  const element = elementType(type)
  return element === null
    ? `null::${isDecimal(type) ? 'VARCHAR' : plain[type as PlainType].readAs}`
    : `null::${plain[element].readAs}[]`
}

/** A value as `fromDuckDb` reads it: of one type, whatever the files have. */
export function mappedValue(type: ValueType, from: StoredColumn): MappedValue {
  // What tools write for a column of nulls alone.
  if (from.stored === '"NULL"') return { expression: missingValue(type) }
  const element = elementType(type)
  if (element === null) return mappedScalar(type as ScalarType, from)
  const item = /^(.*)\[\d*\]$/.exec(from.stored)?.[1]
  if (item === undefined) return { needed: `a list of ${plain[element].mappable.join(', ')}` }
  const { column } = from
  if (item === '"NULL"') return { expression: `${column}::${plain[element].readAs}[]` }
  const inner = mappedScalar(element, { ...from, column: 'item', stored: item })
  if ('needed' in inner) return inner
  return { expression: `list_transform(${column}, item -> ${inner.expression})` }
}

function mappedScalar(type: ScalarType, from: StoredColumn): MappedValue {
  const { column, stored } = from
  const bare = bareType(stored)
  if (isDecimal(type)) return mappedDecimal(decimalDigits(type), column, stored)
  const { mappable, readAs } = plain[type]
  if (!mappable.includes(bare)) return { needed: `one of ${mappable.join(', ')}` }
  if (type !== 'timestamp') return { expression: `${column}::${readAs}` }
  const time = mappedTime(from)
  if ('needed' in time) return time
  return { expression: `case when isfinite(${time.expression}) then epoch_us(${time.expression}) end` }
}

/** A column as an instant: the column itself where it is one, so that DuckDB can pass over what its statistics rule out. */
export function mappedTime({ column, stored, isInt96, timezone }: StoredColumn): MappedValue {
  if (stored === '"NULL"') return { expression: `null::${instant}` }
  if (stored === instant) return { expression: column }
  if (!localTimes.includes(stored)) return { needed: `${instant}, or a timestamp without a zone` }
  if (isInt96) return { expression: `timezone('UTC', ${column}::TIMESTAMP)` }
  if (timezone === null)
    return { needed: `${instant}; timestamps without a zone need the source's option timezone` }
  return { expression: `timezone(${quoteText(timezone)}, ${column}::TIMESTAMP)` }
}

function mappedDecimal(digits: number, column: string, stored: string): MappedValue {
  const scale = /^DECIMAL\(\d+,(\d+)\)$/.exec(stored)?.[1]
  if (!integers.includes(stored) && scale === undefined)
    return { needed: `one of ${integers.join(', ')}, DECIMAL with at most ${digits} digits behind the point` }
  if (scale !== undefined && Number(scale) > digits)
    return { needed: `at most ${digits} digits behind the point; declare more digits` }
  return { expression: `${column}::VARCHAR` }
}

/** `DECIMAL(10,2)` → `DECIMAL`, `ENUM('a', 'b')` → `ENUM`. */
function bareType(stored: string): string {
  return stored.replace(/\(.*\)$/s, '')
}

/** Of what DuckDB answered for `mappedValue`. */
export const fromDuckDb: ReadStoredValue = storedValueReader({
  itemsOf: (raw) => (raw instanceof DuckDBListValue ? raw.items : null),
  bytesOf: (raw) => (raw instanceof DuckDBBlobValue ? Buffer.from(raw.bytes) : null),
})
