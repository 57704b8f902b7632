import { decimalBounds } from '../../../definitions/decimal.ts'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import { decimalDigits, isDecimal, type ScalarType } from '../../../definitions/value-type.ts'
import type { SnapshotComputation, SpanAggregation } from '../../snapshot-store.ts'
import { type DeletedKind, notDeletedSql } from '../deletion/deletion-check.ts'
import { countedAt, counts, furthestAhead } from '../events/counted-events.ts'
import { sqlType } from '../sql/column-type.ts'
import { quoteIdentifier, quoteTable } from '../sql/identifier.ts'
import type { Sql } from '../sql/statement.ts'
import { eventTable } from '../tables/event-table.ts'
import { spanCells, whereConditions } from './span-cells.ts'

type SpanQuestion = Pick<SnapshotComputation, 'view' | 'bounds' | 'aggregations'>

/**
 * Events → one row per key and span that has any, in the order of the keys (strings by their bytes) and spans. Columns:
 * the join keys, the span's number, its events, then the cells of each aggregation as `spanAggregate` reads them. One
 * scan of the events between the first and the last bound, however many snapshots are made of the spans. `deleted`: kinds
 * of entities whose deletions events of a mapped table are held against; stored events are gone with their entity.
 */
export function spansSql(
  project: string,
  { view, bounds, aggregations }: SpanQuestion,
  deleted: readonly DeletedKind[] = [],
): Sql {
  const begin = bounds[0] ?? 0
  const values: unknown[] = [formatTimestamp(begin), formatTimestamp(bounds.at(-1) ?? 0)]
  const keys = view.entity.joinKeys.map(({ name, type }) =>
    type === 'string' ? `e.${quoteIdentifier(name)} collate "C"` : `e.${quoteIdentifier(name)}`,
  )
  const span =
    bounds.length <= 2
      ? '0'
      : `width_bucket(e.event_timestamp, $${values.push(bounds.map(formatTimestamp))}::timestamptz[]) - 1`
  // Mapped tables have no positions: of equal times any may come first.
  const order = ['event_timestamp', ...(view.events.table === null ? ['topic', 'partition', '"offset"'] : [])]
  const cells = aggregations.flatMap((aggregation) => cellsSince(aggregation, begin, order, values))
  const places = [...keys, span].map((_, index) => String(index + 1)).join(', ')
  const needsPlace = aggregations.some(({ aggregate }) => aggregate === 'first' || aggregate === 'last')
  const text = [
    `select ${[...keys, span, 'count(*)', ...cells].join(',\n  ')}`,
    `from (\n${eventsSql(project, view, needsPlace, deleted, values)}\n) as e`,
    `group by ${places}`,
    `order by ${places}`,
  ]
  return { text: text.join('\n'), values }
}

/** Events of the span $1 to $2 whose keys are there, under the names of the fields, times and places as one knows them. */
function eventsSql(
  project: string,
  { events, entity }: SpanQuestion['view'],
  needsPlace: boolean,
  deleted: readonly DeletedKind[],
  values: unknown[],
): string {
  const mapped = events.table !== null
  const from = events.table === null ? eventTable(project, events) : quoteTable(events.table)
  const column = (name: string, original: string): string => `x.${quoteIdentifier(mapped ? original : name)}`
  const event = column('event_timestamp', events.eventTimestamp)
  // An event from ahead counts from the moment that it was stored; of a mapped table that is not known.
  const counted = mapped ? event : countedAt
  const placed = needsPlace && !mapped
  const outputs = [
    `${counted}::timestamptz as event_timestamp`,
    ...events.fields.map(({ name, type, column: original }) => {
      const value = column(name, original)
      return `${mapped ? finite(type, value) : value} as ${quoteIdentifier(name)}`
    }),
    ...(placed ? ['t.topic', 'x.partition', 'x."offset"'] : []),
  ]
  const conditions = [
    `${event} >= $1::timestamptz`,
    ...(mapped
      ? [`${event} < $2::timestamptz`]
      : [
          `${event} < $2::timestamptz + ${furthestAhead}`,
          `${counted} >= $1::timestamptz`,
          `${counted} < $2::timestamptz`,
        ]),
    ...entity.joinKeys.map(({ name }) => {
      const original = events.fields.find((field) => field.name === name)?.column ?? name
      return `${column(name, original)} is not null`
    }),
    ...(mapped ? [] : [counts]),
    ...notDeletedSql(project, deleted, {
      event,
      column: (name) => {
        const field = events.fields.find((one) => one.name === name)
        return `${column(name, field?.column ?? name)}::${sqlType(field?.type ?? 'string')}`
      },
      value: (parameter) => `$${values.push(parameter)}`,
    }),
  ]
  const topics = 'join featuregraph.event_topics as t on t.id = x.topic_id'
  return [
    `  select ${outputs.join(', ')}`,
    `  from ${from} as x${placed ? ` ${topics}` : ''}`,
    `  where ${conditions.join('\n    and ')}`,
  ].join('\n')
}

/** A mapped column in its field's type; what is no finite number, or more than a decimal holds exactly, is null. */
function finite(type: ScalarType, value: string): string {
  if (isDecimal(type)) {
    const digits = decimalDigits(type)
    const { min, max } = decimalBounds(digits)
    const numeric = `${value}::numeric`
    // NaN is above every number.
    const fits = `${numeric} between ${min} and ${max} and ${numeric} = trunc(${numeric}, ${digits})`
    return `case when ${fits} then ${numeric}::${sqlType(type)} end`
  }
  if (type !== 'float32' && type !== 'float64') return `${value}::${sqlType(type)}`
  // Compared as float8: numeric has a NaN of its own, and Postgres takes NaN for the largest of all.
  const double = `${value}::float8`
  return `case when abs(${double}) < 'Infinity'::float8 then ${double} end`
}

function cellsSince(
  aggregation: SpanAggregation,
  begin: Micros,
  order: readonly string[],
  values: unknown[],
): readonly string[] {
  const { where, since } = aggregation
  const conditions = whereConditions(where, values)
  if (since !== null && since > begin)
    conditions.push(`e.event_timestamp >= $${values.push(formatTimestamp(since))}::timestamptz`)
  return spanCells(aggregation, { conditions, order, isSingle: since !== null })
}
