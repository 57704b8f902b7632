import type { AggregateName } from '../../definitions/aggregation.ts'
import { decimalBounds } from '../../definitions/decimal.ts'
import { decimalDigits, isDecimal, type ScalarType } from '../../definitions/value-type.ts'
import { isIntegerType } from '../../windows/aggregates/aggregate.ts'
import { sumScale } from '../../windows/aggregates/sum.ts'
import { largestSquarable } from '../../windows/aggregates/variance.ts'
import { type Dialect, typeName } from './dialect.ts'

/** One feature's aggregation, over the columns of `placed` events. */
export interface Aggregated {
  readonly aggregate: AggregateName
  readonly type: ScalarType
  /** The field's column. */
  readonly value: string
  /** What of the events counts; all must hold. */
  readonly conditions: readonly string[]
  /** Which of the view's windows. */
  readonly window: number
  /**
   * Names of the columns of its tiles, and of their merged parts, begin with these: what aggregations of the same field and
   * conditions share has one name.
   */
  readonly cell: string
  readonly part: string
}

export interface Column {
  readonly name: string
  readonly sql: string
}

/** How an aggregation is computed: events → cells of a tile → parts of a window → its value. */
export interface AggregateSql {
  /** Aggregates over the events of one tile. */
  readonly cells: readonly Column[]
  /** Of each event by itself, for what is merged of events. */
  readonly events: readonly Column[]
  /** Over the tiles that a window holds. */
  readonly parts: readonly Column[]
  /** Of the parts; what follows may name them. */
  readonly derived: readonly Column[]
  readonly value: string
  /** How far another right computation may lie from it; null: not at all. */
  readonly tolerance: string | null
}

/** Of aggregations that are merged of their tiles' cells alone. */
export const nothingElse = { events: [], derived: [] } as const

type Generator = (dialect: Dialect, aggregated: Aggregated) => AggregateSql

/** In the order of `windows/aggregates/`: the states there are the cells and parts here. */
const aggregates: Readonly<Record<AggregateName, Generator>> = {
  count: (dialect, aggregated) => {
    const { cell, part, window } = aggregated
    return {
      cells: [{ name: `${cell}_n`, sql: counting(aggregated, 'count(*)') }],
      ...nothingElse,
      parts: [{ name: `${part}_n`, sql: dialect.merge(`sum(${cell}_n)`, window) }],
      value: `cast(coalesce(${part}_n, 0) as ${dialect.types.int64})`,
      tolerance: null,
    }
  },
  sum: (dialect, aggregated) =>
    isIntegerType(aggregated.type) || isDecimal(aggregated.type)
      ? exactSum(dialect, aggregated)
      : floatSum(dialect, aggregated),
  mean: (dialect, aggregated) =>
    isDecimal(aggregated.type) ? decimalMean(dialect, aggregated) : floatMean(dialect, aggregated),
  min: extreme('min'),
  max: extreme('max'),
  variance: spread('variance'),
  stddev: spread('stddev'),
  countDistinct: (dialect, aggregated) => dialect.distinct(aggregated),
  first: (dialect, aggregated) => dialect.end(aggregated, 'first'),
  last: (dialect, aggregated) => dialect.end(aggregated, 'last'),
}

export function aggregateSql(dialect: Dialect, aggregated: Aggregated): AggregateSql {
  return aggregates[aggregated.aggregate](dialect, aggregated)
}

/** An aggregate over those events that count. */
export function counting({ conditions }: Aggregated, call: string, ...more: readonly string[]): string {
  const all = [...conditions, ...more]
  return all.length === 0 ? call : `${call} filter (where ${all.join(' and ')})`
}

/** A value of the event where it counts, else null. */
export function ifCounting({ conditions }: Aggregated, value: string, ...more: readonly string[]): string {
  const all = [...conditions, ...more]
  return all.length === 0 ? value : `case when ${all.join(' and ')} then ${value} end`
}

export function asDouble({ types }: Dialect, value: string): string {
  return `cast(${value} as ${types.float64})`
}

/** Without a bound inside, so that a sum that leaves 64 bits and comes back is right. */
function exactSum(dialect: Dialect, aggregated: Aggregated): AggregateSql {
  const { cell, part, value, type, window } = aggregated
  const digits = isDecimal(type) ? decimalDigits(type) : 0
  const wide = isDecimal(type) ? value : dialect.summable(value)
  const { min, max } = decimalBounds(digits)
  const sum = `coalesce(${part}_t, 0)`
  const result = typeName(dialect, isDecimal(type) ? type : 'int64')
  return {
    cells: [{ name: `${cell}_t`, sql: counting(aggregated, `sum(${wide})`) }],
    ...nothingElse,
    parts: [{ name: `${part}_t`, sql: dialect.merge(`sum(${cell}_t)`, window) }],
    value: `case when ${sum} between ${min} and ${max} then cast(${sum} as ${result}) end`,
    tolerance: null,
  }
}

/** Of x · 2^-64, as elsewhere: so no sum of finite values leaves float64 on its way. */
function scaledCells(dialect: Dialect, aggregated: Aggregated): readonly Column[] {
  const scaled = `${asDouble(dialect, aggregated.value)} * ${dialect.double(sumScale)}`
  return [
    { name: `${aggregated.cell}_s`, sql: counting(aggregated, `sum(${scaled})`) },
    { name: `${aggregated.cell}_a`, sql: counting(aggregated, `sum(abs(${scaled}))`) },
  ]
}

