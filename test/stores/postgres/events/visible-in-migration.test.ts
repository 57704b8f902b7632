import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { entity, eventSource } from 'featuregraph'
import type pg from 'pg'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { buildRegistry } from '../../../../src/registry/build-registry.ts'
import type { EventSource } from '../../../../src/registry/registry.ts'
import { createEventMonth } from '../../../../src/stores/postgres/tables/event-table.ts'
import { migrationsFolder } from '../../../services/template.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../../services/test-pool.ts'

const { eventSources } = buildRegistry(
  [
    entity('customer', { joinKeys: { customer_id: 'int64' } }),
    eventSource('payments', { eventTimestamp: 'at', fields: { customer_id: 'int64' } }),
  ].map((value) => ({ path: 'here', value })),
)
const [source] = eventSources as readonly [EventSource]
const t = Date.UTC(2026, 10, 20) * 1_000

let database: TestDatabase
let pool: pg.Pool
beforeEach(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 2, null)
})
afterEach(async () => {
  await pool.end()
  await database.drop()
})

/** The part of the migration that changes tables of stored events: the rest is in the test's database already. */
async function migrateEvents(): Promise<void> {
  const text = await readFile(join(migrationsFolder, '0026_visible_in.sql'), 'utf8')
  await pool.query(text.slice(0, text.indexOf('end $$;') + 'end $$;'.length))
}

const ensureTables = async (project: string): Promise<void> => {
  const store = testOfflineStore(database.url, { project })
  await store.ensureTables([], eventSources)
  await store.close()
}

const insert = async (schema: string, offset: number): Promise<void> => {
  await pool.query(
    `insert into ${schema}.payments (topic_id, partition, "offset", event_timestamp, ingested_at) values (1, 0, $1, $2, $2)`,
    [offset, '2026-11-20Z'],
  )
}

it.each([
  { project: 'default', schema: 'events', change: migrateEvents, by: 'a migration' },
  {
    project: 'other',
    schema: 'events_other',
    change: () => ensureTables('other'),
    by: 'the check of tables',
  },
])(
  'the transaction of stored events is added by $by without a rewrite: unknown of those that are there',
  async ({ project, schema, change }) => {
    await ensureTables(project)
    await pool.query(createEventMonth(project, source, t))
    await pool.query(`alter table ${schema}.payments drop column ingested_xid`)
    await insert(schema, 1)
    const file = async () =>
      (await pool.query(`select pg_relation_filenode(tableoid) as file from ${schema}.payments limit 1`))
        .rows[0]?.file
    const before = await file()
    await change()
    expect(await file()).toBe(before)
    await insert(schema, 2)
    await pool.query(createEventMonth(project, source, t + 40 * 86_400_000_000))
    const { rows } = await pool.query(
      `select "offset"::int as place, ingested_xid is null as unknown from ${schema}.payments order by 1`,
    )
    expect(rows).toEqual([
      { place: 1, unknown: true },
      { place: 2, unknown: false },
    ])
    await change()
  },
)

it('says what to do about a source with a field of the name of the transaction, and changes nothing', async () => {
  await ensureTables('default')
  await pool.query('alter table events.payments drop column ingested_xid, add column ingested_xid text')
  await expect(migrateEvents()).rejects.toThrow(
    /event source "payments" of project "default" has a field "ingested_xid".*rename column ingested_xid to/,
  )
})
