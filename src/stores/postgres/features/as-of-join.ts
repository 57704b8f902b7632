import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { AsOfJoin } from '../../as-of-reader.ts'
import type { BatchOfflineView, OfflineView, StoredOfflineView } from '../../offline-view.ts'
import { microsOf, selectExpression, sqlType } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import type { Sql } from '../sql/statement.ts'
import { snapshotParameter, visibleSql } from '../sql/visible-in.ts'
import { closingColumn, featureTable, newestFirst, selectFeature } from '../tables/feature-table.ts'
import { definitionsSql, governingSnapshotSql, hasEventsSql, viewParameters } from '../windows/computed-by.ts'
import {
  type StreamedOptions,
  storedSinceColumn,
  streamedCellTypes,
  streamedProbe,
  streamedStarts,
} from '../windows/streamed-as-of.ts'

/**
 * One statement for all views and entity rows: arrays of keys and times, and per view a lateral probe of its newest row.
 * One output row per entity row, in order: per view its event and created timestamp in microseconds (null: no row),
 * then its features, and for a batch view whether it is a closing row, why its row was not computed (null: it was), and
 * which features it lacks (null: none); for a streaming view the cells of its aggregations,
 * and since when its events are stored where its windows reach behind that.
 * Up to about 1,000 entity rows nothing measured was faster than arrays with lateral probes.
 */
export function asOfJoinSql(project: string, { views, rows, visibleIn }: AsOfJoin): Sql {
  const joinKeys = views[0]?.entity.joinKeys ?? []
  const keyColumns = joinKeys.map((_, index) => `key_${index}`)
  const starts = streamedStarts(views)
  const times = ['as_of', 'known_at', ...starts.map(({ column }) => column)]
  const arrays = [...joinKeys.map((key) => `${sqlType(key.type)}[]`), ...times.map(() => 'timestamptz[]')]
  const parameters = arrays.map((type, index) => `$${index + 1}::${type}`).join(', ')
  const values: unknown[] = [
    ...joinKeys.map((_, index) => rows.map((row) => row.key[index])),
    rows.map((row) => formatTimestamp(row.asOf)),
    rows.map((row) => (row.knownAt === null ? null : formatTimestamp(row.knownAt))),
    ...starts.map(({ startAt }) => rows.map((row) => formatTimestamp(startAt(row.asOf)))),
  ]
  const visible = snapshotParameter(visibleIn, values)
  const options = { project, starts, values, visible }
  const columns = views.map((view, index) => outputColumns(view, index, options))
  const probes = views.map((view, index) =>
    view.kind === 'STREAM'
      ? streamedProbe(view, { ...options, alias: `v${index}` })
      : probe(project, view, index, visible),
  )
  const computed = views.map((view, index) =>
    view.kind === 'BATCH' ? computedBy(view, index, options) : null,
  )
  const definitions = computed.flatMap((one) => one?.definitions ?? [])
  const lines = [
    ...(definitions.length === 0 ? [] : [`with ${definitions.join(', ')}`]),
    `select ${columns.flatMap((own, index) => [...own, ...(computed[index]?.columns ?? [])]).join(', ')}`,
    `from unnest(${parameters}) with ordinality as e(${[...keyColumns, ...times, 'place'].join(', ')})`,
    ...probes.flatMap((own, index) => [own, ...(computed[index]?.joins ?? [])]),
    'order by e.place',
  ]
  return { text: lines.join('\n'), values }
}

/** Columns that a view takes of each output row. */
export function asOfColumnCount(view: OfflineView): number {
  if (view.kind === 'STREAM') return 3 + streamedCellTypes(view).length
  return 2 + view.features.length + (view.kind === 'BATCH' ? 3 : 0)
}

