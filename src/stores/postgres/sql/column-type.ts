import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { ScalarValue, Value } from '../../../definitions/value.ts'
import {
  decimalDigits,
  elementType,
  isDecimal,
  type PlainType,
  type ScalarType,
  type ValueType,
} from '../../../definitions/value-type.ts'
import { type ReadStoredValue, storedValueReader } from '../../stored-value.ts'

interface ScalarColumn {
  /** The type of a managed table's column, as `format_type` prints it. */
  readonly sqlType: string
  /** Types of a mapped column that convert without loss of meaning. */
  readonly mappable: readonly string[]
}

const integers = ['smallint', 'integer']
const numbers = [...integers, 'bigint', 'real', 'double precision', 'numeric']
const texts = ['text', 'character varying', 'character', 'uuid', 'name', 'citext']
const times = ['timestamp with time zone', 'timestamp without time zone', 'date']

const scalars: Readonly<Record<PlainType, ScalarColumn>> = {
  int32: { sqlType: 'integer', mappable: integers },
  int64: { sqlType: 'bigint', mappable: [...integers, 'bigint'] },
  float32: { sqlType: 'real', mappable: numbers },
  float64: { sqlType: 'double precision', mappable: numbers },
  string: { sqlType: 'text', mappable: texts },
  bool: { sqlType: 'boolean', mappable: ['boolean'] },
  timestamp: { sqlType: 'timestamp with time zone', mappable: times },
  bytes: { sqlType: 'bytea', mappable: ['bytea'] },
  uuid: { sqlType: 'uuid', mappable: ['uuid'] },
}

/** 19 digits hold 64 bits; the digits behind the point stand in the type, so that a table of other ones is found out. */
function scalarColumn(type: ScalarType): ScalarColumn {
  if (!isDecimal(type)) return scalars[type]
  return { sqlType: `numeric(19,${decimalDigits(type)})`, mappable: [...integers, 'bigint', 'numeric'] }
}

export function sqlType(type: ValueType): string {
  const element = elementType(type)
  return element === null ? scalarColumn(type as ScalarType).sqlType : `${scalars[element].sqlType}[]`
}

/** Column types, without length or precision, that a mapped feature of this type may have. */
export function mappableTypes(type: ValueType): readonly string[] {
  const element = elementType(type)
  return element === null
    ? scalarColumn(type as ScalarType).mappable
    : scalars[element].mappable.map((name) => `${name}[]`)
}

/**
 * Whole microseconds since the epoch of a timestamptz expression; exact, since extract answers numeric. Null for the
 * infinite ones that a mapped table may hold.
 */
export function microsOf(expression: string): string {
  return `case when isfinite(${expression}) then (extract(epoch from ${expression}) * 1000000)::bigint end`
}

/** A column's value as an expression whose result `fromSql` reads. */
export function selectExpression(type: ValueType, column: string): string {
  // As text: a mapped column may hold more digits, or NaN.
  if (isDecimal(type)) return `${column}::numeric::text`
  if (type === 'timestamp') return microsOf(`${column}::timestamptz`)
  if (type === 'timestamp[]') {
    const micros = microsOf('item.value::timestamptz')
    return `case when ${column} is not null then array(select ${micros} from unnest(${column}) with ordinality as item(value, place) order by place) end`
  }
  return `${column}::${readType(type)}`
}

/** The type that a value of `selectExpression` has in Postgres. */
export function selectedType(type: ValueType): ValueType {
  if (type === 'timestamp') return 'int64'
  if (type === 'timestamp[]') return 'int64[]'
  if (type === 'float32') return 'float64'
  if (isDecimal(type)) return 'string'
  return type === 'float32[]' ? 'float64[]' : type
}

/** float32 is read as float64 and rounded here: Postgres refuses the whole statement for one value out of range. */
function readType(type: ValueType): string {
  if (type === 'float32') return sqlType('float64')
  return sqlType(type === 'float32[]' ? 'float64[]' : type)
}

/** Of what the driver answered for `selectExpression`. */
export const fromSql: ReadStoredValue = storedValueReader({
  itemsOf: (raw) => raw as readonly unknown[],
  bytesOf: (raw) => raw as Buffer,
})

/** How a column's values travel as one array parameter, and the expression that makes the column's value of an item. */
interface ArrayParameter {
  readonly arrayType: string
  readonly encode: (value: Value) => string | number | boolean
  readonly expression: (item: string) => string
}

/** Lists and bytes travel as text, since `unnest` would flatten nested arrays. */
export function arrayParameter(type: ValueType): ArrayParameter {
  const element = elementType(type)
  if (element !== null) {
    return {
      arrayType: 'text[]',
      encode: listLiteral(element),
      expression: (item) => `${item}::${sqlType(type)}`,
    }
  }
  const encode = scalarEncoder(type as ScalarType)
  return type === 'bytes'
    ? { arrayType: 'text[]', encode, expression: (item) => `${item}::bytea` }
    : { arrayType: `${sqlType(type)}[]`, encode, expression: (item) => item }
}

function scalarEncoder(type: ScalarType): (value: Value) => string | number | boolean {
  if (type === 'timestamp') return (value) => formatTimestamp(Number(value))
  if (type === 'bytes') return (value) => `\\x${Buffer.from(value as Uint8Array).toString('hex')}`
  return (value) => value as string | number | boolean
}

/** A Postgres array literal; every item quoted, as its manual's section on arrays allows for all types. */
function listLiteral(element: ScalarType): (value: Value) => string {
  const encode = scalarEncoder(element)
  return (value) => {
    const items = (value as readonly ScalarValue[]).map(
      (item) => `"${String(encode(item)).replace(/["\\]/g, (character) => `\\${character}`)}"`,
    )
    return `{${items.join(',')}}`
  }
}
