import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type {
  DeadLetteredMessage,
  EventToStore,
  NewEvent,
  ProcessedMessages,
  ProcessedOutcomes,
  StoreOutcome,
} from '../../event-log.ts'
import type { EventStore } from '../../event-store.ts'
import type { StoredEventSource } from '../../stored-event-source.ts'
import { deletedFlags } from '../deletion/deletion-check.ts'
import { microsOf } from '../sql/column-type.ts'
import { keepableJson, keepableText } from '../sql/keepable-text.ts'
import { recordViolations } from '../system/violation-store.ts'
import { eventTable } from '../tables/event-table.ts'
import { countsSql } from './counted-events.ts'
import { hourMicros, recordArrivals } from './event-arrivals.ts'
import { eventCopy } from './event-copy.ts'
import { advancePositions, reservePlaces } from './event-positions.ts'

/** Where events are stored, and from which moment on they count. */
export interface StoreTarget {
  readonly project: string
  readonly source: StoredEventSource
  readonly topicId: number
  readonly storedAt: Micros
}

/** Stores and dead-letters, on the connection's transaction; see `EventLog.storeMessages`. */
export async function storeMessages(
  client: pg.ClientBase,
  place: StoreTarget,
  { events, deadLetters }: ProcessedMessages,
): Promise<ProcessedOutcomes> {
  const { project, source, topicId } = place
  const judged = await advancePositions(client, project, source.name, topicId, [...events, ...deadLetters])
  const isNew = (message: { readonly partition: number; readonly offset: number }): boolean =>
    message.offset >= (judged.get(message.partition) ?? 0)
  const newEvents = events.every(isNew) ? events : events.filter(isNew)
  const newDeadLetters = deadLetters.filter(isNew)
  const storedAt = await storedAtOf(client, place, newEvents)
  const kept = await storeNew(client, { ...place, storedAt }, newEvents)
  const deadLettered = await storeDeadLetters(client, place, newDeadLetters)
  await recordViolations(
    client,
    project,
    [
      ...newEvents.flatMap(({ violations }, index) => (kept[index] === 'STORED' ? violations : [])),
      ...newDeadLetters.flatMap(({ violations }, index) =>
        deadLettered[index] === 'DEAD_LETTERED' ? violations : [],
      ),
    ],
    [],
  )
  const eventOutcomes = kept.values()
  const deadLetterOutcomes = deadLettered.values()
  return {
    storedAt,
    events:
      newEvents === events
        ? kept
        : events.map((event) => (isNew(event) ? (eventOutcomes.next().value ?? 'PROCESSED') : 'PROCESSED')),
    deadLetters: deadLetters.map((message) =>
      isNew(message) ? (deadLetterOutcomes.next().value ?? 'PROCESSED') : 'PROCESSED',
    ),
  }
}

/** Stores events behind those of partition 0, on the connection's transaction. */
export async function appendEvents(
  client: pg.ClientBase,
  place: StoreTarget,
  events: readonly NewEvent[],
): Promise<readonly Exclude<StoreOutcome, 'PROCESSED'>[]> {
  const { project, source, topicId } = place
  const first = await reservePlaces(client, project, source.name, topicId, events.length)
  return await storeNew(
    client,
    { ...place, storedAt: await storedAtOf(client, place, events) },
    events.map((event, index) => ({ ...event, partition: 0, offset: first + index })),
  )
}

/**
 * The moment that events are stored at. Those with ids are stored by one writer of the source after the other, until the end of
 * the transaction, at moments that rise: so the one of an id that counts is the one that was stored first, for everybody.
 */
async function storedAtOf(
  client: pg.ClientBase,
  { project, source, storedAt }: StoreTarget,
  events: readonly { readonly eventId: string | null }[],
): Promise<Micros> {
  if (source.eventId === null || events.every(({ eventId }) => eventId === null)) return storedAt
  const { rows } = await client.query<{ moment: string }>(
    `insert into featuregraph.event_clocks as c (project, source, kept_at) values ($1, $2, $3)
     on conflict (project, source) do update
     set kept_at = greatest(c.kept_at + interval '1 microsecond', excluded.kept_at)
     returning ${microsOf('kept_at')} as moment`,
    [project, source.name, formatTimestamp(storedAt)],
  )
  return Number(rows[0]?.moment ?? storedAt)
}