function outputColumns(view: OfflineView, index: number, options: StreamedOptions): string[] {
  return [
    microsOf(`v${index}.event_timestamp`),
    microsOf(`v${index}.created_timestamp`),
    ...(view.kind === 'STREAM'
      ? streamedCellTypes(view).map((type, place) => selectExpression(type, `v${index}.cell_${place}`))
      : view.features.map((feature) => `v${index}.${quoteIdentifier(feature.name)}`)),
    ...(view.kind === 'BATCH' ? [`v${index}.${closingColumn}`] : []),
    ...(view.kind === 'STREAM' ? [storedSinceColumn(view, options)] : []),
  ]
}

export interface JoinedDefinitions {
  /** Of the WITH clause. */
  readonly definitions: string
  readonly joins: readonly string[]
  readonly columns: readonly string[]
}

/**
 * By which definitions the answer of a batch view was computed: that of the newest snapshot, and that of the row's own
 * where it is another (a row that was kept out of the newest, or pushed). A closing row only says that there is none.
 */
export function computedBy(
  view: BatchOfflineView,
  index: number,
  { project, values, visible }: Omit<StreamedOptions, 'starts'>,
): JoinedDefinitions {
  const parameters = viewParameters(project, view, values, visible)
  const [row, newest, own] = [`v${index}`, `g${index}`, `o${index}`]
  const governing = governingSnapshotSql(parameters, { at: 'e.as_of', knownAt: 'e.known_at' })
  const ofRow = governingSnapshotSql(parameters, {
    at: `${row}.event_timestamp`,
    knownAt: 'e.known_at',
    where: [`${row}.event_timestamp < ${newest}.as_of`, `${row}.${closingColumn} is not true`],
  })
  const hasEvents = hasEventsSql(view, { project: parameters.project, before: 'e.as_of', visible }, values)
  return {
    definitions: `d${index} as materialized (\n${definitionsSql(parameters)}\n)`,
    joins: [
      `left join lateral (\n${governing}\n) as ${newest} on true`,
      `left join d${index} as ${newest}d on ${newest}d.definition = ${newest}.definition`,
      `left join lateral (\n${ofRow}\n) as ${own} on true`,
      `left join d${index} as ${own}d on ${own}d.definition = ${own}.definition`,
    ],
    columns: [
      `case when ${newest}.as_of is null then case when ${row}.event_timestamp is null and ${hasEvents} then 'NEVER_FILLED' end` +
        ` when ${newest}d.lacking is null or (${own}.as_of is not null and ${own}d.lacking is null) then 'RECOMPUTING' end`,
      `nullif(${newest}d.lacking || coalesce(${own}d.lacking, '{}'), '{}')`,
    ],
  }
}

export function probe(
  project: string,
  view: StoredOfflineView,
  index: number,
  visible: string | null,
): string {
  const table = featureTable(project, view)
  const created = table.createdTimestamp === null ? null : `x.${table.createdTimestamp}`
  const event = `x.${table.eventTimestamp}`
  const features = view.features.map(
    (feature) => `${selectFeature(view, table, feature)} as ${quoteIdentifier(feature.name)}`,
  )
  if (view.kind === 'BATCH') features.push(`x.${closingColumn}`)
  const conditions = [
    ...view.entity.joinKeys.map((key, place) => {
      // A mapped key may be a uuid, which Postgres compares with no text; text and varchar keep their index.
      const cast = view.source !== null && key.type === 'string' ? '::text' : ''
      return `x.${table.column(key.name)}${cast} = e.key_${place}`
    }),
    `${event} <= e.as_of`,
    ...(created === null ? [] : [`(e.known_at is null or ${created} is null or ${created} <= e.known_at)`]),
    ...(view.source === null ? visibleSql('x.ingested_xid', visible) : []),
  ]
  return [
    'left join lateral (',
    `  select ${event}::timestamptz as event_timestamp, ${created ?? 'null'}::timestamptz as created_timestamp, ${features.join(', ')}`,
    `  from ${table.from} as x`,
    `  where ${conditions.join(' and ')}`,
    `  order by ${newestFirst(table).join(', ')}`,
    '  limit 1',
    `) as v${index} on true`,
  ].join('\n')
}
