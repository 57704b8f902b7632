import { batch, count, entity, eventSource, sum, windowedView } from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresSourceDefinition } from '../../src/definitions/data-source.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { BatchView } from '../../src/registry/registry.ts'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import type { StoredOfflineView } from '../../src/stores/offline-view.ts'
import { storedRowsSql } from '../../src/stores/postgres/features/stored-rows.ts'
import type { StoredRowRange } from '../../src/stores/stored-rows.ts'
import { at, neverAborted, offlineView } from '../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testOfflineStore, testPool } from '../services/test-pool.ts'
import { expectGolden, goldenFiles, rowsAsJson } from './golden-file.ts'

const t = at('2026-11-20T12:00:00Z')
const second = 1_000_000
const day = 86_400 * second

interface Case {
  readonly name: string
  readonly view: StoredOfflineView
  readonly setUp: string
  readonly ranges: readonly StoredRowRange[]
}

const range = (
  key: StoredRowRange['key'],
  from: number,
  more: Partial<StoredRowRange> = {},
): StoredRowRange => ({ key, from, to: t + day, knownAt: null, after: null, ...more })

const spending = batchView()

const ofSpending = `'default', 'spending'`
const { n: today } = spending.digests

/** By snapshot: another meaning of `n` and no `total`, today's; the last one was of another definition for a second. */
const spendingRows = `
  insert into featuregraph.views (project, id, name) values ('default', 'spending', 'spending');
  insert into featuregraph.view_definitions (project, view_id, definition, digests) values
    (${ofSpending}, 'today', '${JSON.stringify(spending.digests)}'),
    (${ofSpending}, 'fewer', '{"n":"${today}"}'), (${ofSpending}, 'other', '{"n":"another"}');
  insert into featuregraph.snapshots
    (project, view_id, as_of, snapshot_xmin, system_identifier, definition, computed_at) values
    (${ofSpending}, '2026-11-17T12:00:00Z', '1', '', 'other', now()),
    (${ofSpending}, '2026-11-18T12:00:00Z', '1', '', 'fewer', now()),
    (${ofSpending}, '2026-11-19T12:00:00Z', '1', '', 'today', now());
  insert into featuregraph.superseded_definitions (project, view_id, as_of, definition, superseded_at) values
    (${ofSpending}, '2026-11-19T12:00:00Z', 'other', '2026-11-19T12:00:01Z');
  insert into features.spending (customer_id, event_timestamp, created_timestamp, n, total, closing, pushed) values
    (1, '2026-11-16T12:00:00Z', '2026-11-16T12:00:00Z', 1, 1, null, true),
    (1, '2026-11-17T12:00:00Z', '2026-11-17T12:00:00Z', 2, 2, null, null),
    (1, '2026-11-18T12:00:00Z', '2026-11-18T12:00:00Z', 3, 3, null, null),
    (1, '2026-11-19T12:00:00Z', '2026-11-19T12:00:00Z', 4, 4, null, null),
    (1, '2026-11-19T12:00:00Z', '2026-11-19T12:00:01Z', 5, 5, null, null),
    (1, '2026-11-20T12:00:00Z', '2026-11-20T12:00:00Z', 0, 0, true, null)`

function batchView(): BatchView {
  const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
  const sales = eventSource('sales', {
    eventTimestamp: 'at',
    fields: { customer_id: 'int64', amount: 'float64' },
  })
  const view = windowedView('spending', {
    ...{ entity: customer, source: sales, compute: batch({ every: '1d' }) },
    features: { n: count('7d'), total: sum('amount', '7d') },
  })
  const definitions = [customer, sales, view]
  const [built] = buildRegistry(
    definitions.map((value, index) => ({ path: `definition ${index}`, value })),
  ).views
  if (built?.kind !== 'BATCH') throw new Error('no batch view')
  return built
}

const source = (fields: Readonly<Record<string, unknown>>) =>
  postgresSourceDefinition.parse({ kind: 'postgres', name: 'orders', table: 'sales.Orders', ...fields })

