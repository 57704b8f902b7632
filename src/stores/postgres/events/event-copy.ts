import type pg from 'pg'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { Value } from '../../../definitions/value.ts'
import type { StoredEventSource } from '../../stored-event-source.ts'
import { type CopyRows, copyRows } from '../sql/copy-rows.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { eventTable } from '../tables/event-table.ts'

/** Stored events by COPY, on the connection's transaction; whose places must be free. */
export interface EventCopy extends Omit<CopyRows, 'add'> {
  /** `fieldValue` gives the source's fields by their places. */
  readonly add: (
    partition: number,
    offset: number,
    eventTimestamp: Micros,
    storedAt: Micros | null,
    eventId: string | null,
    counts: boolean,
    fieldValue: (field: number) => Value | null | undefined,
  ) => void
}

const columns = [
  'topic_id',
  'partition',
  'offset',
  'event_timestamp',
  'ingested_at',
  'event_id',
  'counts',
] as const
const types = ['int32', 'int32', 'int64', 'timestamp', 'timestamp', 'string', 'bool'] as const

export function eventCopy(
  client: pg.ClientBase,
  project: string,
  source: StoredEventSource,
  topicId: number,
): EventCopy {
  const names = [...columns, ...source.fields.map(({ name }) => name)].map(quoteIdentifier)
  const into = `${eventTable(project, source)} (${names.join(', ')})`
  const copy = copyRows(client, into, [...types, ...source.fields.map(({ type }) => type)])
  const row: (Value | null)[] = names.map(() => null)
  row[0] = topicId
  return {
    ...copy,
    add(partition, offset, eventTimestamp, storedAt, eventId, counts, fieldValue) {
      row[1] = partition
      row[2] = offset
      row[3] = eventTimestamp
      row[4] = storedAt
      row[5] = eventId
      row[6] = counts
      for (let field = 0; field < source.fields.length; field += 1)
        row[columns.length + field] = fieldValue(field) ?? null
      copy.add(row)
    },
  }
}
