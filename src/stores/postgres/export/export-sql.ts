import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { ScalarType, ValueType } from '../../../definitions/value-type.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import type { ExportedPart, ExportSubject } from '../../rows-to-export.ts'
import type { StoredEventSource } from '../../stored-event-source.ts'
import { type DeletedKind, notDeletedSql } from '../deletion/deletion-check.ts'
import { countedAt, counts, furthestAhead } from '../events/counted-events.ts'
import { otherMeaningsSql } from '../features/stored-rows.ts'
import { selectExpression, selectedType, sqlType } from '../sql/column-type.ts'
import { quoteIdentifier, quoteTable } from '../sql/identifier.ts'
import type { Sql } from '../sql/statement.ts'
import { visibleSql } from '../sql/visible-in.ts'
import { eventTable } from '../tables/event-table.ts'
import { closingColumn, featureTable, selectedFeatureType, selectFeature } from '../tables/feature-table.ts'
import { viewParameters } from '../windows/computed-by.ts'

export interface ExportScope {
  readonly project: string
  readonly subject: ExportSubject
  readonly part: ExportedPart
  /** Behind it nothing is seen. */
  readonly visibleIn: string | null
  /** Events before it are not all there. RFC 3339. */
  readonly storedSince: string | null
  /** Kinds of deleted entities that rows are held against: one that was deleted may not have been erased yet. */
  readonly deleted: readonly DeletedKind[]
}

/** What both statements read: `x` and its day's time, and what holds for the rows. */
interface Rows {
  readonly from: string
  readonly time: string
  readonly conditions: readonly string[]
}

/** Columns: the day since 1970 in UTC, the number of its rows; in order. */
export function exportDaysSql(scope: ExportScope): Sql {
  const values: unknown[] = []
  const { from, time, conditions } = rowsOf(scope, values)
  const text = [
    `select ${dayOf(time)} as day, count(*) as rows`,
    `from ${from}`,
    `where ${conditions.join('\n  and ')}`,
    'group by 1 order by 1',
  ]
  return { text: text.join('\n'), values }
}

/**
 * Columns: of events the fields, their own time, when they count, when they were stored, topic, partition, offset and verdict;
 * of rows the join keys, the features, both times, the row id and whether it is a closing row, of a batch view also the ids of
 * features that meant something else when the row was computed.
 */
export function exportRowsSql(scope: ExportScope): Sql {
  const { subject } = scope
  return subject.kind === 'EVENTS' ? eventsSql(scope, subject.source) : featureRowsSql(scope, subject.view)
}

/** The columns' types as they leave the database. */
export function exportedTypes(subject: ExportSubject): readonly ValueType[] {
  if (subject.kind === 'EVENTS')
    return [
      ...subject.source.fields.map(({ type }) => selectedType(type)),
      ...(['timestamp', 'timestamp', 'timestamp', 'string', 'int32', 'int64', 'bool'] as const),
    ]
  const { view } = subject
  return [
    ...view.entity.joinKeys.map(({ type }) => type),
    ...view.features.map((feature) => selectedFeatureType(view, feature)),
    ...(['timestamp', 'timestamp', 'int64', 'bool'] as const),
    ...(view.kind === 'BATCH' ? (['string[]'] as const) : []),
  ]
}

function eventsSql(scope: ExportScope, source: StoredEventSource): Sql {
  const values: unknown[] = []
  const { from, time, conditions } = rowsOf(scope, values)
  const isMapped = source.table !== null
  const event = eventTimeOf(source)
  const stored = storedTimeOf(source)
  const place = isMapped
    ? ['null::text', 'null::integer', 'null::bigint', 'true']
    : ['t.topic', 'x.partition', 'x."offset"', counts]
  const outputs = [
    ...source.fields.map(({ name, type, column }) => fieldOf(isMapped ? column : name, type)),
    `${event}::timestamptz`,
    `${time}::timestamptz`,
    stored === null ? 'null::timestamptz' : `case when isfinite(${stored}) then ${stored}::timestamptz end`,
    ...place,
  ]
  const order = [time, ...(isMapped ? [] : ['t.topic collate "C"', 'x.partition', 'x."offset"'])]
  const text = [
    `select ${outputs.join(', ')}`,
    `from ${from}${isMapped ? '' : ' join featuregraph.event_topics as t on t.id = x.topic_id'}`,
    `where ${conditions.join('\n  and ')}`,
    `order by ${order.join(', ')}`,
  ]
  return { text: text.join('\n'), values }
}

function featureRowsSql(scope: ExportScope, view: StoredOfflineView): Sql {
  const values: unknown[] = []
  const { from, time, conditions } = rowsOf(scope, values)
  const table = featureTable(scope.project, view)
  const created = table.createdTimestamp === null ? null : `x.${table.createdTimestamp}`
  const rowId = table.rowId === null ? null : `x.${table.rowId}::text`
  const keys = view.entity.joinKeys.map(({ name, type }, index) => ({
    shown: `${selectExpression(type, `x.${table.column(name)}`)} as key_${index}`,
    order: type === 'string' ? `r.key_${index} collate "C"` : `r.key_${index}`,
  }))
  const outputs = [
    ...keys.map(({ shown }) => shown),
    ...view.features.map(
      (feature) => `${selectFeature(view, table, feature)} as ${quoteIdentifier(feature.name)}`,
    ),
    `${time}::timestamptz as event_timestamp`,
    `${created === null ? 'null' : `case when isfinite(${created}) then ${created} end`}::timestamptz as created_timestamp`,
    // A mapped table may call anything so.
    `${rowId === null ? 'null' : `case when ${rowId} ~ '^-?[0-9]{1,18}$' then ${rowId} end`}::bigint as row_id`,
    `${view.kind === 'BATCH' ? `coalesce(x.${closingColumn}, false)` : 'false'} as closing`,
  ]
  const columns = [
    ...keys.map((_, index) => `r.key_${index}`),
    ...view.features.map(({ name }) => `r.${quoteIdentifier(name)}`),
    ...['r.event_timestamp', 'r.created_timestamp', 'r.row_id', 'r.closing'],
  ]
  const meanings =
    view.kind === 'BATCH' ? otherMeaningsSql(viewParameters(scope.project, view, values, null)) : []
  const text = [
    `select ${[...columns, ...(meanings.length === 0 ? [] : ['d.others'])].join(', ')}`,
    'from (',
    `  select ${outputs.join(', ')}`,
    `  from ${from}`,
    `  where ${conditions.join('\n    and ')}`,
    ') as r',
    ...meanings,
    `order by ${[dayOf('r.event_timestamp'), ...keys.map(({ order }) => order), 'r.event_timestamp', 'r.row_id'].join(', ')}`,
  ]
  return { text: text.join('\n'), values }
}

