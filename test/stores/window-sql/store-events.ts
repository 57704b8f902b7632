import type pg from 'pg'
import { formatTimestamp } from '../../../src/definitions/timestamp.ts'
import type { ScalarValue } from '../../../src/definitions/value.ts'
import type { EventSource } from '../../../src/registry/registry.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { eventTable } from '../../../src/stores/postgres/tables/event-table.ts'
import { judged } from '../../world/judged.ts'
import type { PlacedEvent } from './window-world.ts'

/** Puts a world's events into Postgres at their places, as acceptance leaves them. Offsets are of the whole world. */
export async function storePlacedEvents(
  pool: pg.Pool,
  source: EventSource,
  events: readonly PlacedEvent[],
): Promise<void> {
  const log = postgresEventStore(pool, 'default')
  for (const topic of new Set(events.map((event) => event.topic))) {
    const messages = events
      .filter((event) => event.topic === topic)
      .map(({ at, partition, offset, fields }) => ({
        ...{ partition, offset, eventTimestamp: at, eventId: null },
        values: source.fields.map(({ name }) => finite(fields[name] ?? null)),
      }))
    await log.storeMessages(source, topic, judged(messages), await log.now())
  }
  // What claims of ids and the clock decide otherwise.
  await pool.query(
    `update ${eventTable('default', source)} as e set counts = w.counts, ingested_at = coalesce(w.stored_at, e.ingested_at)
     from unnest($1::bigint[], $2::bool[], $3::timestamptz[]) as w("offset", counts, stored_at) where w."offset" = e."offset"`,
    [
      events.map(({ offset }) => offset),
      events.map(({ counts }) => counts),
      events.map(({ storedAt }) => (storedAt === undefined ? null : formatTimestamp(storedAt))),
    ],
  )
}

function finite(value: ScalarValue | null): ScalarValue | null {
  return typeof value === 'number' && !Number.isFinite(value) ? null : value
}
