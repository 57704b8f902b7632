import { quoteIdentifier } from '../sql/identifier.ts'

/** How a column of a query leaves Postgres as text of CSV, and what DuckDB makes of that. */
export interface SpineColumn {
  readonly name: string
  /** In the query `q`. */
  readonly sent: string
  /** Of the text `column`. */
  readonly read: (column: string) => string
}

interface Field {
  readonly name: string
  readonly dataTypeID: number
  readonly dataTypeModifier: number
}

/** By the oid of a type in Postgres; of arrays by that of their items. */
const plain: Readonly<Record<number, string>> = {
  16: 'BOOLEAN',
  ...{ 20: 'BIGINT', 21: 'SMALLINT', 23: 'INTEGER', 26: 'UINTEGER' },
  ...{ 700: 'FLOAT', 701: 'DOUBLE' },
  ...{ 1082: 'DATE', 1083: 'TIME', 1114: 'TIMESTAMP', 1184: 'TIMESTAMPTZ' },
}
const arrays: Readonly<Record<number, string>> = {
  1000: 'BOOLEAN',
  ...{ 1005: 'SMALLINT', 1007: 'INTEGER', 1016: 'BIGINT' },
  ...{ 1021: 'FLOAT', 1022: 'DOUBLE' },
  ...{ 1009: 'VARCHAR', 1015: 'VARCHAR', 1014: 'VARCHAR', 2951: 'VARCHAR' },
}
const [bytea, numeric] = [17, 1700]

/** Numbers with digits in their type stay decimals, others become doubles; what has no counterpart comes as its text. */
export function spineColumn({ name, dataTypeID, dataTypeModifier }: Field): SpineColumn {
  const column = `q.${quoteIdentifier(name)}`
  const item = arrays[dataTypeID]
  if (item !== undefined)
    return { name, sent: `to_json(${column})`, read: (text) => `cast(${text}::JSON as ${item}[])` }
  if (dataTypeID === bytea)
    return { name, sent: `encode(${column}, 'hex')`, read: (text) => `unhex(${text})` }
  if (dataTypeID === numeric) {
    const { width, scale } = digitsOf(dataTypeModifier)
    const isDecimal = width > 0 && width <= 38 && scale >= 0 && scale <= width
    const type = isDecimal ? `DECIMAL(${width}, ${scale})` : 'DOUBLE'
    return { name, sent: isDecimal ? `nullif(${column}, 'NaN')` : column, read: (text) => `${text}::${type}` }
  }
  const type = plain[dataTypeID] ?? 'VARCHAR'
  return { name, sent: column, read: (text) => (type === 'VARCHAR' ? text : `${text}::${type}`) }
}

/** Of `numeric(width, scale)`, as Postgres packs them; 0 where the type says nothing. */
function digitsOf(modifier: number): { readonly width: number; readonly scale: number } {
  if (modifier < 4) return { width: 0, scale: 0 }
  const scale = (modifier - 4) & 0x7ff
  return { width: ((modifier - 4) >> 16) & 0xffff, scale: scale > 1_000 ? scale - 2_048 : scale }
}
