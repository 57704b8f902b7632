import { type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import type { Registry, StreamView } from '../../src/registry/registry.ts'
import { createEventMonth, eventTable } from '../../src/stores/postgres/tables/event-table.ts'
import { migrate } from '../../src/stores/postgres/tables/migrate.ts'
import { migrationsFolder } from '../../test/services/template.ts'
import { testOfflineStore, testPool } from '../../test/services/test-pool.ts'

export const days = 90
export const start: Micros = parseTimestamp('2026-08-01T00:00:00Z') ?? 0
export const dayMicros: Micros = 86_400_000_000

interface Events {
  readonly registry: Registry
  /** Of the source of the events. */
  readonly view: StreamView
  readonly events: number
  readonly customers: number
  /** Of one more customer. */
  readonly hotEvents: number
  readonly hotKey: number
}

/** Tables of all views, and stored events with ids of `days` days: 1 % of the customers have half of them. */
export async function makeEvents(
  url: string,
  { registry, view, events, customers, hotEvents, hotKey }: Events,
): Promise<void> {
  const pool = testPool(url, 1, null)
  const store = testOfflineStore(url)
  await migrate(pool, migrationsFolder)
  await store.ensureTables(registry.views, registry.eventSources)
  for (let month = -1; month < 5; month += 1)
    await pool.query(createEventMonth('default', view.events, start + month * 31 * dayMicros))
  await pool.query(
    `insert into featuregraph.event_topics (project, topic) values ('default', 't') on conflict do nothing`,
  )
  const table = eventTable('default', view.events)
  await pool.query(
    `insert into ${table} (topic_id, partition, "offset", event_timestamp, ingested_at, event_id, customer_id, amount, merchant_id)
     select (select id from featuregraph.event_topics limit 1), 0, i, at, at + interval '2 seconds', i::text,
       case when i > ${events} then ${hotKey} when i % 2 = 0 then h % ${customers / 100} else h % ${customers} end,
       (h % 100000) / 100.0, 'merchant_' || h % 1000
     from (
       select i, abs(hashint8(i)::bigint) as h, timestamptz '2026-08-01T00:00:00Z'
         + i * interval '${days} days' / ${events} as at
       from generate_series(1, ${events}) as i
       union all
       select ${events} + i, abs(hashint8(-i)::bigint), timestamptz '2026-08-01T00:00:00Z'
         + i * interval '${days} days' / ${Math.max(1, hotEvents)}
       from generate_series(1, ${hotEvents}) as i
     ) as e order by at`,
  )
  await pool.query(`vacuum analyze ${table}`)
  await Promise.all([pool.end(), store.close()])
}