/** Whose places are free and locked. */
async function storeNew(
  client: pg.ClientBase,
  place: StoreTarget,
  events: readonly EventToStore[],
): Promise<readonly Exclude<StoreOutcome, 'PROCESSED'>[]> {
  if (events.length === 0) return []
  const { project, source, storedAt } = place
  // The transaction has written: a deletion either is seen from here on, or waits for it.
  const deleted = await deletedEvents(client, project, source, events)
  const kept = events.filter((_, index) => deleted[index] !== true)
  await copyEvents(client, place, kept)
  await recordArrivals(
    client,
    project,
    source.name,
    new Set(kept.map(({ eventTimestamp }) => Math.floor(Math.min(eventTimestamp, storedAt) / hourMicros))),
  )
  const repeated = await repeatedEvents(client, place, kept)
  return events.map((event, index) => {
    if (deleted[index] === true) return 'DELETED'
    return repeated.size > 0 && repeated.has(placeName(event)) ? 'REPEATED' : 'STORED'
  })
}

/** One flag an event, in order; see `EventStore.deletedEvents`. */
export async function deletedEvents(
  client: pg.Pool | pg.ClientBase,
  project: string,
  source: StoredEventSource,
  events: Parameters<EventStore['deletedEvents']>[1],
): Promise<readonly boolean[]> {
  const rows = events.map(({ values, eventTimestamp }) => ({ key: values, eventTimestamp }))
  return await deletedFlags(client, project, source.fields, rows)
}

async function copyEvents(
  client: pg.ClientBase,
  { project, source, topicId, storedAt }: StoreTarget,
  events: readonly EventToStore[],
): Promise<void> {
  if (events.length === 0) return
  const copy = eventCopy(client, project, source, topicId)
  try {
    for (const { partition, offset, eventTimestamp, eventId, values } of events)
      copy.add(partition, offset, eventTimestamp, storedAt, eventId, (field) => values[field])
    await copy.end()
  } catch (error) {
    await copy.abort()
    throw error
  }
}

/** The places of those whose id another event had before. */
async function repeatedEvents(
  client: pg.ClientBase,
  { project, source, topicId }: StoreTarget,
  events: readonly EventToStore[],
): Promise<ReadonlySet<string>> {
  const identified = events.filter(({ eventId }) => eventId !== null)
  if (source.eventId === null || identified.length === 0) return new Set()
  const { rows } = await client.query<{ partition: number; offset: string }>(
    `select x.partition, x."offset"
     from unnest($2::int[], $3::bigint[], $4::timestamptz[]) as e(partition, position, at)
     join ${eventTable(project, source)} as x
       on x.topic_id = $1 and x.partition = e.partition and x."offset" = e.position and x.event_timestamp = e.at
     where not ${countsSql(project, source)}`,
    [
      topicId,
      identified.map(({ partition }) => partition),
      identified.map(({ offset }) => offset),
      identified.map(({ eventTimestamp }) => formatTimestamp(eventTimestamp)),
    ],
  )
  return new Set(rows.map(({ partition, offset }) => placeName({ partition, offset: Number(offset) })))
}

function placeName({ partition, offset }: { readonly partition: number; readonly offset: number }): string {
  return `${partition} ${offset}`
}

async function storeDeadLetters(
  client: pg.ClientBase,
  { project, source, topicId, storedAt }: StoreTarget,
  messages: readonly DeadLetteredMessage[],
): Promise<readonly ('DEAD_LETTERED' | 'DELETED')[]> {
  if (messages.length === 0) return []
  const known = messages.flatMap(({ event }) => (event === null ? [] : [event]))
  const flags = await deletedEvents(client, project, source, known)
  const deleted = new Set(known.filter((_, index) => flags[index]))
  const told = messages.filter(({ event }) => event === null || !deleted.has(event))
  await client.query(
    `insert into featuregraph.quarantine
       (project, view, topic_id, recorded_at, published, partition, "offset", message_key, message, content, reason)
     select $1, $2, $3, $4, false, m.partition, m.position, m.key, m.value, m.content::jsonb, m.reason
     from unnest($5::int[], $6::bigint[], $7::bytea[], $8::bytea[], $9::text[], $10::text[])
       as m(partition, position, key, value, content, reason)`,
    [
      project,
      source.name,
      topicId,
      formatTimestamp(storedAt),
      told.map(({ partition }) => partition),
      told.map(({ offset }) => offset),
      told.map(({ key }) => key),
      told.map(({ value }) => value),
      told.map(({ content }) => keepableJson(content)),
      told.map(({ reason }) => keepableText(reason)),
    ],
  )
  return messages.map(({ event }) => (event !== null && deleted.has(event) ? 'DELETED' : 'DEAD_LETTERED'))
}
