import type { DuckDBConnection } from '@duckdb/node-api'
import type { ValueType } from '../../../definitions/value-type.ts'
import type { JoinedSpine } from '../../file-join.ts'
import { duckDb } from '../../join-sql/sql-dialect.ts'

const integers = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'UTINYINT', 'USMALLINT', 'UINTEGER']
const floats = ['FLOAT', 'DOUBLE']

/** How a column of a spine is taken without a look at each value, and what must hold of all of them (null: nothing). */
interface TakenColumn {
  readonly value: string
  readonly holds: string | null
}

/** The rows that are asked for, as they stand in the file; `place` counts from 0. */
export function spineRelation({ path, rows }: Pick<JoinedSpine, 'path' | 'rows'>): string {
  const literal = path.replace(/[*?[]/g, '[$&]').replaceAll("'", "''")
  const all = `read_parquet('${literal}', hive_partitioning = false, file_row_number = true)`
  const from = rows?.from ?? 0
  const some = rows === null ? '' : ` where file_row_number >= ${rows.from} and file_row_number < ${rows.to}`
  return `(select *, file_row_number - ${from} as "featuregraph place" from ${all}${some})`
}

/** Why a column needs to be read value by value. */
export interface UnfitColumn {
  readonly unfit: string
}

/** The columns of the table `spine`: `place`, `t` and `key_0` …, with conditions that every row must meet. */
export async function takeSpine(
  connection: DuckDBConnection,
  spine: JoinedSpine,
): Promise<{ readonly select: string; readonly conditions: readonly string[] } | UnfitColumn> {
  const reader = await connection.runAndReadAll(`describe select * from ${spineRelation(spine)}`)
  const types = new Map(reader.getRows().map(([name, type]) => [String(name), String(type)]))
  const conditions: string[] = []
  const take = (column: string, type: ValueType, isKey: boolean): string | UnfitColumn => {
    const stored = types.get(column) ?? ''
    const taken = takenColumn(duckDb.quoted(column), stored, { type, isKey, timezone: spine.timezone })
    if (taken === null) return { unfit: `column "${column}" is ${stored}` }
    if (taken.holds !== null) conditions.push(`(${duckDb.quoted(column)} is null or ${taken.holds})`)
    return taken.value
  }
  const time = take(spine.time, 'timestamp', false)
  const keys = spine.keys.map(({ column, type }) => take(column, type, true))
  const requests = spine.requests.map(({ column, type }) => take(column, type, false))
  const unfit = [time, ...keys, ...requests].find((one) => typeof one !== 'string')
  if (unfit !== undefined && typeof unfit !== 'string') return unfit
  const columns = keys.map((key, index) => `${key} as key_${index}`)
  return {
    select: `select "featuregraph place" as place, epoch_us(${time}) as t, ${columns.join(', ')} from ${spineRelation(spine)}`,
    conditions,
  }
}

interface Taking {
  readonly type: ValueType
  readonly isKey: boolean
  readonly timezone: string | null
}

/** Null: it has to be read value by value. What holds is what `acceptKeyValue` and `acceptValue` ask for. */
function takenColumn(column: string, stored: string, { type, isKey, timezone }: Taking): TakenColumn | null {
  const cast = `cast(${column} as ${duckDb.typeOf(type)})`
  switch (type) {
    case 'int32':
    case 'int64':
      if (!integers.includes(stored)) return null
      return { value: cast, holds: type === 'int64' ? null : `${column} between -2147483648 and 2147483647` }
    case 'string':
      if (stored !== 'VARCHAR') return null
      return {
        value: column,
        holds: `not contains(${column}, chr(0))${isKey ? ` and strlen(${column}) <= 1024` : ''}`,
      }
    case 'uuid':
      if (stored === 'UUID') return { value: cast, holds: null }
      return stored === 'VARCHAR'
        ? {
            value: `lower(${column})`,
            holds: `try_cast(${column} as UUID) is not null and strlen(${column}) = 36`,
          }
        : null
    case 'float64':
    case 'float32':
      if (![...integers, ...floats].includes(stored)) return null
      return {
        value: cast,
        holds: `isnan(try_cast(${column} as FLOAT)) or isfinite(try_cast(${column} as ${duckDb.typeOf(type)}))`,
      }
    case 'bool':
      return stored === 'BOOLEAN' ? { value: column, holds: null } : null
    case 'timestamp': {
      const known = 'between 0 - 8640000000000000 and 8640000000000000'
      if (stored === 'TIMESTAMP WITH TIME ZONE')
        return { value: column, holds: `epoch_us(${column}) ${known}` }
      const isUtc = timezone === 'UTC' && stored === 'TIMESTAMP'
      return isUtc ? { value: `cast(${column} as TIMESTAMPTZ)`, holds: `epoch_us(${column}) ${known}` } : null
    }
    default:
      return null
  }
}
