import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { KeyValue } from '../../../definitions/value.ts'
import type { ExampleKeys } from '../../example-keys.ts'
import type { OfflineView } from '../../offline-view.ts'
import { fromSql, microsOf, selectExpression } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { runCancellable } from '../sql/run-cancellable.ts'
import type { Sql } from '../sql/statement.ts'
import { eventTable } from '../tables/event-table.ts'
import { featureTable } from '../tables/feature-table.ts'

/** A page waits for it. */
const patienceMs = 1_500

export function postgresExampleKeys(pool: pg.Pool, project: string): ExampleKeys {
  return {
    async exampleKeys(view, now, count) {
      const sql = exampleKeysSql(project, view, now, count)
      if (sql === null) return []
      const rows = await runCancellable(pool, sql, AbortSignal.timeout(patienceMs)).catch(() => [])
      const keys = view.entity.joinKeys
      return rows.map((columns) => ({
        key: keys.map(({ type }, index) => fromSql(type, columns[index], () => {}) as KeyValue),
        oldest: Number(columns[keys.length]),
        newest: Number(columns[keys.length + 1]),
      }))
    },
  }
}

/** Where rows or events stand, as `x`. */
interface Place {
  readonly from: string
  readonly keys: readonly string[]
  readonly eventTimestamp: string
  readonly conditions: readonly string[]
  /** By the keys, then the event timestamp. */
  readonly isIndexed: boolean
}

function placeOf(project: string, view: OfflineView): Place | null {
  const names = view.entity.joinKeys.map(({ name }) => name)
  if (view.kind === 'STREAM') {
    if (view.events.table !== null) return null
    return {
      from: eventTable(project, view.events),
      keys: names.map(quoteIdentifier),
      eventTimestamp: 'event_timestamp',
      conditions: ['x.counts'],
      isIndexed: true,
    }
  }
  if (view.source?.kind === 'parquet' || view.source?.query !== undefined) return null
  const table = featureTable(project, view)
  const keys = names.map(table.column)
  const isIndexed = view.source === null
  return {
    from: table.from,
    keys,
    eventTimestamp: table.eventTimestamp,
    conditions: isIndexed
      ? []
      : [...keys.map((key) => `x.${key} is not null`), `isfinite(x.${table.eventTimestamp}::timestamptz)`],
    isIndexed,
  }
}

/** Columns: the join keys, the oldest and the newest event timestamp in microseconds. Null: it would not be cheap. */
export function exampleKeysSql(project: string, view: OfflineView, now: Micros, count: number): Sql | null {
  const place = placeOf(project, view)
  if (place === null) return null
  const text = place.isIndexed ? probedSql(place, view) : sampledSql(place, view)
  return { text, values: [formatTimestamp(now), count] }
}

/** A few probes of the index for each key. */
function probedSql({ from, keys, eventTimestamp, conditions }: Place, view: OfflineView): string {
  const isDue = [...conditions, `x.${eventTimestamp} <= $1::timestamptz`]
  const ofTable = keys.map((key) => `x.${key}`)
  const named = ofTable.map((key, index) => `${key} as key_${index}`).join(', ')
  const ofLast = keys.map((_, index) => `k.key_${index}`)
  const smallest = (more: readonly string[]): string =>
    `select ${named} from ${from} as x where ${[...more, ...isDue].join(' and ')} order by ${ofTable.join(', ')} limit 1`
  return [
    'with recursive k as (',
    `  select s.*, 1 as place from (${smallest([])}) as s`,
    '  union all',
    '  select n.*, k.place + 1 from k cross join lateral (',
    `    ${smallest([`(${ofTable.join(', ')}) > (${ofLast.join(', ')})`])}`,
    '  ) as n where k.place < $2::int',
    ')',
    `select ${[...selectedKeys(view, 'k'), microsOf('t.oldest'), microsOf('t.newest')].join(', ')}`,
    'from k cross join lateral (',
    `  select min(x.${eventTimestamp}) as oldest, max(x.${eventTimestamp}) as newest from ${from} as x`,
    `  where ${[...ofTable.map((key, index) => `${key} = ${ofLast[index]}`), ...isDue].join(' and ')}`,
    ') as t order by k.place',
  ].join('\n')
}

/** Of the rows that come first, the keys that have most of them. */
function sampledSql({ from, keys, eventTimestamp, conditions }: Place, view: OfflineView): string {
  const event = `x.${eventTimestamp}::timestamptz`
  const named = keys.map((key, index) => `x.${key} as key_${index}`)
  const ofRow = keys.map((_, index) => `r.key_${index}`).join(', ')
  return [
    `select ${[...selectedKeys(view, 'r'), microsOf('min(r.event)'), microsOf('max(r.event)')].join(', ')}`,
    `from (select ${named.join(', ')}, ${event} as event from ${from} as x`,
    `  where ${[...conditions, `${event} <= $1::timestamptz`].join(' and ')} limit 1000) as r`,
    `group by ${ofRow} order by count(*) desc, ${ofRow} limit $2::int`,
  ].join('\n')
}

function selectedKeys({ entity }: OfflineView, row: string): string[] {
  return entity.joinKeys.map(({ type }, index) => selectExpression(type, `${row}.key_${index}`))
}
