import type { DuckDBValue } from '@duckdb/node-api'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import type { StoredRow, StoredRowRange } from '../../stored-rows.ts'
import { comparedKey, integerList, keyList, type LakeSql } from './lake-sql.ts'
import { fromDuckDb } from './mapped-value.ts'
import { newestOfTime } from './view-rows.ts'

/**
 * A page of rows of each range, newest first. Columns: the range's place from 0, event and created timestamp in microseconds, the row
 * id, the features. `now`: rows created later are not known without a `knownAt`.
 */
export function storedRowsSql(
  view: ParquetOfflineView,
  rowsSql: string,
  ranges: readonly StoredRowRange[],
  { first, now }: { readonly first: number; readonly now: Micros },
): LakeSql {
  const { joinKeys } = view.entity
  const columns: readonly [name: string, of: (range: StoredRowRange) => number | string | null][] = [
    ['from_time', ({ from }) => from],
    ['to_time', ({ to }) => to],
    ['known_at', ({ knownAt }) => knownAt ?? now],
    ['after_event', ({ after }) => after?.eventTimestamp ?? null],
    ['after_created', ({ after }) => after?.createdTimestamp ?? null],
    ['after_row', ({ after }) => after?.rowId ?? null],
    ['skipped', ({ after }) => after?.repeats ?? 0],
  ]
  const lists = [
    ...joinKeys.map(({ type }, index) =>
      keyList(
        type,
        ranges.map(({ key }) => key[index]),
      ),
    ),
    ...columns.map(([, of]) =>
      integerList(ranges.map((range) => (of(range) === null ? null : BigInt(of(range) ?? 0)))),
    ),
  ]
  const outputs = columns.map(([name], index) => `unnest($${joinKeys.length + index + 1}) as ${name}`)
  const features = view.features.map((_, index) => `f${index}`)
  const order = `event desc, ${newestOfTime(view)}`
  const { from, to } = spanOf(ranges)
  const sameTimes = view.source.rowId === undefined ? 'true' : 'row_id < after_row'
  const text = `with e as (
  select ${[...joinKeys.map((_, index) => `unnest($${index + 1}) as k${index}`), ...outputs].join(', ')},
    unnest(range(${ranges.length})) as place
), x as (
${rowsSql}
), r as (
  select e.*, x.event, x.created, x.row_id, ${features.map((name) => `x.${name}`).join(', ')}, epoch_us(x.event) as event_at,
    case when isfinite(x.created) then epoch_us(x.created) end as created_at
  from x join e on ${joinKeys.map((_, index) => `${comparedKey(view, index, 'x')} = e.k${index}`).join(' and ')}
    and x.event >= make_timestamptz(e.from_time) and x.event < make_timestamptz(e.to_time)
    and (x.created is null or x.created <= make_timestamptz(e.known_at))
  where x.event >= make_timestamptz(${from}) and x.event < make_timestamptz(${to})
), n as (
  select *, row_number() over (partition by place order by ${order}) as nth
  from r
  where after_event is null or event_at < after_event or (event_at = after_event and (
    (created_at is not distinct from after_created and ${sameTimes})
    or created_at < after_created or (created_at is null and after_created is not null)
  ))
)
select place, event_at, created_at, row_id, ${features.join(', ')}
from n where nth > skipped and nth <= skipped + ${first}
order by place, nth`
  return { text, values: lists.map(([value]) => value), types: lists.map(([, type]) => type) }
}

/** From the earliest start to the latest end. */
export function spanOf(ranges: readonly StoredRowRange[]): { readonly from: Micros; readonly to: Micros } {
  return {
    from: ranges.reduce((least, { from }) => Math.min(least, from), Number.MAX_SAFE_INTEGER),
    to: ranges.reduce((most, { to }) => Math.max(most, to), Number.MIN_SAFE_INTEGER),
  }
}

/** Per range, in order. */
export function readStoredRows(
  view: ParquetOfflineView,
  count: number,
  found: readonly (readonly DuckDBValue[])[],
  countNonFinite: () => void,
): StoredRow[][] {
  const ranges = Array.from({ length: count }, (): StoredRow[] => [])
  for (const [place, event, created, rowId, ...values] of found)
    ranges[Number(place)]?.push({
      eventTimestamp: Number(event),
      createdTimestamp: created === null || created === undefined ? null : Number(created),
      rowId: rowId === null || rowId === undefined ? null : String(rowId),
      pushed: false,
      values: view.features.map(({ type }, index) => fromDuckDb(type, values[index] ?? null, countNonFinite)),
    })
  return ranges
}
