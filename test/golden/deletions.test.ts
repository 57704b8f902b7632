import {
  batch,
  entity,
  eventSource,
  featureView,
  postgresSource,
  stream,
  sum,
  windowedView,
} from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { planSnapshots } from '../../src/ingest/snapshots/snapshot-plan.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { EntityToDelete } from '../../src/stores/deletion-store.ts'
import { deletedKinds } from '../../src/stores/postgres/deletion/deletion-check.ts'
import { postgresDeletionStore } from '../../src/stores/postgres/deletion/deletion-store.ts'
import { eraseStatements, widerKeysSql } from '../../src/stores/postgres/deletion/erase-rows.ts'
import { spansSql } from '../../src/stores/postgres/windows/spans.ts'
import { at } from '../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testOfflineStore, testPool } from '../services/test-pool.ts'
import { expectGolden, goldenFiles } from './golden-file.ts'

const shop = entity('shop', { joinKeys: { shop: 'string' } })
const terminal = entity('terminal', { joinKeys: { shop: 'string', till: 'int32' } })
const fields = { shop: 'string', till: 'int32', amount: 'float64' } as const
const kept = eventSource('kept', { eventTimestamp: 'at', fields })
const mapped = eventSource('mapped', {
  table: 'shop.sales',
  eventTimestamp: 'sold_at',
  fields,
  columns: { shop: 'place' },
})
const risk = featureView('risk', { entity: terminal, features: { n: 'int64' } })
const bills = featureView('bills', {
  entity: terminal,
  source: postgresSource('bills', { table: 'shop.bills', eventTimestamp: 'at', columns: { shop: 'place' } }),
  features: { n: 'int64' },
})
const sold = windowedView('sold', {
  entity: terminal,
  source: mapped,
  compute: batch({ every: '1d' }),
  features: { total: sum('amount', '7d') },
})
const shopSold = windowedView('shop_sold', {
  entity: shop,
  source: kept,
  compute: batch({ every: '1d' }),
  features: { total: sum('amount', '7d') },
})
const tillRecent = windowedView('till_recent', {
  entity: terminal,
  source: kept,
  compute: stream(),
  features: { total: sum('amount', '7d') },
})
const registry = buildRegistry(
  [shop, terminal, kept, mapped, risk, bills, sold, shopSold, tillRecent].map((value, index) => ({
    path: `definition ${index}`,
    value,
  })),
)
const moment = at('2026-02-10T00:00:00Z')
const deletion: EntityToDelete = {
  entity: { id: 'shop', name: 'shop', joinKeys: [{ name: 'shop', type: 'string' }] },
  key: ["o'clock"],
  views: registry.views,
  sources: registry.eventSources,
}

describe('the SQL of deletions', () => {
  let database: TestDatabase
  let pool: pg.Pool
  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 2)
    await pool.query(
      `create schema shop; create table shop.sales (sold_at timestamptz, place varchar(20), till int, amount numeric);
       create table shop.bills (at timestamptz, place text, till int, n bigint)`,
    )
    const offline = testOfflineStore(database.url)
    await offline.ensureTables(registry.views, registry.eventSources)
    await offline.close()
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  it('is what is committed, and runs: erasing, and the keys of wider views', async () => {
    const erasing = eraseStatements('default', deletion, moment).map(({ place, sql }) => ({ place, ...sql }))
    const text = erasing.map((one) => `-- ${one.place}\n${one.text};\n`)
    await expectGolden('deletions/erase.sql', text.join('\n'))
    for (const sql of erasing) expect((await pool.query(sql.text, [...sql.values])).rowCount).toBe(0)
    const wider = registry.views
      .filter((view) => view.entity.joinKeys.length === 2)
      .map((view) => widerKeysSql('default', view, deletion))
    await expectGolden('deletions/wider-keys.sql', wider.map((sql) => `${sql.text};\n`).join('\n'))
    for (const sql of wider) expect((await pool.query(sql.text, [...sql.values])).rows).toEqual([])
  })

  it('is what is committed, and leaves out events of deleted entities alone: spans of a mapped table', async () => {
    const view = registry.views.find(({ name }) => name === 'sold')
    if (view?.kind !== 'BATCH') throw new Error('no batch view')
    await pool.query(`insert into shop.sales values
      ('2026-02-09T00:00:00Z', 'o''clock', 1, 1), ('2026-02-09T00:00:01Z', 'o''clock', 1, 2),
      ('2026-02-08T00:00:00Z', 'ü', 1, 4), ('2026-02-09T00:00:00Z', 'ü', 2, 8), ('2026-02-09T00:00:00Z', 'z', null, 16)`)
    const store = postgresDeletionStore(pool, 'default')
    await store.record(deletion, at('2026-02-09T00:00:00Z'))
    const whole = { ...terminal, id: 'terminal', joinKeys: view.entity.joinKeys }
    await store.record({ ...deletion, entity: whole, key: ['ü', 1] }, moment)
    const kinds = await deletedKinds(pool, 'default', view.events.fields)
    expect(kinds).toHaveLength(2)
    const sql = spansSql(
      'default',
      { view, ...planSnapshots(view, [moment]) },
      [...kinds].sort((left, right) => left.joinKeys.length - right.joinKeys.length),
    )
    await expectGolden('deletions/mapped-table.spans.sql', `${sql.text}\n`)
    const { rows } = await pool.query({ text: sql.text, values: [...sql.values], rowMode: 'array' })
    expect(rows.map(([place, till, , events]) => [place, till, events])).toEqual([
      ["o'clock", 1, '1'],
      ['ü', 2, '1'],
    ])
  })

  it('has no golden file that nothing makes', async () => {
    expect(await goldenFiles('deletions')).toEqual(['erase.sql', 'mapped-table.spans.sql', 'wider-keys.sql'])
  })
})
