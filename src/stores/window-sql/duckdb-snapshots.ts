import type { Aggregated, Column } from './aggregate-sql.ts'
import { duckDbDialect as sql } from './duckdb-dialect.ts'
import { timeOf } from './indexed-times.ts'
import {
  type ComputedView,
  knownColumns,
  planTiles,
  type SnapshotsRequest,
  select,
  type TilePlan,
} from './tile-plan.ts'

/**
 * Tiles and snapshots of a key stand in one order of time, and a window is a frame in it, whose bounds go by the row: DuckDB
 * merges each tile about twice, however many windows hold it.
 */
export function duckDbSnapshots(view: ComputedView, request: SnapshotsRequest): string {
  const plan = planTiles(view, request, sql)
  const { keys, firstWritten, indexed, windows, features, cells, perEvent, parts, derived, indexes } = plan
  const keyList = keys.join(', ')
  const distinct = distinctOf(plan)
  const deltas = distinct.map(({ part }) => `${part}_c`)
  const counts = [...cells, ...perEvent].map(({ name }) => name)
  const starts = windows.map((_, index) => `start_${index}`)
  const lastIndex = indexed.times.length - 1

  const rowsOf = (from: string, more: readonly Column[]): string => {
    const given = new Map(more.map((column) => [column.name, column.sql]))
    const columns = ['moment', ...starts, 'is_snapshot', ...counts, ...deltas].map((name) => ({
      name,
      sql:
        given.get(name) ?? (name.startsWith('start_') ? 'moment' : name === 'is_snapshot' ? 'false' : 'null'),
    }))
    return `  select ${keyList}, ${columns.map((one) => (one.name === one.sql ? one.sql : `${one.sql} as ${one.name}`)).join(', ')}\n  from ${from}`
  }
  const own = (names: readonly string[]): readonly Column[] => names.map((name) => ({ name, sql: name }))
  const timeline = [
    rowsOf('fg_tiles', [{ name: 'moment', sql: 'moment' }, ...own(cells.map(({ name }) => name))]),
    ...(perEvent.length === 0
      ? []
      : [
          rowsOf('fg_events where first_index <= last_index', [
            { name: 'moment', sql: 'moment' },
            ...perEvent,
          ]),
        ]),
    ...(distinct.length === 0
      ? []
      : [rowsOf('fg_differences', [{ name: 'moment', sql: timeOf(sql, indexed, 'index') }, ...own(deltas)])]),
    rowsOf(`(select ${keyList}, ${timeOf(sql, indexed, 'index')} as moment from snapshots)`, [
      { name: 'moment', sql: 'moment' },
      { name: 'is_snapshot', sql: 'true' },
      ...windows.map(({ windowMicros, hopMicros }, index) => ({
        name: `start_${index}`,
        sql: sql.floor(`(moment - ${windowMicros})`, hopMicros),
      })),
    ]),
  ]
  const frames = [
    ...windows.map(
      (_, index) =>
        `w${index} as (partition by ${keyList} order by moment range between (moment - start_${index}) preceding and 1 preceding)`,
    ),
    ...(distinct.length === 0
      ? []
      : [`until_now as (partition by ${keyList} order by moment range unbounded preceding)`]),
  ]
  const written = features.flatMap((feature) => feature.written)
  const closedAt = timeOf(sql, indexed, '(until_index + 1)')
  const closed = [
    ...knownColumns(sql, request, closedAt).map((column) => column.sql),
    ...written.map(({ empty }) => empty),
  ]
  const keyColumns = view.entity.joinKeys
    .map(({ name }, index) => `k${index} as ${sql.quote(name)}`)
    .join(', ')

  return `${[
    'set preserve_insertion_order = false',
    `create or replace temp view fg_events as
${placedEvents(plan, request)}`,
    `create or replace temp table fg_tiles as
select ${keyList}, first_index, ${indexes
      .slice(1)
      .map(({ name }) => name)
      .join(', ')}, last_index,
  min(moment) as moment${cells.map(({ name, sql: cell }) => `,\n  ${cell} as ${name}`).join('')}
from fg_events where first_index <= last_index
group by ${keyList}, first_index, ${indexes
      .slice(1)
      .map(({ name }) => name)
      .join(', ')}, last_index`,
    ...(distinct.length === 0 ? [] : [differences(plan)]),
    `copy (
with runs as (
  -- Snapshots that have the key's row because of a tile, but for those that the next tile gives it; and where it closes.
  select ${keyList}, first_index, least(last_index, coalesce(next_index - 1, last_index)) as until_index,
    last_index < ${lastIndex} and (next_index is null or next_index > last_index + 1) as closes
  from (
    select ${keyList}, first_index, last_index,
      lead(first_index) over (partition by ${keyList} order by moment) as next_index
    from fg_tiles
  )
), snapshots as (
  select ${keyList}, unnest(range(greatest(first_index, ${firstWritten}), until_index + 1)) as index from runs
), timeline as (
${timeline.join('\n  union all\n')}
), parts as (
  select ${keyList}, moment, is_snapshot${parts.map(({ name, sql: part }) => `,\n    ${part} as ${name}`).join('')}
  from timeline
  window ${frames.join(',\n    ')}
), finished as (
  select *${derived.map(({ name, sql: one }) => `,\n    ${one} as ${name}`).join('')}
  from parts where is_snapshot
)
select ${keyColumns}, ${sql.fromMicros('moment')} as event_timestamp, false as closing,
  ${select([...knownColumns(sql, request, 'moment'), ...written])}
from finished
union all
select ${keyList}, ${sql.fromMicros(closedAt)}, true,
  ${closed.join(', ')}
from runs where closes
) to ${sql.text(request.output)} (format parquet, compression zstd, per_thread_output true)`,
  ].join(';\n')};\n`
}

