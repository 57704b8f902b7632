import type pg from 'pg'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import type { FoundRows, StoredRow, StoredRowRange, StoredRowsRequest } from '../../stored-rows.ts'
import { fromSql, microsOf, sqlType } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { storeFailed } from '../sql/pool.ts'
import { runCancellable } from '../sql/run-cancellable.ts'
import type { Sql } from '../sql/statement.ts'
import {
  type FeatureTable,
  featureTable,
  newestFirst,
  pushedColumn,
  selectFeature,
} from '../tables/feature-table.ts'
import {
  governingSnapshotSql,
  type ViewParameters,
  viewIdSql,
  viewParameters,
} from '../windows/computed-by.ts'

export interface StoredRowsOptions {
  readonly project: string
  readonly countNonFinite: (view: string) => void
}

/** See `StoredRows`. */
export async function readStoredRows(
  pool: pg.Pool,
  request: StoredRowsRequest,
  { project, countNonFinite }: StoredRowsOptions,
  signal: AbortSignal,
): Promise<readonly FoundRows[]> {
  const { view, ranges } = request
  if (ranges.length === 0) return []
  const found = await runCancellable(pool, storedRowsSql(project, request), signal).catch(
    storeFailed(`reading the stored rows of ${view.name}`),
  )
  const rows = ranges.map((): StoredRow[] => [])
  let knownNow = 0
  for (const columns of found) {
    const [place, now, event] = columns
    knownNow = Number(now)
    // A range without rows has one line, for the clock.
    if (event !== null) rows[Number(place) - 1]?.push(readRow(view, columns, () => countNonFinite(view.name)))
  }
  return ranges.map(({ knownAt }, index) => ({ knownAt: knownAt ?? knownNow, rows: rows[index] ?? [] }))
}

/**
 * Per range a lateral walk of the rows, newest first. Columns: the range's place from 1, the server's clock, event and created
 * timestamp in microseconds, row id, whether it was pushed, the ids of features that a row's definition does not have as
 * today's has, and the features.
 */
export function storedRowsSql(project: string, { view, ranges, first }: StoredRowsRequest): Sql {
  const table = featureTable(project, view)
  const { joinKeys } = view.entity
  const columns = [
    ...joinKeys.map((key, index) => ({
      ...{ name: `key_${index}`, type: sqlType(key.type) },
      of: (range: StoredRowRange): unknown => range.key[index],
    })),
    ...rangeColumns,
  ]
  const parameters = columns.map(({ type }, index) => `$${index + 1}::${type}[]`)
  const values: unknown[] = columns.map(({ of }) => ranges.map(of))
  const limit = `$${values.push(first)}::bigint`
  const parametersOfView = view.kind === 'BATCH' ? viewParameters(project, view, values, null) : null
  const features = view.features.map(({ name }) => `r.${quoteIdentifier(name)}`)
  const outputs = [
    'e.place',
    microsOf('now()'),
    microsOf('r.event_timestamp'),
    microsOf('r.created_timestamp'),
    'r.row_id',
    'r.pushed',
    parametersOfView === null ? 'null' : 'd.others',
    ...features,
  ]
  const lines = [
    `select ${outputs.join(', ')}`,
    `from unnest(${parameters.join(', ')}) with ordinality as e(${[...columns.map(({ name }) => name), 'place'].join(', ')})`,
    'left join lateral (',
    walk(table, view, limit),
    ') as r on true',
    ...(parametersOfView === null ? [] : otherMeaningsSql(parametersOfView)),
    'order by e.place, r.nth',
  ]
  return { text: lines.join('\n'), values }
}

const rangeColumns = [
  time('from_time', ({ from }) => from),
  time('to_time', ({ to }) => to),
  time('known_at', ({ knownAt }) => knownAt),
  time('after_event', ({ after }) => after?.eventTimestamp ?? null),
  time('after_created', ({ after }) => after?.createdTimestamp ?? null),
  {
    ...{ name: 'after_row', type: 'text' },
    of: ({ after }: StoredRowRange): unknown => after?.rowId ?? null,
  },
  { ...{ name: 'skipped', type: 'bigint' }, of: ({ after }: StoredRowRange): unknown => after?.repeats ?? 0 },
]

