import type { DuckDBValue } from '@duckdb/node-api'
import type { AsOfRow, EntityRow } from '../../as-of-reader.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import { comparedKey, integerList, keyList, type LakeSql } from './lake-sql.ts'
import { fromDuckDb } from './mapped-value.ts'
import { newestOfTime } from './view-rows.ts'

/**
 * The newest row of each entity row, of the view's rows (`viewRowsSql`). Columns: the place from 0, event and created timestamp in
 * microseconds, whether it is a closing row, the features. Entity rows without one have none. The rows of a key are read once for
 * all of its entity rows; the comparison of times alone leaves few rows to be put in order.
 */
export function asOfJoinSql(view: ParquetOfflineView, rowsSql: string, rows: readonly EntityRow[]): LakeSql {
  const { joinKeys } = view.entity
  const lists = [
    ...joinKeys.map(({ type }, index) =>
      keyList(
        type,
        rows.map(({ key }) => key[index]),
      ),
    ),
    integerList(rows.map(({ asOf }) => BigInt(asOf))),
    integerList(rows.map(({ knownAt }) => (knownAt === null ? null : BigInt(knownAt)))),
  ]
  const latest = rows.reduce((most, { asOf }) => Math.max(most, asOf), Number.NEGATIVE_INFINITY)
  const time = (index: number): string => `make_timestamptz(unnest($${joinKeys.length + index}))`
  const features = view.features.map((_, index) => `f${index}`)
  const text = `with e as (
  select ${joinKeys.map((_, index) => `unnest($${index + 1}) as k${index}`).join(', ')},
    ${time(1)} as as_of, ${time(2)} as known_at, unnest(range(${rows.length})) as place
), x as (
${rowsSql}
), newest as (
  select e.place, x.event, x.created, x.row_id, x.closing, ${features.map((name) => `x.${name}`).join(', ')}
  from x join e on ${joinKeys.map((_, index) => `${comparedKey(view, index, 'x')} = e.k${index}`).join(' and ')} and x.event <= e.as_of
    and (x.created is null or e.known_at is null or x.created <= e.known_at)
  where x.event <= make_timestamptz(${latest})
  qualify x.event = max(x.event) over (partition by e.place)
)
select place, epoch_us(event), case when isfinite(created) then epoch_us(created) end, closing, ${features.join(', ')}
from newest
qualify row_number() over (partition by place order by ${newestOfTime(view)}) = 1`
  return { text, values: lists.map(([value]) => value), types: lists.map(([, type]) => type) }
}

/** One entry per entity row, in order. */
export function readAsOfRows(
  { features }: ParquetOfflineView,
  count: number,
  found: readonly (readonly DuckDBValue[])[],
  countNonFinite: () => void,
): (AsOfRow | null)[] {
  const rows = new Array<AsOfRow | null>(count).fill(null)
  for (const [place, event, created, closing, ...values] of found)
    rows[Number(place)] = {
      eventTimestamp: Number(event),
      createdTimestamp: created === null || created === undefined ? null : Number(created),
      values: features.map(({ type }, index) => fromDuckDb(type, values[index] ?? null, countNonFinite)),
      closing: closing === true,
    }
  return rows
}