/** Events with their first and last snapshots. */
function placedEvents(plan: TilePlan, { events }: SnapshotsRequest): string {
  const files = sql.text(`${events}/**/*.parquet`)
  return `select *, ${plan.lastOfAll} as last_index
from (
  select *,
    ${plan.indexes.map(({ name, sql: index }) => `${index} as ${name}`).join(',\n    ')}
  from (
    select
      ${plan.eventColumns.map(({ name, sql: column }) => `${column} as ${name}`).join(',\n      ')}
    from read_parquet(${files}, hive_partitioning = false, union_by_name = true)
    where ${plan.eventConditions.join('\n      and ')}
  )
)`
}

/**
 * How the number of different values changes from snapshot to snapshot: a value is there from the first snapshot behind
 * an event of it to the last whose window holds the event, where no earlier event of it has it there already. Whole numbers
 * are subtracted exactly.
 */
function differences(plan: TilePlan): string {
  const { keys, indexed } = plan
  const keyList = keys.join(', ')
  const distinct = distinctOf(plan)
  const ofFeature = distinct.map((aggregated, number) => {
    const last = `last_${aggregated.window}`
    const conditions = [`${aggregated.value} is not null`, ...aggregated.conditions, `first_index <= ${last}`]
    return `  select ${keyList}, ${number} as feature, from_index, ${last} + 1 as to_index
  from (
    select ${keyList}, ${last}, greatest(first_index, coalesce(lag(${last}) over (
      partition by ${keyList}, ${aggregated.value} order by first_index, ${last}) + 1, 0)) as from_index
    from (
      select distinct ${keyList}, ${aggregated.value}, first_index, ${last} from fg_events
      where ${conditions.join(' and ')}
    )
  ) where from_index <= ${last}`
  })
  const columns = distinct.map(
    ({ part }, number) => `sum(difference) filter (where feature = ${number}) as ${part}_c`,
  )
  return `create or replace temp table fg_differences as
with present as (
${ofFeature.join('\n  union all\n')}
)
select ${keyList}, index, ${columns.join(', ')}
from (
  select ${keyList}, feature, from_index as index, 1 as difference from present
  union all
  select ${keyList}, feature, to_index, -1 from present where to_index < ${indexed.times.length}
)
group by ${keyList}, index`
}

/** Different values that are counted, each field, window and conditions once. */
function distinctOf({ features }: TilePlan): readonly Aggregated[] {
  const all = features
    .map(({ aggregated }) => aggregated)
    .filter(({ aggregate }) => aggregate === 'countDistinct')
  return all.filter(({ part }, index) => all.findIndex((one) => one.part === part) === index)
}
