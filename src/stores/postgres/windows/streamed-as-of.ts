import type { Micros } from '../../../definitions/timestamp.ts'
import type { Value } from '../../../definitions/value.ts'
import type { ValueType } from '../../../definitions/value-type.ts'
import type { WindowedAggregation } from '../../../definitions/windowed-aggregation.ts'
import { spanAggregate } from '../../../windows/aggregates/aggregates.ts'
import { windowStart } from '../../../windows/hop.ts'
import type { OfflineView, StreamedOfflineView } from '../../offline-view.ts'
import { countedAt, counts, furthestAhead } from '../events/counted-events.ts'
import { fromSql, microsOf } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { visibleSql } from '../sql/visible-in.ts'
import { eventTable } from '../tables/event-table.ts'
import { spanCells, whereConditions } from './span-cells.ts'

/** A column of the entity rows: where the windows of one length and hop begin at each row's time. */
export interface StreamedStart {
  readonly column: string
  readonly windowMicros: Micros
  readonly hopMicros: Micros
  readonly startAt: (asOf: Micros) => Micros
}

/** One for every distinct window and hop of the streaming views. */
export function streamedStarts(views: readonly OfflineView[]): readonly StreamedStart[] {
  const starts = new Map<string, StreamedStart>()
  for (const { windowMicros, hopMicros } of views.flatMap(aggregationsOf)) {
    const place = JSON.stringify([windowMicros, hopMicros])
    if (starts.has(place)) continue
    const startAt = (asOf: Micros): Micros => windowStart(asOf, windowMicros, hopMicros)
    starts.set(place, { column: `start_${starts.size}`, windowMicros, hopMicros, startAt })
  }
  return [...starts.values()]
}

function aggregationsOf(view: OfflineView): readonly WindowedAggregation[] {
  return view.kind === 'STREAM' ? view.aggregations : []
}

/** The types of the columns `cell_0`, `cell_1`, … of a streaming view's probe. */
export function streamedCellTypes({ aggregations }: StreamedOfflineView): readonly ValueType[] {
  return aggregations.flatMap((aggregation) => spanAggregate(aggregation, true).cells)
}

export interface StreamedOptions {
  readonly project: string
  /** As the columns of the entity rows `e`. */
  readonly starts: readonly StreamedStart[]
  /** Of the statement; what is needed more is added. */
  readonly values: unknown[]
  /** The parameter of `AsOfJoin.visibleIn`. */
  readonly visible: string | null
}

/** What says where the windows of an aggregation begin, as a column of the entity rows. */
function startOf({ windowMicros, hopMicros }: WindowedAggregation, { starts }: StreamedOptions): string {
  return (
    starts.find((start) => start.windowMicros === windowMicros && start.hopMicros === hopMicros)?.column ?? ''
  )
}

function earliestStart(columns: readonly string[]): string {
  const all = columns.map((column) => `e.${column}`).join(', ')
  return columns.length === 1 ? all : `least(${all})`
}

/**
 * Since when the events are stored, in microseconds, for the entity rows whose windows begin before that; null for others.
 * In the statement that reads the events: its snapshot is taken when its partitions are known and locked, so that it holds
 * the moment which was committed before one of them could be missing. Also where reads are bound to an earlier snapshot: what
 * is dropped since is not there.
 */
export function storedSinceColumn(
  { events, aggregations }: StreamedOfflineView,
  options: StreamedOptions,
): string {
  const { project, values } = options
  const columns = [...new Set(aggregations.map((aggregation) => startOf(aggregation, options)))]
  return [
    `(select ${microsOf('r.kept_since')} from featuregraph.event_retention as r`,
    `where r.project = $${values.push(project)}::text and r.source = $${values.push(events.name)}::text`,
    `and r.kept_since > ${earliestStart(columns)})`,
  ].join(' ')
}

/**
 * A lateral probe of the stored events: one row, with null times where no event counts, and the cells of a single span, in
 * which each aggregation takes the events of its own window. Reads the events of one key from the earliest window's start
 * on by the index (join keys, event_timestamp). The index knows the events' own timestamps only, which are the times that
 * they count at or later ones; hence its upper bound.
 */
export function streamedProbe(
  { events, entity, aggregations }: StreamedOfflineView,
  options: StreamedOptions & { readonly alias: string },
): string {
  const { project, values, visible, alias } = options
  const columns = [...new Set(aggregations.map((aggregation) => startOf(aggregation, options)))]
  const earliest = earliestStart(columns)
  const effective = countedAt
  const needsPlace = aggregations.some(({ aggregate }) => aggregate === 'first' || aggregate === 'last')
  const read = new Set(
    aggregations.flatMap(({ field, where }) => [
      ...(field === null ? [] : [field.name]),
      ...where.map((one) => one.field.name),
    ]),
  )
  const outputs = [
    `${effective} as event_timestamp`,
    'x.ingested_at',
    ...columns.map((column) => `${effective} >= e.${column} as after_${column}`),
    ...(needsPlace ? ['t.topic', 'x.partition', 'x."offset"'] : []),
    ...[...read].map((name) => `x.${quoteIdentifier(name)}`),
  ]
  const conditions = [
    ...entity.joinKeys.map(({ name }, place) => `x.${quoteIdentifier(name)} = e.key_${place}`),
    `x.event_timestamp >= ${earliest} and x.event_timestamp < e.as_of + ${furthestAhead}`,
    `${effective} >= ${earliest} and ${effective} < e.as_of`,
    '(e.known_at is null or x.ingested_at <= e.known_at)',
    counts,
    ...visibleSql('x.ingested_xid', visible),
  ]
  const cells = aggregations.flatMap((aggregation) =>
    spanCells(aggregation, {
      conditions: [...whereConditions(aggregation.where, values), `e.after_${startOf(aggregation, options)}`],
      order: ['event_timestamp', 'topic', 'partition', '"offset"'],
      isSingle: true,
    }),
  )
  const topics = needsPlace ? ' join featuregraph.event_topics as t on t.id = x.topic_id' : ''
  const selected = [
    'max(e.event_timestamp) as event_timestamp',
    'max(e.ingested_at) as created_timestamp',
    ...cells.map((cell, place) => `${cell} as cell_${place}`),
  ]
  return [
    'left join lateral (',
    `  select ${selected.join(',\n    ')}`,
    '  from (',
    `    select ${outputs.join(', ')}`,
    `    from ${eventTable(project, events)} as x${topics}`,
    `    where ${conditions.join('\n      and ')}`,
    // Sums of floats depend on the order, and what is read again must be the same to the last bit.
    ...(visible === null ? [] : ['    order by x.event_timestamp, x.topic_id, x.partition, x."offset"']),
    '  ) as e',
    `) as ${alias} on true`,
  ].join('\n')
}

/** The cells from `first` on → the features' values, as a snapshot would finish them; an overflow is null. */
export function readStreamedValues(
  { aggregations }: StreamedOfflineView,
  columns: readonly unknown[],
  first: number,
  countNonFinite: () => void,
): readonly (Value | null)[] {
  let next = first
  return aggregations.map((aggregation) => {
    const span = spanAggregate(aggregation, true)
    const cells = span.cells.map((type, place) => fromSql(type, columns[next + place], countNonFinite))
    next += cells.length
    return span.slide([0], [cells], 0, [{ from: 0, to: 1 }])(0).value
  })
}
