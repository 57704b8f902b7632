import type { AggregateName } from '../../definitions/aggregation.ts'
import { isDecimal, type ScalarType, type ValueType } from '../../definitions/value-type.ts'
import type { WindowedAggregation } from '../../definitions/windowed-aggregation.ts'
import { sumScale } from '../../windows/aggregates/sum.ts'
import { largestSquarable } from '../../windows/aggregates/variance.ts'
import { literalValue, type SqlDialect } from './sql-dialect.ts'

/** What a field of an event is called among the columns of a join, whatever these are called. */
export function fieldColumn(name: string): string {
  return `f_${name}`
}

/** One window's value over events that stand in a group: fields by `fieldColumn`, `counted`, `_topic`, `_partition`, `_offset`. */
interface WindowSql {
  readonly field: string
  readonly fieldType: ScalarType
  /** The call over those events of the group that are in the window and count; further conditions may be added. */
  readonly over: (call: string, ...more: readonly string[]) => string
  /** Of the feature, as the dialect calls it. */
  readonly type: string
  readonly dialect: SqlDialect
}

/**
 * The finished value of an aggregation (design 3.6): an integer sum that leaves 64 bits and a float that is not finite are null.
 * `inWindow`: a condition on the events of the group.
 */
export function windowValueSql(
  { aggregate, field, where }: WindowedAggregation,
  inWindow: string,
  type: ValueType,
  dialect: SqlDialect,
): string {
  const counted = [inWindow, ...where.map((one) => conditionSql(one.field, one.value, dialect))]
  const sql = {
    field: field === null ? '' : fieldColumn(field.name),
    fieldType: field?.type ?? ('int64' as const),
    over: (call: string, ...more: readonly string[]) =>
      `${call} filter (where ${[...counted, ...more].join(' and ')})`,
    type: dialect.typeOf(type),
    dialect,
  }
  return `cast(${field === null ? count(sql) : aggregates[aggregate](sql)} as ${sql.type})`
}

const aggregates: Readonly<Record<AggregateName, (sql: WindowSql) => string>> = {
  count,
  sum,
  mean: ({ field, fieldType, over, dialect }) =>
    isDecimal(fieldType)
      ? `cast(${over(`sum(${field})`)} as double) / ${over(`count(${field})`)}`
      : dialect.ifFinite(`((${over(`sum(${scaled(field)})`)}) / ${over(`count(${field})`)} / ${scale})`),
  min: ({ field, over }) => over(`min(${field})`),
  max: ({ field, over }) => over(`max(${field})`),
  variance: (sql) => spread(sql, 'var_samp'),
  stddev: (sql) => spread(sql, 'stddev_samp'),
  countDistinct: ({ field, over }) => over(`count(distinct ${field})`),
  first: (sql) => ordered(sql, 'first'),
  last: (sql) => ordered(sql, 'last'),
}

function count({ over }: Pick<WindowSql, 'over'>): string {
  return over('count(*)')
}

/** So that no sum leaves float64 on its way. */
const scale = `cast(${sumScale} as double)`
const scaled = (field: string): string => `cast(${field} as double) * ${scale}`

function sum({ field, fieldType, over, type, dialect }: WindowSql): string {
  if (fieldType === 'int32' || fieldType === 'int64') {
    const wide = dialect.name === 'spark' ? `cast(${field} as decimal(38, 0))` : field
    return dialect.tryCast(`coalesce(${over(`sum(${wide})`)}, 0)`, 'bigint')
  }
  if (isDecimal(fieldType)) return dialect.tryCast(`coalesce(${over(`sum(${field})`)}, 0)`, type)
  return dialect.ifFinite(`(coalesce(${over(`sum(${scaled(field)})`)}, 0) / ${scale})`)
}

/** Of equal values exactly 0, however large; of numbers whose squares leave float64 null. */
function spread({ field, over, dialect }: WindowSql, call: 'var_samp' | 'stddev_samp'): string {
  const number = `cast(${field} as double)`
  const tame = `abs(${number}) <= ${largestSquarable}`
  return [
    `case when ${over(`count(${field})`)} < 2 then null`,
    `when ${over(`min(${field})`)} = ${over(`max(${field})`)} then 0`,
    `when ${over(`count(${field})`, `not (${tame})`)} > 0 then null`,
    `else ${dialect.ifFinite(`(${over(`${call}(${number})`, tame)})`)} end`,
  ].join(' ')
}

function ordered({ field, over, dialect }: WindowSql, which: 'first' | 'last'): string {
  const present = `${field} is not null`
  const place = ['counted', '_topic', '_partition', '_offset']
  if (dialect.name === 'spark')
    return over(`${which === 'first' ? 'min_by' : 'max_by'}(${field}, struct(${place.join(', ')}))`, present)
  const direction = which === 'first' ? '' : ' desc'
  return over(`first(${field} order by ${place.map((one) => `${one}${direction}`).join(', ')})`, present)
}

function conditionSql(
  { name, type }: WindowedAggregation['where'][number]['field'],
  value: WindowedAggregation['where'][number]['value'],
  dialect: SqlDialect,
): string {
  const field = fieldColumn(name)
  if (value === null) return `${field} is null`
  if (type === 'timestamp') return `${dialect.microsOf(field)} = ${value}`
  if (typeof value === 'string') return `${field} = cast(${dialect.text(value)} as ${dialect.typeOf(type)})`
  if (typeof value === 'boolean' || typeof value === 'number')
    return `${field} = ${literalValue(value, dialect.typeOf(type), dialect)}`
  const hex = Buffer.from(value).toString('hex')
  return dialect.name === 'spark' ? `${field} = X'${hex}'` : `hex(${field}) = '${hex.toUpperCase()}'`
}