const cases: readonly Case[] = [
  {
    name: 'managed-view',
    view: offlineView('ratings', { driver_id: 'int64', city: 'string' }, { rating: 'float32' }),
    setUp: `insert into features.ratings (driver_id, city, event_timestamp, created_timestamp, rating) values
      (1, 'a', '2026-11-20T12:00Z', null, 1), (1, 'a', '2026-11-20T12:00Z', '2026-11-20T12:01Z', 2),
      (1, 'a', '2026-11-20T11:00Z', '2026-11-20T12:00Z', 3), (1, 'b', '2026-11-20T12:00Z', null, 4)`,
    ranges: [
      range([1, 'a'], t - day),
      range([1, 'a'], t, { knownAt: t }),
      range([1, 'a'], t - day, {
        after: { eventTimestamp: t, createdTimestamp: t + 60 * second, rowId: '2', repeats: 0 },
      }),
      range([2, 'a'], t - day),
    ],
  },
  {
    // What another definition computed has no value of a feature that meant something else or was not there.
    name: 'batch-view',
    view: spending,
    setUp: spendingRows,
    ranges: [range([1], t - 10 * day)],
  },
  {
    // Rows of equal times, of which a page ends behind the first two.
    name: 'mapped-table',
    view: offlineView(
      'orders',
      { buyer: 'string' },
      { total: 'decimal(2)' },
      source({ eventTimestamp: 'at', createdTimestamp: 'loaded' }),
    ),
    setUp: `create schema sales; create table sales."Orders" (buyer varchar, at timestamptz, loaded timestamptz, total numeric);
      insert into sales."Orders" values ('ann', '2026-11-20T12:00Z', null, 1), ('ann', '2026-11-20T12:00Z', null, 2.25),
        ('ann', '2026-11-20T12:00Z', null, 3), ('ann', '2026-11-20T11:00Z', null, 4), ('ann', 'infinity', null, 5), (null, now(), null, 6)`,
    ranges: [
      range(['ann'], t - day),
      range(['ann'], t - day, {
        after: { eventTimestamp: t, createdTimestamp: null, rowId: null, repeats: 2 },
      }),
    ],
  },
]

describe('the SQL of stored rows', () => {
  let database: TestDatabase
  let pool: pg.Pool
  let store: OfflineStore

  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 1)
    store = testOfflineStore(database.url)
  })
  afterAll(async () => {
    await Promise.all([pool.end(), store.close()])
    await database.drop()
  })

  it.each(cases)('is what is committed, and gives the committed rows: $name', async (one) => {
    const { name, view, setUp, ranges } = one
    const request = { view, ranges, first: 10 }
    await expectGolden(`stored-rows/${name}.sql`, `${storedRowsSql('default', request).text}\n`)
    const isManaged = view.source === null
    if (isManaged) await store.ensureTables([view], [])
    await pool.query(setUp)
    const found = await store.storedRows(request, neverAborted)
    await expectGolden(
      `stored-rows/${name}.json`,
      rowsAsJson(found.flatMap(({ rows }, place) => rows.map((row) => ({ range: place, ...row })))),
    )
  })

  it('has a case for every committed file', async () => {
    const expected = cases.flatMap(({ name }) => [`${name}.json`, `${name}.sql`])
    expect(await goldenFiles('stored-rows')).toEqual(expected.sort())
  })

  it('walks the index of as-of joins as far as the page needs', async () => {
    const view = offlineView('many', { id: 'int64' }, { n: 'int64' })
    await store.ensureTables([view], [])
    await pool.query(`insert into features.many (id, event_timestamp, n)
      select 1, '2026-11-20T12:00Z'::timestamptz - n * interval '1 s', n from generate_series(1, 20000) as n`)
    await pool.query('vacuum analyze features.many')
    const sql = storedRowsSql('default', { view, ranges: [range([1], t - 10 * day)], first: 10 })
    const { rows } = await pool.query<{ 'QUERY PLAN': string }>({
      text: `explain (analyze, costs off, timing off) ${sql.text}`,
      values: [...sql.values],
    })
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    const walked = /Index (?:Only )?Scan using "?many_as_of[^(]*\(actual rows=(\d+)/.exec(plan)?.[1]
    expect(Number(walked), plan).toBeLessThan(20)
  })
})
