import { timeOf } from './indexed-times.ts'
import { sparkDialect as sql } from './spark-dialect.ts'
import { type ComputedView, knownColumns, planTiles, type SnapshotsRequest, select } from './tile-plan.ts'

/** Without a catalogue on disk, times as microseconds in UTC, errors instead of silent nulls. */
const sparkSettings = [
  'set spark.sql.session.timeZone=UTC',
  'set spark.sql.ansi.enabled=true',
  'set spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS',
  'set spark.sql.parquet.datetimeRebaseModeInRead=CORRECTED',
  'set spark.sql.parquet.datetimeRebaseModeInWrite=CORRECTED',
] as const

/**
 * Tiles are repeated for each snapshot that holds them and merged by key and snapshot. Nothing of it needs more than the
 * tiles of one key and snapshot at once.
 */
export function sparkSnapshots(view: ComputedView, request: SnapshotsRequest): string {
  const plan = planTiles(view, request, sql)
  const { keys, firstWritten, indexed, features, cells, parts, derived, indexes, lastOfAll } = plan
  const keyList = keys.join(', ')
  const lastIndex = sql.int(indexed.times.length - 1)
  const tile = [...keys, ...indexes.map(({ name }) => name), 'last_index'].join(', ')
  const written = features.flatMap((feature) => feature.written)
  const time = timeOf(sql, indexed, 'if(closing, snapshot_index + 1L, snapshot_index)')
  return `${[
    ...sparkSettings,
    `create or replace temporary view fg_files using parquet options (
  path ${sql.text(request.events)}, recursiveFileLookup 'true', pathGlobFilter '*.parquet', mergeSchema 'true')`,
    `create or replace temporary view fg_events as
select
  ${select(plan.eventColumns)}
from fg_files
where ${plan.eventConditions.join(' and ')}`,
    `create or replace temporary view fg_placed as
select *, ${lastOfAll} as last_index
from (
  select *,
    ${indexes.map(({ name, sql: index }) => `${index} as ${name}`).join(',\n    ')}
  from fg_events
)`,
    `create or replace temporary view fg_tiles as
select ${[tile, ...cells.map(({ name, sql: cell }) => `${cell} as ${name}`)].join(',\n  ')}
from fg_placed where first_index <= last_index
group by ${tile}`,
    `create or replace temporary view fg_parts as
select ${keyList}, snapshot_index${parts.map(({ name, sql: part }) => `,\n  ${part} as ${name}`).join('')}
from (select *, explode(sequence(first_index, last_index)) as snapshot_index from fg_tiles)
group by ${keyList}, snapshot_index`,
    `create or replace temporary view fg_rows as
select *, explode(if(snapshot_index < ${lastIndex} and (next_index is null or next_index > snapshot_index + 1L),
  array(false, true), array(false))) as closing
from (
  select *${derived.map(({ name, sql: one }) => `,\n    ${one} as ${name}`).join('')},
    lead(snapshot_index) over (partition by ${keyList} order by snapshot_index) as next_index
  from fg_parts
)`,
    `insert overwrite directory ${sql.text(request.output)} using parquet
select ${view.entity.joinKeys.map(({ name }, index) => `k${index} as ${sql.quote(name)}`).join(', ')},
  ${sql.fromMicros(time)} as event_timestamp, closing,
  ${select([
    ...knownColumns(sql, request, time),
    ...written.map(({ name, sql: value, empty }) => ({ name, sql: `if(closing, ${empty}, ${value})` })),
  ])}
from fg_rows where closing or snapshot_index >= ${sql.int(firstWritten)}`,
  ].join(';\n')};\n`
}
