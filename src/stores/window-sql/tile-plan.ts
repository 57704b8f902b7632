import type { Micros } from '../../definitions/timestamp.ts'
import type { Value } from '../../definitions/value.ts'
import type { JoinKeyType, ScalarType, ValueType } from '../../definitions/value-type.ts'
import type { WindowedAggregation } from '../../definitions/windowed-aggregation.ts'
import { windowStart } from '../../windows/hop.ts'
import { distinctLengths, isOfLength, type WindowLength } from '../../windows/window-lengths.ts'
import type { EventForm } from '../event-files.ts'
import { type Aggregated, type AggregateSql, aggregateSql, type Column } from './aggregate-sql.ts'
import { type Dialect, literal, typeName } from './dialect.ts'
import { countUntil, type IndexedTimes, indexTimes } from './indexed-times.ts'

/** What of a windowed view its snapshots are computed from. */
export interface ComputedView {
  readonly name: string
  readonly entity: { readonly joinKeys: readonly { readonly name: string; readonly type: JoinKeyType }[] }
  readonly events: { readonly fields: readonly { readonly name: string; readonly type: ScalarType }[] }
  readonly features: readonly { readonly name: string; readonly type: ValueType }[]
  /** In the features' order. */
  readonly aggregations: readonly WindowedAggregation[]
  readonly emptyValues: readonly (Value | null)[]
}

export interface SnapshotsRequest {
  /** Snapshot times, in any order. */
  readonly times: readonly Micros[]
  /**
   * The snapshot before the first of these times: a key that it has a row for and the first has none for gets a closing row
   * there. Null: there is none.
   */
  readonly previous: Micros | null
  /** The folder of the events, at any depth below it. */
  readonly events: string
  /** Without it EXPORTED. Of plain ones every event counts at its timestamp, and which of equal times is first is not known. */
  readonly form?: EventForm
  /** The folder that the rows are written to. */
  readonly output: string
  /** Absent: rows say nothing of it. */
  readonly known?: RowsKnown
}

/** Since when the rows are known, which they say by `created_timestamp`, with an empty `row_id` beside it. */
export interface RowsKnown {
  readonly now: Micros
  /** So long after the snapshot's time, but not later than now; null: now. */
  readonly afterMicros: Micros | null
}

interface PlannedFeature {
  readonly aggregated: Aggregated
  readonly sql: AggregateSql
  /** Written columns: the value by its name, and how far another right one may lie from it. */
  readonly written: readonly WrittenColumn[]
}

interface WrittenColumn extends Column {
  /** In a closing row. */
  readonly empty: string
}

/**
 * How the snapshots of a view are made of tiles. A tile is the events of one key that the same snapshots hold, in each of
 * the windows: by the index of the first snapshot behind them and of the last whose window still reaches back to them. So
 * tiles are as coarse as the snapshots allow, whether or not windows, hops and snapshots divide one another.
 */
export interface TilePlan {
  readonly indexed: IndexedTimes
  /** The index of the first snapshot that is written: one before it is there only for the keys that close. */
  readonly firstWritten: 0 | 1
  /** The join keys' columns: `k0`, `k1`, … */
  readonly keys: readonly string[]
  /** Of the events: keys as they are, the fields that are aggregated as `f0`, `f1`, …, their time and position. */
  readonly eventColumns: readonly Column[]
  /** Events that may be in a window, by the exported columns. */
  readonly eventConditions: readonly string[]
  readonly windows: readonly WindowLength[]
  /** Of an event by its `moment`: `first_index`, `last_0`, `last_1`, …, one for each window. */
  readonly indexes: readonly Column[]
  readonly lastOfAll: string
  readonly features: readonly PlannedFeature[]
  /** Of all features, each once; so are the following. */
  readonly cells: readonly Column[]
  readonly perEvent: readonly Column[]
  readonly parts: readonly Column[]
  readonly derived: readonly Column[]
}

export const position = ['moment', 'topic_name', 'partition_number', 'offset_number'] as const

