import { isDecimal } from '../../../definitions/value-type.ts'
import type { WindowedAggregation } from '../../../definitions/windowed-aggregation.ts'
import { smallestScaled, sumScale } from '../../../windows/aggregates/sum.ts'
import { largestSquarable } from '../../../windows/aggregates/variance.ts'
import { sqlType } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'

export interface SpanCellsOptions {
  /** Which of the events count; all must hold. */
  readonly conditions: readonly string[]
  /** Columns of `e` by which first and last go. */
  readonly order: readonly string[]
  /** There is one span, so that different values can be counted where they are. */
  readonly isSingle: boolean
}

/** The events that an aggregation's `where` lets count, among events `e` (or so called) with their fields' names. */
export function whereConditions(
  where: WindowedAggregation['where'],
  values: unknown[],
  events = 'e',
): string[] {
  return where.map((one) => {
    const name = `${events}.${quoteIdentifier(one.field.name)}`
    if (one.value === null) return `${name} is null`
    return `${name} = $${values.push(String(one.value))}::${sqlType(one.field.type)}`
  })
}

/** The cells that `spanAggregate` reads, as aggregates over events `e` with their fields' names. */
export function spanCells(
  { aggregate, field }: WindowedAggregation,
  { conditions, order, isSingle }: SpanCellsOptions,
): readonly string[] {
  const filtered = (call: string, ...more: readonly string[]): string => {
    const all = [...conditions, ...more]
    return all.length === 0 ? call : `${call} filter (where ${all.join(' and ')})`
  }
  if (field === null) return [filtered('count(*)')]
  const value = `e.${quoteIdentifier(field.name)}`
  const ofDecimals = isDecimal(field.type)
  const asCell = (expression: string): string => (ofDecimals ? `${expression}::text` : expression)
  const isInteger = field.type === 'int32' || field.type === 'int64'
  const double = `${value}::float8`
  // Postgres refuses a product that leaves float64 at its lower end, too; so little adds nothing to any sum.
  const scaled = `case when abs(${double}) > ${smallestScaled}::float8 then ${double} * ${sumScale}::float8 else 0 * ${double} end`
  const moments = (): readonly string[] => [
    filtered(`count(${value})`),
    `${filtered(`sum(${value})`)}::text`,
    `${filtered(`sum(${value} * ${value})`)}::text`,
  ]
  // These have no lists of their own.
  const distinctText = ofDecimals || field.type === 'uuid' ? `${value}::text` : value
  switch (aggregate) {
    case 'count':
      return [filtered('count(*)')]
    case 'sum':
      return isInteger || ofDecimals
        ? [`${filtered(`sum(${value})`)}::text`]
        : [filtered(`sum(${scaled})`), filtered(`sum(abs(${scaled}))`)]
    case 'mean':
      if (ofDecimals) return moments()
      return [filtered(`sum(${scaled})`), filtered(`sum(abs(${scaled}))`), filtered(`count(${value})`)]
    case 'variance':
    case 'stddev': {
      if (ofDecimals) return moments()
      const tame = `abs(${double}) <= ${largestSquarable}::float8`
      // Postgres rounds the sum that both come from: of equal values the mean would not be the value, nor the variance 0.
      const [smallest, greatest] = [filtered(`min(${double})`), filtered(`max(${double})`)]
      const areEqual = `${smallest} = ${greatest} and abs(${greatest}) < 'Infinity'::float8`
      const unlessEqual = (equal: string, cell: string): string =>
        `case when ${areEqual} then ${equal} else ${cell} end`
      return [
        unlessEqual(filtered(`count(${value})`), filtered(`count(${value})`, tame)),
        unlessEqual(smallest, filtered(`avg(${double})`, tame)),
        unlessEqual('0', filtered(`var_pop(${double})`, tame)),
        unlessEqual('0', filtered(`count(${value})`, `not ${tame}`)),
      ]
    }
    case 'min':
    case 'max':
      return [asCell(filtered(`${aggregate}(${value})`))]
    case 'countDistinct':
      return isSingle
        ? [filtered(`count(distinct ${value})`)]
        : [filtered(`array_agg(distinct ${distinctText})`, `${value} is not null`)]
    case 'first':
    case 'last': {
      const direction = aggregate === 'first' ? '' : ' desc'
      const ordered = order.map((column) => `e.${column}${direction}`).join(', ')
      return [asCell(`(${filtered(`array_agg(${value} order by ${ordered})`, `${value} is not null`)})[1]`)]
    }
  }
}
