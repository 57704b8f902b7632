import { batch, count, entity, eventSource, sum, windowedView } from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import {
  type ExportScope,
  exportDaysSql,
  exportRowsSql,
} from '../../src/stores/postgres/export/export-sql.ts'
import { postgresRowsToExport } from '../../src/stores/postgres/export/rows-to-export.ts'
import { type ExportSubject, exportColumns } from '../../src/stores/rows-to-export.ts'
import { at, offlineView } from '../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testOfflineStore, testPool } from '../services/test-pool.ts'
import { expectGolden, goldenFiles, rowsAsJson } from './golden-file.ts'

const noon = at('2026-11-20T12:00:00Z')
const day = 86_400_000_000

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const fields = { customer_id: 'int64', amount: 'decimal(2)' } as const
const sales = eventSource('sales', { eventTimestamp: 'at', fields })
const ledger = eventSource('ledger', {
  ...{ table: 'bank.ledger', eventTimestamp: 'booked', createdTimestamp: 'known', fields },
  columns: { customer_id: 'client' },
})
const spending = windowedView('spending', {
  ...{ entity: customer, source: sales, compute: batch({ every: '1d' }) },
  features: { n: count('7d'), total: sum('amount', '7d') },
})
const registry = buildRegistry([customer, sales, ledger, spending].map((value) => ({ path: 'here', value })))

interface Case {
  readonly name: string
  readonly subject: ExportSubject
  readonly scope: Partial<ExportScope>
  readonly setUp: string
}

const since = '5:7:5'
const cases: readonly Case[] = [
  {
    name: 'stored-events',
    subject: sourceOf('sales'),
    scope: {
      visibleIn: '9:9:',
      storedSince: '2026-01-01T00:00:00Z',
      part: { from: noon, to: noon + day, since },
    },
    setUp: `insert into featuregraph.event_topics (project, topic) values ('default', 'b'), ('default', 'B');
      create table event_partitions.sales_2026_11 partition of events.sales for values from ('2026-11-01Z') to ('2026-12-01Z');
      insert into events.sales (topic_id, partition, "offset", event_timestamp, ingested_at, counts, customer_id, amount)
      select t.id, 0, 0, '2026-11-20T12:05Z', '2026-11-20T12:00Z', t.topic = 'b', null, 2.5 from featuregraph.event_topics as t`,
  },
  {
    name: 'mapped-events',
    subject: sourceOf('ledger'),
    scope: {
      deleted: [{ joinKeys: [{ name: 'customer_id', type: 'int64' }], secret: Buffer.from('') }],
    },
    setUp: `create schema bank; create table bank.ledger (client text, amount float8, booked timestamp, known timestamptz);
      insert into bank.ledger values ('1', 0.1, '2026-11-20 12:00', null), (null, 'NaN', '2026-11-19 12:00', 'infinity')`,
  },
  {
    name: 'managed-view',
    subject: {
      kind: 'ROWS',
      view: offlineView('ratings', { driver_id: 'int64', city: 'string' }, { rating: 'float32' }),
    },
    scope: { part: { from: null, to: null, since } },
    setUp: `insert into features.ratings (driver_id, city, event_timestamp, created_timestamp, rating) values
      (1, 'b', '2026-11-20T12:00Z', null, 1), (1, 'B', '2026-11-20T13:00Z', '2026-11-20T12:01Z', 2)`,
  },
  {
    // What another definition computed has no value of a feature that meant something else.
    name: 'batch-view',
    subject: viewOf('spending'),
    scope: {},
    setUp: `insert into featuregraph.views (project, id, name) values ('default', 'spending', 'spending');
      insert into featuregraph.view_definitions (project, view_id, definition, digests)
      values ('default', 'spending', 'other', '{"n":"another"}');
      insert into featuregraph.snapshots (project, view_id, as_of, snapshot_xmin, system_identifier, definition, computed_at)
      values ('default', 'spending', '2026-11-19T12:00Z', '1', '', 'other', now());
      insert into features.spending (customer_id, event_timestamp, created_timestamp, n, total, closing) values
        (1, '2026-11-18T12:00Z', '2026-11-18T12:00Z', 1, 1.5, null), (1, '2026-11-19T12:00Z', '2026-11-19T12:00Z', 2, 2, null),
        (2, '2026-11-18T12:00Z', '2026-11-18T12:00Z', 0, 0, true)`,
  },
]

function sourceOf(name: string): ExportSubject {
  const source = registry.eventSources.find((one) => one.name === name)
  if (source === undefined) throw new Error(`no source ${name}`)
  return { kind: 'EVENTS', source }
}

function viewOf(name: string): ExportSubject {
  const view = registry.views.find((one) => one.name === name)
  if (view === undefined || view.kind === 'STREAM') throw new Error(`no view ${name}`)
  return { kind: 'ROWS', view }
}

describe('the SQL of exports', () => {
  let database: TestDatabase
  let pool: pg.Pool
  let store: OfflineStore

  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 2)
    store = testOfflineStore(database.url)
  })
  afterAll(async () => {
    await Promise.all([pool.end(), store.close()])
    await database.drop()
  })

  it.each(cases)('is what is committed, and gives the committed rows: $name', async (one) => {
    const { name, subject, setUp } = one
    const scope = {
      ...{ project: 'default', subject, visibleIn: null, storedSince: null, deleted: [] },
      ...{ part: { from: null, to: null, since: null }, ...one.scope },
    }
    const [days, rows] = [exportDaysSql(scope).text, exportRowsSql(scope).text]
    await expectGolden(`exports/${name}.sql`, `${days};\n\n${rows}\n`)
    const isManaged = subject.kind === 'EVENTS' ? subject.source.table === null : subject.view.source === null
    if (isManaged)
      await store.ensureTables(
        subject.kind === 'ROWS' ? [subject.view] : [],
        subject.kind === 'EVENTS' ? [subject.source] : [],
      )
    await pool.query(setUp)
    const reading = await postgresRowsToExport(pool, { project: 'default', countNonFinite: () => {} }).open(
      subject,
      null,
    )
    try {
      const part = { from: null, to: null, since: null }
      const found: unknown[] = []
      for await (const batch of reading.rows(part))
        for (const row of batch)
          found.push(
            Object.fromEntries(
              exportColumns(subject).map(({ name: column, type }, index) => {
                const value = row[index] ?? null
                return [
                  column,
                  type === 'timestamp' && value !== null ? formatTimestamp(Number(value)) : value,
                ]
              }),
            ),
          )
      await expectGolden(`exports/${name}.json`, rowsAsJson(found))
      const counted = (await reading.days(part)).reduce((sum, { rows: ofDay }) => sum + ofDay, 0)
      expect(counted).toBe(found.length)
    } finally {
      await reading.close()
    }
  })

  it('has no golden file that no case writes', async () => {
    expect(await goldenFiles('exports')).toEqual(
      cases.flatMap(({ name }) => [`${name}.json`, `${name}.sql`]).toSorted(),
    )
  })
})
