import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type {
  DecidedMessages,
  DecisionOutcomes,
  EventToKeep,
  KeepOutcome,
  MessageAside,
  NewEvent,
} from '../../event-log.ts'
import type { EventStore } from '../../event-store.ts'
import type { KeptEventSource } from '../../stored-event-source.ts'
import { deletionCheck } from '../deletion/deletion-check.ts'
import { microsOf } from '../sql/column-type.ts'
import { keepableJson, keepableText } from '../sql/keepable-text.ts'
import { recordViolations } from '../system/violation-store.ts'
import { eventTable } from '../tables/event-table.ts'
import { countsSql } from './counted-events.ts'
import { hourMicros, recordArrivals } from './event-arrivals.ts'
import { eventCopy } from './event-copy.ts'
import { advancePositions, reservePlaces } from './event-positions.ts'

/** Where events are kept, and from which moment on they count. */
export interface KeepPlace {
  readonly project: string
  readonly source: KeptEventSource
  readonly topicId: number
  readonly keptAt: Micros
}

/** Keeps and puts aside, on the connection's transaction; see `EventStore.keep`. */
export async function keepMessages(
  client: pg.ClientBase,
  place: KeepPlace,
  { events, aside }: DecidedMessages,
): Promise<DecisionOutcomes> {
  const { project, source, topicId } = place
  const decided = await advancePositions(client, project, source.name, topicId, [...events, ...aside])
  const isNew = (message: { readonly partition: number; readonly offset: number }): boolean =>
    message.offset >= (decided.get(message.partition) ?? 0)
  const newEvents = events.every(isNew) ? events : events.filter(isNew)
  const newAside = aside.filter(isNew)
  const keptAt = await keptAtOf(client, place, newEvents)
  const kept = await keepNew(client, { ...place, keptAt }, newEvents)
  const putAside = await putMessagesAside(client, place, newAside)
  await recordViolations(
    client,
    project,
    [
      ...newEvents.flatMap(({ violations }, index) => (kept[index] === 'KEPT' ? violations : [])),
      ...newAside.flatMap(({ violations }, index) => (putAside[index] === 'PUT_ASIDE' ? violations : [])),
    ],
    [],
  )
  const eventOutcomes = kept.values()
  const asideOutcomes = putAside.values()
  return {
    keptAt,
    events:
      newEvents === events
        ? kept
        : events.map((event) => (isNew(event) ? (eventOutcomes.next().value ?? 'DECIDED') : 'DECIDED')),
    aside: aside.map((message) => (isNew(message) ? (asideOutcomes.next().value ?? 'DECIDED') : 'DECIDED')),
  }
}

/** Keeps events behind those of partition 0, on the connection's transaction. */
export async function appendEvents(
  client: pg.ClientBase,
  place: KeepPlace,
  events: readonly NewEvent[],
): Promise<readonly Exclude<KeepOutcome, 'DECIDED'>[]> {
  const { project, source, topicId } = place
  const first = await reservePlaces(client, project, source.name, topicId, events.length)
  return await keepNew(
    client,
    { ...place, keptAt: await keptAtOf(client, place, events) },
    events.map((event, index) => ({ ...event, partition: 0, offset: first + index })),
  )
}

/**
 * The moment that events are kept at. Those with ids are kept by one writer of the source after the other, until the end of
 * the transaction, at moments that rise: so the one of an id that counts is the one that was kept first, for everybody.
 */
async function keptAtOf(
  client: pg.ClientBase,
  { project, source, keptAt }: KeepPlace,
  events: readonly { readonly eventId: string | null }[],
): Promise<Micros> {
  if (source.eventId === null || events.every(({ eventId }) => eventId === null)) return keptAt
  const { rows } = await client.query<{ moment: string }>(
    `insert into featuregraph.event_clocks as c (project, source, kept_at) values ($1, $2, $3)
     on conflict (project, source) do update
     set kept_at = greatest(c.kept_at + interval '1 microsecond', excluded.kept_at)
     returning ${microsOf('kept_at')} as moment`,
    [project, source.name, formatTimestamp(keptAt)],
  )
  return Number(rows[0]?.moment ?? keptAt)
}

/** Whose places are free and locked. */
async function keepNew(
  client: pg.ClientBase,
  place: KeepPlace,
  events: readonly EventToKeep[],
): Promise<readonly Exclude<KeepOutcome, 'DECIDED'>[]> {
  if (events.length === 0) return []
  const { project, source, keptAt } = place
  // The transaction has written: a deletion either is seen from here on, or waits for it.
  const deleted = await deletedEvents(client, project, source, events)
  const kept = events.filter((_, index) => deleted[index] !== true)
  await copyEvents(client, place, kept)
  await recordArrivals(
    client,
    project,
    source.name,
    new Set(kept.map(({ eventTimestamp }) => Math.floor(Math.min(eventTimestamp, keptAt) / hourMicros))),
  )
  const repeated = await repeatedEvents(client, place, kept)
  return events.map((event, index) => {
    if (deleted[index] === true) return 'DELETED'
    return repeated.size > 0 && repeated.has(placeName(event)) ? 'REPEATED' : 'KEPT'
  })
}

/** One flag an event, in order; see `EventStore.deletedEvents`. */
export async function deletedEvents(
  client: pg.Pool | pg.ClientBase,
  project: string,
  source: KeptEventSource,
  events: Parameters<EventStore['deletedEvents']>[1],
): Promise<readonly boolean[]> {
  if (events.length === 0) return []
  const check = await deletionCheck(client, project, source.fields)
  return check
    ? await check(events.map(({ values, eventTimestamp }) => ({ key: values, eventTimestamp })))
    : events.map(() => false)
}

async function copyEvents(
  client: pg.ClientBase,
  { project, source, topicId, keptAt }: KeepPlace,
  events: readonly EventToKeep[],
): Promise<void> {
  if (events.length === 0) return
  const copy = eventCopy(client, project, source, topicId)
  try {
    for (const { partition, offset, eventTimestamp, eventId, values } of events)
      copy.add(partition, offset, eventTimestamp, keptAt, eventId, (field) => values[field])
    await copy.flush()
    await copy.end()
  } catch (error) {
    await copy.abort()
    throw error
  }
}

/** The places of those whose id another event had before. */
async function repeatedEvents(
  client: pg.ClientBase,
  { project, source, topicId }: KeepPlace,
  events: readonly EventToKeep[],
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

async function putMessagesAside(
  client: pg.ClientBase,
  { project, source, topicId, keptAt }: KeepPlace,
  messages: readonly MessageAside[],
): Promise<readonly ('PUT_ASIDE' | 'DELETED')[]> {
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
      formatTimestamp(keptAt),
      told.map(({ partition }) => partition),
      told.map(({ offset }) => offset),
      told.map(({ key }) => key),
      told.map(({ value }) => value),
      told.map(({ content }) => keepableJson(content)),
      told.map(({ reason }) => keepableText(reason)),
    ],
  )
  return messages.map(({ event }) => (event !== null && deleted.has(event) ? 'DELETED' : 'PUT_ASIDE'))
}
