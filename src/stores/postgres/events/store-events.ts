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
import { keepableJson, keepableText } from '../sql/keepable-text.ts'
import { recordViolations } from '../system/violation-store.ts'
import { claimEvents } from './claim-events.ts'
import { hourMicros, recordArrivals } from './event-arrivals.ts'
import { eventCopy } from './event-copy.ts'
import { advancePositions, type PositionsTarget, reservePlaces } from './event-positions.ts'

/** Where events are stored, and from which moment on they count. */
export interface StoreTarget extends PositionsTarget {
  readonly source: StoredEventSource
}

/** What was stored, and the latest moment of its partitions, which is ahead where a clock has come back. */
interface Stored<Outcomes> {
  readonly outcomes: Outcomes
  readonly latest: Micros
}

/** Stores and dead-letters, on the connection's transaction; see `EventLog.storeMessages`. */
export async function storeMessages(
  client: pg.ClientBase,
  place: StoreTarget,
  { events, deadLetters }: ProcessedMessages,
): Promise<Stored<ProcessedOutcomes>> {
  const { project } = place
  const { before, latest } = await advancePositions(client, place, [...events, ...deadLetters])
  const isNew = (message: { readonly partition: number; readonly offset: number }): boolean =>
    message.offset >= (before.get(message.partition) ?? 0)
  const newEvents = events.every(isNew) ? events : events.filter(isNew)
  const newDeadLetters = deadLetters.filter(isNew)
  const kept = await storeNew(client, place, newEvents)
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
  const outcomes = {
    storedAt: place.storedAt,
    events:
      newEvents === events
        ? kept
        : events.map((event) => (isNew(event) ? (eventOutcomes.next().value ?? 'PROCESSED') : 'PROCESSED')),
    deadLetters: deadLetters.map((message) =>
      isNew(message) ? (deadLetterOutcomes.next().value ?? 'PROCESSED') : 'PROCESSED',
    ),
  }
  return { outcomes, latest }
}

/** Stores events behind those of partition 0, on the connection's transaction. */
export async function appendEvents(
  client: pg.ClientBase,
  place: StoreTarget,
  events: readonly NewEvent[],
): Promise<Stored<readonly Exclude<StoreOutcome, 'PROCESSED'>[]>> {
  const { first, latest } = await reservePlaces(client, place, events.length)
  const outcomes = await storeNew(
    client,
    place,
    events.map((event, index) => ({ ...event, partition: 0, offset: first + index })),
  )
  return { outcomes, latest }
}

/** Whose positions are free and locked, on the connection's transaction. */
export async function storeNew(
  client: pg.ClientBase,
  place: StoreTarget,
  events: readonly EventToStore[],
): Promise<readonly Exclude<StoreOutcome, 'PROCESSED'>[]> {
  if (events.length === 0) return []
  const { project, source, storedAt } = place
  // The transaction has written: a deletion either is seen from here on, or waits for it.
  const deleted = await deletedEvents(client, project, source, events)
  const kept = events.filter((_, index) => deleted[index] !== true)
  const repeated =
    source.eventId === null ? new Set<number>() : await claimEvents(client, project, source.name, kept)
  await copyEvents(client, place, kept, repeated)
  // A repeat changes no snapshot.
  const counted = repeated.size === 0 ? kept : kept.filter((_, index) => !repeated.has(index))
  await recordArrivals(
    client,
    project,
    source.name,
    new Set(counted.map(({ eventTimestamp }) => Math.floor(Math.min(eventTimestamp, storedAt) / hourMicros))),
  )
  let index = -1
  return events.map((_, place) => {
    if (deleted[place] === true) return 'DELETED'
    index += 1
    return repeated.has(index) ? 'REPEATED' : 'STORED'
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
  repeated: ReadonlySet<number>,
): Promise<void> {
  if (events.length === 0) return
  const copy = eventCopy(client, project, source, topicId)
  try {
    for (const [index, { partition, offset, eventTimestamp, eventId, values }] of events.entries()) {
      const counts = !repeated.has(index)
      copy.add(partition, offset, eventTimestamp, storedAt, eventId, counts, (field) => values[field])
    }
    await copy.end()
  } catch (error) {
    await copy.abort()
    throw error
  }
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
  const letters = messages.filter(({ event }) => event === null || !deleted.has(event))
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
      letters.map(({ partition }) => partition),
      letters.map(({ offset }) => offset),
      letters.map(({ key }) => key),
      letters.map(({ value }) => value),
      letters.map(({ content }) => keepableJson(content)),
      letters.map(({ reason }) => keepableText(reason)),
    ],
  )
  return messages.map(({ event }) => (event !== null && deleted.has(event) ? 'DELETED' : 'DEAD_LETTERED'))
}