function floatSum(dialect: Dialect, aggregated: Aggregated): AggregateSql {
  const { cell, part, window } = aggregated
  const scale = dialect.double(sumScale)
  const none = dialect.double(0)
  return {
    cells: scaledCells(dialect, aggregated),
    ...nothingElse,
    parts: ['s', 'a'].map((name) => ({
      name: `${part}_${name}`,
      sql: dialect.merge(`sum(${cell}_${name})`, window),
    })),
    value: finite(dialect, `coalesce(${part}_s, ${none}) / ${scale}`),
    tolerance: `coalesce(${part}_a, ${none}) * ${dialect.double(1e-9)} / ${scale}`,
  }
}

function floatMean(dialect: Dialect, aggregated: Aggregated): AggregateSql {
  const { cell, part, value, window } = aggregated
  const scale = dialect.double(sumScale)
  const count = `nullif(${part}_n, 0)`
  return {
    cells: [
      ...scaledCells(dialect, aggregated),
      { name: `${cell}_n`, sql: counting(aggregated, `count(${value})`) },
    ],
    ...nothingElse,
    parts: ['s', 'a', 'n'].map((name) => ({
      name: `${part}_${name}`,
      sql: dialect.merge(`sum(${cell}_${name})`, window),
    })),
    value: finite(dialect, `${part}_s / ${count} / ${scale}`),
    tolerance: `${part}_a * ${dialect.double(1e-9)} / ${count} / ${scale}`,
  }
}

/** Of an exact sum: a few roundings from the float64 next to the exact mean. */
function decimalMean(dialect: Dialect, aggregated: Aggregated): AggregateSql {
  const { cell, part, value, window } = aggregated
  const mean = `${asDouble(dialect, `${part}_t`)} / nullif(${part}_n, 0)`
  return {
    cells: [
      {
        name: `${cell}_t`,
        sql: counting(aggregated, `sum(${value})`),
      },
      { name: `${cell}_n`, sql: counting(aggregated, `count(${value})`) },
    ],
    ...nothingElse,
    parts: ['t', 'n'].map((name) => ({
      name: `${part}_${name}`,
      sql: dialect.merge(`sum(${cell}_${name})`, window),
    })),
    value: mean,
    tolerance: `abs(${mean}) * ${dialect.double(1e-15)}`,
  }
}

function extreme(name: 'min' | 'max'): Generator {
  return (dialect, aggregated) => {
    const { cell, part, value, window } = aggregated
    const end = name === 'min' ? 'lo' : 'hi'
    return {
      cells: [{ name: `${cell}_${end}`, sql: counting(aggregated, `${name}(${value})`) }],
      ...nothingElse,
      parts: [{ name: `${part}_${end}`, sql: dialect.merge(`${name}(${cell}_${end})`, window) }],
      value: `${part}_${end}`,
      tolerance: null,
    }
  }
}

/**
 * Of equal values exactly 0; null below two values, and where one of different values is too large to be squared. The mean
 * is there for the tolerance.
 */
function spread(name: 'variance' | 'stddev'): Generator {
  return (dialect, aggregated) => {
    const { cell, part, value, window } = aggregated
    const { cells, events, parts, variance } = dialect.spread(aggregated)
    const double = asDouble(dialect, value)
    const tooLarge = `abs(${double}) > ${dialect.double(largestSquarable)}`
    const mean = `${part}_s / ${part}_n / ${dialect.double(sumScale)}`
    const sample = `case when ${part}_n < 2 then null when ${part}_lo = ${part}_hi then ${dialect.double(0)} when ${part}_x > 0 then null else ${variance} end`
    const allowed = `${dialect.double(1e-9)} * ${part}_v + ${dialect.double(1e-14)} * abs(${mean}) * sqrt(${part}_v)`
    return {
      cells: [
        { name: `${cell}_s`, sql: counting(aggregated, `sum(${double} * ${dialect.double(sumScale)})`) },
        { name: `${cell}_n`, sql: counting(aggregated, `count(${value})`) },
        { name: `${cell}_lo`, sql: counting(aggregated, `min(${value})`) },
        { name: `${cell}_hi`, sql: counting(aggregated, `max(${value})`) },
        { name: `${cell}_x`, sql: counting(aggregated, 'count(*)', tooLarge) },
        ...cells,
      ],
      events,
      parts: [
        ...['s', 'n', 'x'].map((one) => ({
          name: `${part}_${one}`,
          sql: dialect.merge(`sum(${cell}_${one})`, window),
        })),
        { name: `${part}_lo`, sql: dialect.merge(`min(${cell}_lo)`, window) },
        { name: `${part}_hi`, sql: dialect.merge(`max(${cell}_hi)`, window) },
        ...parts,
      ],
      derived: [{ name: `${part}_v`, sql: sample }],
      value: name === 'variance' ? `${part}_v` : `sqrt(${part}_v)`,
      tolerance:
        name === 'variance'
          ? allowed
          : `case when ${part}_v > 0 then (${allowed}) / sqrt(${part}_v) else ${dialect.double(0)} end`,
    }
  }
}

function finite(dialect: Dialect, value: string): string {
  return `case when ${dialect.isFinite(value)} then ${value} end`
}
