import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { WindowedAggregation } from '../../definitions/windowed-aggregation.ts'
import { reachOf } from '../../windows/reach-of.ts'
import type { JoinedKnownAt, WindowRead } from '../file-join.ts'
import { fieldColumn, windowValueSql } from './aggregate-sql.ts'
import type { ReadRelations } from './newest-row-sql.ts'
import { type SqlDialect, windowStartSql } from './sql-dialect.ts'

/** From the first instant of any window to the last spine row's time. */
export interface EventSpan {
  readonly from: Micros
  readonly to: Micros
}

type ReadShape = Pick<WindowRead, 'keys' | 'features' | 'aggregations'>

/** Exported events that count, with the fields that the windows need: keys `k0` …, fields by `fieldColumn`, `counted`, `stored` and their place. */
export function eventFilesSql(
  { keys, aggregations }: ReadShape,
  {
    from,
    span,
    knownAt,
  }: { readonly from: string; readonly span: EventSpan; readonly knownAt: JoinedKnownAt },
  dialect: SqlDialect,
): string {
  const { quoted, typeOf, microsOf } = dialect
  const fields = new Set(
    aggregations.flatMap(({ field, where }) => [
      ...(field === null ? [] : [field.name]),
      ...where.map((one) => one.field.name),
    ]),
  )
  const selected = [
    ...keys.map(({ name, type }, index) => `cast(${quoted(name)} as ${typeOf(type)}) as k${index}`),
    ...[...fields].map((name) => `${quoted(name)} as ${fieldColumn(name)}`),
    `${microsOf('_counted_at')} as counted`,
    `${microsOf('_stored_at')} as stored`,
    ...['_topic', '_partition', '_offset'],
  ]
  const instant = (micros: Micros): string => `cast('${formatTimestamp(micros)}' as ${typeOf('timestamp')})`
  const conditions = [
    'counts',
    ...keys.map(({ name }) => `${quoted(name)} is not null`),
    // Of whole files and row groups their statistics say so.
    `_counted_at >= ${instant(span.from)} and _counted_at < ${instant(span.to)}`,
    ...(knownAt.kind === 'MOMENT' ? [`_stored_at <= ${instant(knownAt.at)}`] : []),
  ]
  return `select ${selected.join(', ')}\nfrom ${from}\nwhere ${conditions.join(' and ')}`
}

/**
 * Per asked row whose longest window holds an event the windows at its own time: `place`, `e` (the newest event), `closing`
 * (false), `f0` …. Each asked row is paired with the events of its key that are in its longest window. An equality bounds the pairs:
 * time is cut into stretches as long as the longest window, of which a window touches two at most.
 */
export function windowsSelect(
  read: ReadShape,
  { rows, asked }: Omit<ReadRelations, 'found'>,
  knownAt: JoinedKnownAt,
  dialect: SqlDialect,
): string {
  const { keys, features, aggregations } = read
  const columns = keys.map((_, index) => `k${index}`)
  const starts = distinctStarts(aggregations)
  const all = starts.map((_, index) => `start_${index}`)
  const earliest = all.length === 1 ? (all[0] ?? '') : `least(${all.join(', ')})`
  const stretch = reachOf(read)
  const stretchOf = (at: string): string => `${at} - ${dialect.modulo(at, String(stretch))}`
  const values = features.map(({ type }, index) => {
    const aggregation = aggregations[index]
    if (!aggregation) throw new TypeError(`feature ${index} has no aggregation`)
    const start = starts.findIndex((one) => isSameWindow(one, aggregation))
    return `${windowValueSql(aggregation, `counted >= start_${start}`, type, dialect)} as f${index}`
  })
  const known = knownAt.kind === 'ROW' ? ` and x.stored <= s.t + ${knownAt.delayMicros}` : ''
  return `with timed as (
  select place, ${columns.join(', ')}, t, ${starts.map(({ windowMicros, hopMicros }, index) => `${windowStartSql('t', windowMicros, hopMicros, dialect)} as start_${index}`).join(', ')}
  from ${asked}
), spanned as (
  select *, ${earliest} as since, ${stretchOf(earliest)} as stretch from timed
  union all
  select *, ${earliest} as since, ${stretchOf('(t - 1)')} as stretch from timed where ${stretchOf('(t - 1)')} > ${stretchOf(earliest)}
), events as (
  select *, ${stretchOf('counted')} as stretch from ${rows}
), pairs as (
  select s.place, ${all.map((start) => `s.${start}`).join(', ')}, x.*
  from spanned as s join events as x
    on ${columns.map((key) => `s.${key} = x.${key}`).join(' and ')} and s.stretch = x.stretch
    and x.counted >= s.since and x.counted < s.t${known}
)
select place, max(counted) as e, false as closing, ${values.join(',\n  ')}
from pairs group by place`
}

/** The earliest start of any window at a time, in SQL. */
export function earliestStartSql(
  aggregations: readonly WindowedAggregation[],
  at: string,
  dialect: SqlDialect,
): string {
  const starts = distinctStarts(aggregations).map(({ windowMicros, hopMicros }) =>
    windowStartSql(at, windowMicros, hopMicros, dialect),
  )
  return starts.length === 1 ? (starts[0] ?? at) : `least(${starts.join(', ')})`
}

type Window = Pick<WindowedAggregation, 'windowMicros' | 'hopMicros'>

function isSameWindow(left: Window, right: Window): boolean {
  return left.windowMicros === right.windowMicros && left.hopMicros === right.hopMicros
}

function distinctStarts(aggregations: readonly Window[]): readonly Window[] {
  return aggregations.filter(
    (one, index) => aggregations.findIndex((other) => isSameWindow(one, other)) === index,
  )
}
