import { createHash } from 'node:crypto'
import type { Micros } from '../../../definitions/timestamp.ts'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { StoredEventSource } from '../../stored-event-source.ts'
import { sqlType } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { type ManagedColumn, managedColumn } from './managed-column.ts'

/** The schema of a project's stored events: `events`, or `events_<project>` beside the default project. */
export function eventSchema(project: string): string {
  return project === 'default' ? 'events' : `events_${project}`
}

/** Months stand in a schema of their own, so that no source's name can meet one. */
export function eventPartitionSchema(project: string): string {
  return project === 'default' ? 'event_partitions' : `event_partitions_${project}`
}

export function eventTable(project: string, source: StoredEventSource): string {
  return `${quoteIdentifier(eventSchema(project))}.${quoteIdentifier(source.name)}`
}

/** The columns of a table of stored events, in order: where the event stood, its times, its id, verdict and transaction, its fields. */
export function eventColumns(source: StoredEventSource): readonly ManagedColumn[] {
  return [
    managedColumn('topic_id', 'integer', true),
    managedColumn('partition', 'integer', true),
    managedColumn('offset', 'bigint', true),
    managedColumn('event_timestamp', 'timestamp with time zone', true),
    managedColumn('ingested_at', 'timestamp with time zone', true),
    managedColumn('event_id', 'text', false),
    // False: another event of its id was accepted first, and counts instead, also when it is gone.
    managedColumn('counts', 'boolean', true, ' default true'),
    // Null: written before the column was there.
    managedColumn('ingested_xid', 'xid8', false, ' default pg_current_xact_id()'),
    ...source.fields.map((field) => managedColumn(field.name, sqlType(field.type), false)),
  ]
}

/** Statements that make a table of stored events, without any month; each can be run again. */
export function createEventTable(project: string, source: StoredEventSource): readonly string[] {
  const table = eventTable(project, source)
  const lines = [
    ...eventColumns(source).map((column) => column.definition),
    'primary key (topic_id, partition, "offset", event_timestamp)',
  ]
  const make = `create table if not exists ${table} (\n  ${lines.join(',\n  ')}\n) partition by range (event_timestamp)`
  const lookups = source.indexedKeys.map((keys) => {
    const name = shortName(`${source.name}_${keys.join('_')}`)
    const columns = [...keys.map(quoteIdentifier), 'event_timestamp'].join(', ')
    return `create index if not exists ${name} on ${table} (${columns})`
  })
  // Nearly free, since moments mostly rise; for those that lie ahead of a clock that came back.
  const moments = shortName(`${source.name}_ingested_at`)
  return [make, ...lookups, `create index if not exists ${moments} on ${table} using brin (ingested_at)`]
}

/**
 * One statement that makes the partition for the month (UTC) that the instant is in, if it is not there. The month is
 * attached, not made as a part of the table: that waits for no one who reads or writes events, and lets nobody wait, also
 * while a transaction of ours is writing. To be run in a transaction of its own, one at a time.
 */
export function createEventMonth(project: string, source: StoredEventSource, instant: Micros): string {
  const month = new Date(instant / 1_000)
  const year = month.getUTCFullYear()
  const start = Date.UTC(year, month.getUTCMonth()) * 1_000
  const end = Date.UTC(year, month.getUTCMonth() + 1) * 1_000
  const name = shortName(`${source.name}_${String(year)}_${String(month.getUTCMonth() + 1).padStart(2, '0')}`)
  const partition = `${quoteIdentifier(eventPartitionSchema(project))}.${name}`
  const table = eventTable(project, source)
  return [
    'do $$ begin',
    `  if to_regclass('${partition}') is null then`,
    `    create table ${partition} (like ${table} including defaults);`,
    `    alter table ${table} attach partition ${partition}`,
    `      for values from ('${formatTimestamp(start)}') to ('${formatTimestamp(end)}');`,
    '  end if;',
    'end $$',
  ].join('\n')
}

/** At most 63 bytes: a long name is cut and made unique by a digest. */
function shortName(name: string): string {
  if (name.length <= 63) return quoteIdentifier(name)
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 8)
  return quoteIdentifier(`${name.slice(0, 54)}_${digest}`)
}
