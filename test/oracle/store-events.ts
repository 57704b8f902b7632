import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import type { ScalarValue } from '../../src/definitions/value.ts'
import type { EventSource } from '../../src/registry/registry.ts'
import { claimEvents } from '../../src/stores/postgres/events/claim-events.ts'
import { sqlType } from '../../src/stores/postgres/sql/column-type.ts'
import { createEventMonth, eventTable } from '../../src/stores/postgres/tables/event-table.ts'

export interface TestEvent {
  readonly at: Micros
  readonly id?: string
  readonly fields: Readonly<Record<string, ScalarValue | null>>
}

/** Stores events as an import would: of one topic, at the next offsets, with the hours that they arrived in. */
export async function storeEvents(
  pool: pg.Pool,
  source: EventSource,
  topic: string,
  events: readonly TestEvent[],
): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const { rows } = await client.query<{ id: number; next: string }>(
      `insert into featuregraph.event_topics (project, topic) values ('default', $1)
       on conflict (project, topic) do update set topic = excluded.topic
       returning id, (select coalesce(max("offset") + 1, 0) from ${eventTable('default', source)} as e
         join featuregraph.event_topics as t on t.id = e.topic_id where t.topic = $1) as next`,
      [topic],
    )
    const [{ id = 0, next = '0' } = {}] = rows
    for (const month of new Set(events.map(({ at }) => createEventMonth('default', source, at))))
      await client.query(month)
    const columns = source.fields.map(({ name }) => `"${name}"`).join(', ')
    const claimants = events.map(({ at, id = null }) => ({ eventId: id, eventTimestamp: at }))
    const repeated = await claimEvents(client, 'default', source.name, claimants)
    const arrays = source.fields.map(({ type }, index) => `$${index + 5}::${sqlType(type)}[]`).join(', ')
    await client.query(
      `insert into ${eventTable('default', source)} (topic_id, partition, "offset", event_timestamp, ingested_at, event_id, counts, ${columns})
       select ${id}, 0, ${Number(next)} + e.place - 1, e.at, greatest($1::timestamptz, e.at), e.id, e.counts, ${source.fields.map((_, index) => `e.f${index}`).join(', ')}
       from unnest($2::timestamptz[], $3::text[], $4::bool[], ${arrays}) with ordinality
         as e(at, id, counts, ${source.fields.map((_, index) => `f${index}`).join(', ')}, place)`,
      [
        formatTimestamp(Date.now() * 1_000),
        events.map(({ at }) => formatTimestamp(at)),
        events.map((event) => event.id ?? null),
        events.map((_, index) => !repeated.has(index)),
        ...source.fields.map(({ name }) => events.map((event) => event.fields[name] ?? null)),
      ],
    )
    await client.query(
      `insert into featuregraph.event_arrivals (project, source, hour, latest_xid)
       select distinct 'default', $1, date_trunc('hour', at), pg_current_xact_id() from unnest($2::timestamptz[]) as at
       on conflict (project, source, hour) do update set latest_xid = excluded.latest_xid`,
      [source.name, events.map(({ at }) => formatTimestamp(at))],
    )
    await client.query('commit')
  } finally {
    client.release()
  }
}