/** Earlier than any deletion, and later than -infinity, which stands for none. */
const knownAlways = '4714-11-24 00:00:00+00 BC'

function rowsOf({ project, subject, part, ...scope }: ExportScope, values: unknown[]): Rows {
  const time = (micros: number): string => `$${values.push(formatTimestamp(micros))}::timestamptz`
  const isStored = subject.kind === 'EVENTS' && subject.source.table === null
  const { from, event, known, own, mapped } = tableOf(project, subject)
  const day = isStored ? countedAt : event
  const conditions = [
    ...(part.from === null ? [] : [`${day} >= ${time(part.from)}`]),
    ...(part.to === null ? [] : [`${day} < ${time(part.to)}`]),
    ...(scope.storedSince === null ? [] : [`${day} >= $${values.push(scope.storedSince)}::timestamptz`]),
  ]
  // The months that such events can stand in.
  if (isStored && part.from !== null) conditions.push(`${event} >= ${time(part.from)}`)
  if (isStored && part.to !== null) conditions.push(`${event} < ${time(part.to)} + ${furthestAhead}`)
  const column = ({ column: name, type }: { readonly column: string; readonly type: ScalarType }): string =>
    `${name}::${sqlType(type)}`
  const notDeleted = notDeletedSql(project, scope.deleted, {
    // What was known by then is erased too, whatever time it is of.
    event: known === null ? event : `least(${event}, coalesce(${known}, '${knownAlways}'))`,
    column: (name) => column(own.find((one) => one.name === name) ?? { column: 'null', type: 'string' }),
    value: (parameter) => `$${values.push(parameter)}`,
  })
  if (mapped) {
    conditions.push(
      `isfinite(${event})`,
      ...(subject.kind === 'ROWS' ? own.map(({ column: name }) => `${name} is not null`) : []),
    )
  } else {
    const snapshot = (text: string): string => `$${values.push(text)}::pg_snapshot`
    if (scope.visibleIn !== null) conditions.push(...visibleSql('x.ingested_xid', snapshot(scope.visibleIn)))
    if (part.since !== null) {
      const since = snapshot(part.since)
      // By the index of arrivals, where there is one.
      conditions.push(
        `x.ingested_xid >= pg_snapshot_xmin(${since})`,
        `not pg_visible_in_snapshot(x.ingested_xid, ${since})`,
      )
    }
  }
  conditions.push(...notDeleted)
  return { from, time: day, conditions: conditions.length === 0 ? ['true'] : conditions }
}

interface ReadTable {
  readonly from: string
  readonly event: string
  readonly mapped: boolean
  /** Since when a row of a table of ours is known; null of a mapped one. */
  readonly known: string | null
  /** Columns that name entities. */
  readonly own: readonly { readonly name: string; readonly column: string; readonly type: ScalarType }[]
}

function tableOf(project: string, subject: ExportSubject): ReadTable {
  if (subject.kind === 'EVENTS') {
    const { source } = subject
    const isMapped = source.table !== null
    return {
      from: `${source.table === null ? eventTable(project, source) : quoteTable(source.table)} as x`,
      event: eventTimeOf(source),
      mapped: isMapped,
      known: isMapped ? null : 'x.ingested_at',
      own: source.fields.map(({ name, type, column }) => ({
        ...{ name, type },
        column: `x.${quoteIdentifier(isMapped ? column : name)}`,
      })),
    }
  }
  const { view } = subject
  const table = featureTable(project, view)
  return {
    from: `${table.from} as x`,
    event: `x.${table.eventTimestamp}`,
    mapped: view.source !== null,
    known: view.source === null ? `x.${table.createdTimestamp}` : null,
    own: view.entity.joinKeys.map(({ name, type }) => ({ name, type, column: `x.${table.column(name)}` })),
  }
}

function eventTimeOf({ table, eventTimestamp }: StoredEventSource): string {
  return `x.${quoteIdentifier(table === null ? 'event_timestamp' : eventTimestamp)}`
}

function storedTimeOf({ table, createdTimestamp }: StoredEventSource): string | null {
  if (table === null) return 'x.ingested_at'
  return createdTimestamp === null ? null : `x.${quoteIdentifier(createdTimestamp)}`
}

function fieldOf(column: string, type: ScalarType): string {
  return selectExpression(type, `x.${quoteIdentifier(column)}`)
}

/** Since 1970, in UTC, whatever the session's zone; of a time without one as it stands. */
function dayOf(time: string): string {
  return `((${time}::timestamptz at time zone 'UTC')::date - date '1970-01-01')`
}
