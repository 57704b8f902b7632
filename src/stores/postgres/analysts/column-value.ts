import {
  decimalDigits,
  elementType,
  isDecimal,
  type ScalarType,
  type ValueType,
} from '../../../definitions/value-type.ts'
import type { OfflineFeature, StoredOfflineView } from '../../offline-view.ts'
import { sqlType } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import type { FeatureTable } from '../tables/feature-table.ts'
import { writtenColumn } from '../tables/feature-table.ts'

/** Oids of Postgres' types, by the columns that a mapped source has. */
export type ColumnTypes = ReadonlyMap<string, number>

/** `timestamp`, `date` and their arrays: of UTC, whatever the time zone of who reads. */
const localTimes: readonly number[] = [1114, 1082, 1115, 1182]

/** As the smallest double that is no finite float32, and the largest that rounds to 0 (both halfway, to even). */
const [float32End, float32Zero] = ['3.4028235677973366e+38', '7.006492321624085e-46']
const int64 = ['-9223372036854775808', '9223372036854775807'] as const

/** A timestamp's instant, whatever type the column has. */
export function instant(column: string, type: number | undefined): string {
  return type !== undefined && localTimes.includes(type)
    ? `(${column}::timestamp at time zone 'UTC')`
    : `${column}::timestamptz`
}

/**
 * A feature of a row `x` as SQL of its own type, with the values that `fromSql` reads from what `selectFeature` answers: null
 * for NaN, infinities, and what is out of the type's range.
 */
export function featureValue(
  view: StoredOfflineView,
  table: FeatureTable,
  feature: OfflineFeature,
  types: ColumnTypes,
): string {
  const { type } = feature
  if (view.source !== null) {
    const stored = types.get(view.source.columns[feature.name] ?? feature.name)
    return mappedValue(type, `x.${table.column(feature.name)}`, stored)
  }
  const written = writtenColumn(feature)
  const columns = feature.columns.map(({ name }) => `x.${quoteIdentifier(name)}`)
  const [first = `x.${quoteIdentifier(written.name)}`] = columns
  const wider = columns.map((column) => `${column}::${sqlType(written.type)}`).join(', ')
  const value = columns.length > 1 ? `coalesce(${wider})` : first
  return written.type === type ? value : mappedValue(type, value, undefined)
}

function mappedValue(type: ValueType, column: string, stored: number | undefined): string {
  const element = elementType(type)
  if (element === null) return scalarValue(type as ScalarType, column, stored)
  const item = scalarValue(element, 'i.item', stored)
  // A list holds values only; one hole makes the whole list unknown.
  return [
    `case when ${column} is not null then (select case when count(v.item) = count(*)`,
    `then coalesce(array_agg(v.item order by v.place), '{}'::${sqlType(type)}) end`,
    `from (select ${item} as item, i.place from unnest(${column}) with ordinality as i(item, place)) as v) end`,
  ].join(' ')
}

function scalarValue(type: ScalarType, column: string, stored: number | undefined): string {
  const number = `${column}::double precision`
  if (isDecimal(type)) {
    const digits = decimalDigits(type)
    const decimal = `${column}::numeric`
    const scaled = `${decimal} * 1e${digits}::numeric between ${int64[0]} and ${int64[1]}`
    return `case when ${scaled} and ${decimal} = round(${decimal}, ${digits}) then ${decimal}::${sqlType(type)} end`
  }
  switch (type) {
    case 'timestamp': {
      const at = instant(column, stored)
      return `case when isfinite(${at}) then ${at} end`
    }
    case 'float64':
      return `case when abs(${number}) < 'infinity' then ${number} end`
    case 'float32':
      return `case when abs(${number}) <= ${float32Zero} then 0::real when abs(${number}) < ${float32End} then ${number}::real end`
    case 'int32':
      return `case when ${column} between -2147483648 and 2147483647 then ${column}::integer end`
    default:
      return `${column}::${sqlType(type)}`
  }
}