function time(name: string, of: (range: StoredRowRange) => number | null) {
  const text = (range: StoredRowRange): unknown => {
    const moment = of(range)
    return moment === null ? null : formatTimestamp(moment)
  }
  return { name, type: 'timestamptz', of: text }
}

function walk(table: FeatureTable, view: StoredOfflineView, limit: string): string {
  const event = `x.${table.eventTimestamp}`
  const created = table.createdTimestamp === null ? null : `x.${table.createdTimestamp}`
  const rowId = table.rowId === null ? null : `x.${table.rowId}`
  const order = [...newestFirst(table), ...(rowId === null ? ['x::text desc'] : [])]
  const outputs = [
    `${event}::timestamptz as event_timestamp`,
    `${created ?? 'null'}::timestamptz as created_timestamp`,
    `${rowId ?? 'null'}::text as row_id`,
    `${view.kind === 'BATCH' ? `coalesce(x.${pushedColumn}, false)` : 'false'} as pushed`,
    ...view.features.map(
      (feature) => `${selectFeature(view, table, feature)} as ${quoteIdentifier(feature.name)}`,
    ),
    `row_number() over (order by ${order.join(', ')}) as nth`,
  ]
  const conditions = [
    ...view.entity.joinKeys.map((key, place) => {
      // As in the as-of join.
      const cast = view.source !== null && key.type === 'string' ? '::text' : ''
      return `x.${table.column(key.name)}${cast} = e.key_${place}`
    }),
    `${event} >= e.from_time and ${event} < e.to_time`,
    // Says less than the next one, and bounds the walk of the index.
    `(e.after_event is null or ${event} <= e.after_event)`,
    `(e.after_event is null or ${event} < e.after_event or (${behind(created, rowId)}))`,
    ...(created === null ? [] : [`(${created} is null or ${created} <= coalesce(e.known_at, now()))`]),
  ]
  return [
    `  select ${outputs.join(', ')}`,
    `  from ${table.from} as x`,
    `  where ${conditions.join('\n    and ')}`,
    `  order by ${order.join(', ')}`,
    `  limit ${limit} offset e.skipped`,
  ].join('\n')
}

/** Of the rows of the cursor's own event timestamp those behind it; without row ids its own times too, which the offset skips. */
function behind(created: string | null, rowId: string | null): string {
  const sameCreated = rowId === null ? 'true' : `${rowId} < e.after_row::bigint`
  if (created === null) return sameCreated
  return [
    `${created} is not distinct from e.after_created and ${sameCreated}`,
    `${created} < e.after_created`,
    `${created} is null and e.after_created is not null`,
  ].join(' or ')
}

/** Joined to a batch view's rows `r`: `d.others`, the features that its definition does not have as today's has, as it was known when the row was. */
export function otherMeaningsSql(parameters: ViewParameters): string[] {
  const governing = governingSnapshotSql(parameters, {
    at: 'r.event_timestamp',
    knownAt: 'r.created_timestamp',
  })
  const today = `jsonb_each_text(${parameters.digests}::jsonb) as t(name, digest)`
  return [
    `left join lateral (\n${governing}\n) as g on r.event_timestamp is not null`,
    'left join lateral (',
    `  select array(select t.name from ${today} where v.digests ->> t.name is distinct from t.digest) as others`,
    '  from featuregraph.view_definitions as v',
    `  where v.project = ${parameters.project} and v.view_id = ${viewIdSql(parameters)} and v.definition = g.definition`,
    ') as d on true',
  ]
}

function readRow(
  view: StoredOfflineView,
  columns: readonly unknown[],
  countNonFinite: () => void,
): StoredRow {
  const [, , event, created, rowId, pushed, others, ...values] = columns
  const meansOther = new Set(Array.isArray(others) ? others.map(String) : [])
  return {
    eventTimestamp: Number(event),
    createdTimestamp: created === null ? null : Number(created),
    rowId: rowId === null ? null : String(rowId),
    pushed: pushed === true,
    values: view.features.map(({ id, type }, index) =>
      meansOther.has(id) ? null : fromSql(type, values[index], countNonFinite),
    ),
  }
}