export function planTiles(
  view: ComputedView,
  { times, previous, form }: SnapshotsRequest,
  dialect: Dialect,
): TilePlan {
  const { quote, toMicros, instant, types } = dialect
  const isPlain = form === 'PLAIN'
  const countedAt = quote(isPlain ? 'event_timestamp' : '_counted_at')
  const indexed = indexTimes(previous === null ? times : [previous, ...times])
  const [first = 0, last = 0] = [indexed.times[0], indexed.times.at(-1)]
  const windows = distinctLengths(view.aggregations)
  const used = view.events.fields.filter(({ name }) =>
    view.aggregations.some(
      ({ field, where }) => field?.name === name || where.some((one) => one.field.name === name),
    ),
  )
  const columnOf = (name: string): string => `f${used.findIndex((field) => field.name === name)}`
  const condition = (one: WindowedAggregation['where'][number]): string => {
    const column = columnOf(one.field.name)
    return one.value === null
      ? `${column} is null`
      : `${column} = ${literal(dialect, one.field.type, one.value)}`
  }
  const cellOf = new Map<string, number>()
  const features = view.aggregations.map((aggregation, index): PlannedFeature => {
    const { aggregate, field, where } = aggregation
    const conditions = where.map(condition)
    const value = field === null ? 'null' : columnOf(field.name)
    const same = JSON.stringify([value, conditions])
    const cell = cellOf.get(same) ?? cellOf.size
    cellOf.set(same, cell)
    const window = windows.findIndex((one) => isOfLength(one, aggregation))
    const aggregated: Aggregated = {
      ...{ aggregate, conditions, value, type: field?.type ?? 'int64' },
      ...{ window, cell: `c${cell}`, part: `p${cell}_${window}` },
    }
    const sql = aggregateSql(dialect, aggregated)
    return { aggregated, sql, written: written(view, index, sql, dialect) }
  })
  const keys = view.entity.joinKeys.map((_, index) => `k${index}`)
  return {
    indexed,
    firstWritten: previous === null ? 0 : 1,
    keys,
    eventColumns: [
      ...view.entity.joinKeys.map(({ name, type }, index) => ({
        name: `k${index}`,
        sql: `cast(${quote(name)} as ${typeName(dialect, type)})`,
      })),
      ...used.map(({ name, type }) => ({ name: columnOf(name), sql: fieldOf(dialect, name, type) })),
      { name: 'moment', sql: toMicros(countedAt) },
      { name: 'topic_name', sql: isPlain ? "''" : quote('_topic') },
      { name: 'partition_number', sql: isPlain ? `cast(0 as ${types.int32})` : quote('_partition') },
      { name: 'offset_number', sql: isPlain ? `cast(0 as ${types.int64})` : quote('_offset') },
    ],
    eventConditions: [
      ...(isPlain ? [] : [quote('counts')]),
      `${countedAt} >= ${instant(earliestStart(windows, first))}`,
      `${countedAt} < ${instant(last)}`,
      ...view.entity.joinKeys.map(({ name }) => `${quote(name)} is not null`),
    ],
    windows,
    indexes: [
      { name: 'first_index', sql: countUntil(dialect, indexed, 'moment') },
      ...windows.map(({ windowMicros, hopMicros }, index) => ({
        name: `last_${index}`,
        // A window reaches back to the event at every time before this.
        sql: `${countUntil(dialect, indexed, `(${dialect.floor('moment', hopMicros)} + ${dialect.int(hopMicros + windowMicros - 1)})`)} - 1`,
      })),
    ],
    lastOfAll:
      windows.length === 1 ? 'last_0' : `greatest(${windows.map((_, index) => `last_${index}`).join(', ')})`,
    features,
    cells: eachOnce(features.flatMap(({ sql }) => sql.cells)),
    perEvent: eachOnce(features.flatMap(({ sql }) => sql.events)),
    parts: eachOnce(features.flatMap(({ sql }) => sql.parts)),
    derived: eachOnce(features.flatMap(({ sql }) => sql.derived)),
  }
}

function written(
  { features, emptyValues }: ComputedView,
  index: number,
  { value, tolerance }: AggregateSql,
  dialect: Dialect,
): readonly WrittenColumn[] {
  const feature = features[index]
  if (!feature) return []
  const type = typeName(dialect, feature.type as ScalarType)
  const empty = emptyValues[index] === 0 ? '0' : 'null'
  const toleranceName = toleranceColumn(feature.name)
  const double = dialect.types.float64
  return [
    {
      name: dialect.quote(feature.name),
      sql: `cast(${value} as ${type})`,
      empty: `cast(${empty} as ${type})`,
    },
    // A feature of that name wins.
    ...(tolerance === null || features.some(({ name }) => name === toleranceName)
      ? []
      : [
          {
            name: dialect.quote(toleranceName),
            sql: `cast(${tolerance} as ${double})`,
            empty: `cast(0 as ${double})`,
          },
        ]),
  ]
}

/** Of float features: how far another right computation may lie from the value. */
export function toleranceColumn(feature: string): string {
  return `${feature}__tolerance`
}

function earliestStart(windows: readonly WindowLength[], time: Micros): Micros {
  return Math.min(...windows.map(({ windowMicros, hopMicros }) => windowStart(time, windowMicros, hopMicros)))
}

/** Columns of a row of a snapshot time in microseconds. */
export function knownColumns(
  { int, fromMicros, types }: Dialect,
  { known }: SnapshotsRequest,
  micros: string,
): readonly Column[] {
  if (known === undefined) return []
  const now = int(known.now)
  const created = known.afterMicros === null ? now : `least(${micros} + ${int(known.afterMicros)}, ${now})`
  return [
    { name: 'created_timestamp', sql: fromMicros(created) },
    { name: 'row_id', sql: `cast(null as ${types.int64})` },
  ]
}

/** What is no finite number is null; -0 is 0, so that both are one value. */
function fieldOf(dialect: Dialect, name: string, type: ScalarType): string {
  const value = `cast(${dialect.quote(name)} as ${typeName(dialect, type)})`
  if (type !== 'float32' && type !== 'float64') return value
  return `case when ${dialect.isFinite(value)} then ${value} + cast(0 as ${typeName(dialect, type)}) end`
}

/** The first of each name. */
function eachOnce(columns: readonly Column[]): readonly Column[] {
  return columns.filter(({ name }, index) => columns.findIndex((one) => one.name === name) === index)
}

/** `sql as name`, as a select list takes it. */
export function select(columns: readonly Column[]): string {
  return columns.map(({ name, sql }) => (name === sql ? sql : `${sql} as ${name}`)).join(',\n  ')
}
