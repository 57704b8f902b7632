import { count, entity, eventSource, featureView, postgresSource, stream, windowedView } from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import { exampleKeysSql } from '../../src/stores/postgres/features/example-keys.ts'
import { at } from '../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testOfflineStore, testPool } from '../services/test-pool.ts'
import { expectGolden, goldenFiles } from './golden-file.ts'

const till = entity('till', { joinKeys: { shop: 'string', till: 'int32' } })
const sales = eventSource('sales', { eventTimestamp: 'at', fields: { shop: 'string', till: 'int32' } })
const registry = buildRegistry(
  [
    till,
    sales,
    featureView('risk', { entity: till, features: { n: 'int64' } }),
    featureView('bills', {
      entity: till,
      source: postgresSource('bills', {
        table: 'shop.bills',
        eventTimestamp: 'at',
        columns: { shop: 'place' },
      }),
      features: { n: 'int64' },
    }),
    windowedView('recent', {
      entity: till,
      source: sales,
      compute: stream(),
      features: { sales_1h: count('1h') },
    }),
  ].map((value, index) => ({ path: `definition ${index}`, value })),
)
const now = at('2026-02-10T00:00:00Z')

describe('the SQL of example keys', () => {
  let database: TestDatabase
  let pool: pg.Pool
  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 2)
    await pool.query(
      'create schema shop; create table shop.bills (at timestamptz, place text, till int, n bigint)',
    )
    const offline = testOfflineStore(database.url)
    await offline.ensureTables(registry.views, registry.eventSources)
    await offline.close()
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  const rows = `('b', 1, '2026-02-01T00:00:00Z'), ('b', 1, '2026-02-03T00:00:00Z'), ('b', 1, '2026-02-11T00:00:00Z'),
    ('a', 9, '2026-02-02T00:00:00Z'), ('a', 10, '2026-02-11T00:00:00Z'), ('c', 1, '2026-02-04T00:00:00Z')`
  const day = (text: string) => String(at(`2026-02-${text}T00:00:00Z`))
  const expected: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
    // The smallest keys, by the index.
    risk: [
      ['a', 9, day('02'), day('02')],
      ['b', 1, day('01'), day('03')],
    ],
    // Those with most of the first rows.
    bills: [
      ['b', 1, day('01'), day('03')],
      ['a', 9, day('02'), day('02')],
    ],
    recent: [],
  }

  it('is what is committed, and finds keys of rows that are due with their first and last time', async () => {
    await pool.query(`insert into features.risk (shop, till, event_timestamp) values ${rows}`)
    await pool.query(`insert into shop.bills (place, till, at) values ${rows}, (null, 1, '2026-02-01')`)
    for (const view of registry.views) {
      const sql = exampleKeysSql('default', view, now, 2)
      if (sql === null) throw new Error(`no statement for ${view.name}`)
      await expectGolden(`example-keys/${view.name}.sql`, `${sql.text}\n`)
      const found = await pool.query({ text: sql.text, values: [...sql.values], rowMode: 'array' })
      expect(found.rows, view.name).toEqual(expected[view.name])
    }
    expect(await goldenFiles('example-keys')).toEqual(['bills.sql', 'recent.sql', 'risk.sql'])
  })
})
