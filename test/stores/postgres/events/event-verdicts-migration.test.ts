import { randomUUID } from 'node:crypto'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { entity, eventSource } from 'featuregraph'
import type pg from 'pg'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { buildRegistry } from '../../../../src/registry/build-registry.ts'
import type { EventSource } from '../../../../src/registry/registry.ts'
import { postgresEventStore } from '../../../../src/stores/postgres/events/event-store.ts'
import { migrate } from '../../../../src/stores/postgres/tables/migrate.ts'
import { execute } from '../../../services/postgres.ts'
import { postgresUrl } from '../../../services/postgres-url.ts'
import { migrationsFolder } from '../../../services/template.ts'
import { testOfflineStore, testPool } from '../../../services/test-pool.ts'

const registry = buildRegistry(
  [
    entity('customer', { joinKeys: { customer_id: 'int64' } }),
    eventSource('payments', { eventTimestamp: 'at', eventId: 'id', fields: { customer_id: 'int64' } }),
  ].map((value) => ({ path: 'here', value })),
)
const [source] = registry.eventSources as readonly [EventSource]

let folder: string
let database: string
let url: string
let pool: pg.Pool
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-migrations-'))
  database = `test_${randomUUID().replaceAll('-', '')}`
  await execute(postgresUrl(), `create database ${database}`)
  const there = new URL(postgresUrl())
  there.pathname = `/${database}`
  url = there.href
  pool = testPool(url, 4, null)
  const before = (await readdir(migrationsFolder)).filter((name) => name < '0014')
  for (const name of before) await cp(join(migrationsFolder, name), join(folder, name))
  await migrate(pool, folder)
})
afterEach(async () => {
  await pool.end()
  await execute(postgresUrl(), `drop database ${database} with (force)`)
  await rm(folder, { recursive: true, force: true })
})

/** As the version before made it. */
async function makeTable(schema: string, fields = 'customer_id bigint'): Promise<void> {
  await pool.query(`create schema if not exists ${schema}`)
  await pool.query(
    `create table ${schema}.payments (topic_id integer not null, partition integer not null, "offset" bigint not null,
       event_timestamp timestamptz not null, ingested_at timestamptz not null, event_id text, ${fields},
       primary key (topic_id, partition, "offset", event_timestamp)) partition by range (event_timestamp)`,
  )
  await pool.query(
    `create index payments_event_id on ${schema}.payments (event_id) where event_id is not null;
     create table ${schema}.payments_here partition of ${schema}.payments for values from ('2026-10-01Z') to ('2026-11-05Z')`,
  )
}

it('gives stored events their verdict by the rule until then, and claims the ids of those that count', async () => {
  await makeTable('events')
  await makeTable('events_other')
  const rows = `(0, 0, 1, '2026-11-03Z', '2026-11-03Z', 'a', 1), (0, 1, 0, '2026-10-02Z', '2026-11-02Z', 'a', 2),
    (1, 0, 0, '2026-11-01Z', '2026-11-02Z', 'a', 3), (0, 0, 2, '2026-11-01Z', '2026-11-01Z', null, 4),
    (0, 0, 3, '2026-11-01Z', '2026-11-01Z', null, 5), (0, 0, 4, '2026-11-01Z', '2026-11-04Z', 'b', 6)`
  await pool.query(`insert into events.payments values ${rows}`)
  await pool.query(`insert into events_other.payments values ${rows}`)
  await pool.query(
    `insert into featuregraph.event_topics (id, project, topic) overriding system value values (0, 'default', 'topic');
     insert into featuregraph.event_positions (project, source, topic_id, partition, next_offset) values ('default', 'payments', 0, 0, 5)`,
  )
  expect(await migrate(pool, migrationsFolder)).toContain('0014_event_verdicts.sql')

  for (const schema of ['events', 'events_other']) {
    const counted = await pool.query(
      `select customer_id::int as id from ${schema}.payments where counts order by customer_id`,
    )
    expect(counted.rows.map(({ id }) => id)).toEqual([2, 4, 5, 6])
  }
  const positions = await pool.query('select stored_at::text from featuregraph.event_positions')
  expect(positions.rows).toEqual([{ stored_at: '2026-11-04 00:00:00+00' }])
  const claims = await pool.query<{ project: string; at: string }>(
    'select project, event_timestamp::date::text as at from featuregraph.event_claims order by 1, 2',
  )
  expect(claims.rows).toEqual(
    ['default', 'other'].flatMap((project) => ['2026-10-02', '2026-11-01'].map((at) => ({ project, at }))),
  )

  // A role that may not create indexes can start: none is missing, and that of the ids is gone.
  const indexes = async () => {
    const { rows } = await pool.query<{ name: string }>(
      `select indexname as name from pg_indexes where schemaname = 'events' and tablename = 'payments' order by 1`,
    )
    return rows.map(({ name }) => name)
  }
  const migrated = await indexes()
  expect(migrated).toEqual(['payments_ingested_at', 'payments_pkey'])
  const offline = testOfflineStore(url)
  await offline.ensureTables([], registry.eventSources)
  expect(await indexes()).toEqual(migrated)
  await offline.close()
  const store = postgresEventStore(pool, 'default')
  const event = { eventTimestamp: Date.UTC(2026, 11, 5) * 1_000, values: [7] }
  const appended = ['a', 'b', 'c', null].map((eventId) => ({ ...event, eventId }))
  expect(await store.append(source, 'log:payments', appended, event.eventTimestamp)).toEqual([
    ...['REPEATED', 'REPEATED', 'STORED', 'STORED'],
  ])
})

it('says what to do about a source with a field of the name of the verdict, and changes nothing', async () => {
  await makeTable('events', 'counts bigint')
  await expect(migrate(pool, migrationsFolder)).rejects.toThrow(
    /event source "payments" of project "default" has a field "counts".*rename column counts to/,
  )
  expect(await migrate(pool, folder)).toEqual([])
})
