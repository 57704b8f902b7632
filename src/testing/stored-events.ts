import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey, KeyValue, ScalarValue } from '../definitions/value.ts'
import type { BatchView, EventSource, StreamView } from '../registry/registry.ts'
import type { NewEvent } from '../stores/event-log.ts'
import type { WindowedEvent } from '../windows/tile-rings.ts'
import { isSameKey } from './newest-row.ts'

/** An event as the log has it. */
interface StoredTestEvent {
  readonly event: NewEvent
  readonly storedAt: Micros
  readonly offset: number
}

/** The event log of one source in plain code: of events with one id, the first that was stored counts. */
export interface StoredEvents {
  /** False: an event of its id was stored before and counts instead. */
  readonly append: (event: NewEvent, storedAt: Micros) => boolean
  readonly events: readonly StoredTestEvent[]
}

export function storedEvents(): StoredEvents {
  const events: StoredTestEvent[] = []
  const ids = new Set<string>()
  return {
    events,
    append(event, storedAt) {
      if (event.eventId !== null) {
        if (ids.has(event.eventId)) return false
        ids.add(event.eventId)
      }
      events.push({ event, storedAt, offset: events.length })
      return true
    },
  }
}

export type WindowedView = BatchView | StreamView

/** An event as the windows of a key see it. */
export interface KeyedEvent extends WindowedEvent {
  readonly storedAt: Micros
}

/** A key's events that were stored by a moment, in the log's order. */
export function eventsOfKey(
  view: WindowedView,
  { events }: Pick<StoredEvents, 'events'>,
  key: EntityKey,
  storedBy: Micros | null,
): readonly KeyedEvent[] {
  const { events: source } = view
  const places = view.entity.joinKeys.map(({ name }) =>
    source.fields.findIndex((field) => field.name === name),
  )
  return events
    .filter(({ storedAt }) => storedBy === null || storedAt <= storedBy)
    .filter(({ event }) => isSameKey(keyAt(places, event), key))
    .map(({ event, storedAt, offset }) => {
      // A streaming view counts an event from ahead from the moment that it was stored; a snapshot is not computed before.
      const timestamp =
        view.kind === 'STREAM' ? Math.min(event.eventTimestamp, storedAt) : event.eventTimestamp
      const place = { timestamp, topic: source.topic ?? source.name, partition: 0, offset }
      return { timestamp, place, fields: fieldsOf(source, event), storedAt }
    })
}

function keyAt(places: readonly number[], { values }: NewEvent): EntityKey {
  return places.map((place) => values[place] as KeyValue)
}

function fieldsOf(source: EventSource, { values }: NewEvent): Readonly<Record<string, ScalarValue | null>> {
  return Object.fromEntries(source.fields.map(({ name }, index) => [name, values[index] ?? null]))
}
