import {
  batch,
  count,
  countDistinct,
  entity,
  eventSource,
  first,
  last,
  max,
  mean,
  stddev,
  sum,
  windowedView,
} from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { planSnapshots } from '../../src/ingest/snapshots/snapshot-plan.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { BatchView } from '../../src/registry/registry.ts'
import { createEventMonth, createEventTable } from '../../src/stores/postgres/tables/event-table.ts'
import { createTable } from '../../src/stores/postgres/tables/feature-table.ts'
import { spansSql } from '../../src/stores/postgres/windows/spans.ts'
import { storedSnapshotsSql } from '../../src/stores/postgres/windows/stored-snapshots.ts'
import { at } from '../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'
import { expectGolden, goldenFiles } from './golden-file.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const terminal = entity('terminal', { joinKeys: { shop: 'string', till: 'int32' } })
const fields = {
  customer_id: 'int64',
  shop: 'string',
  till: 'int32',
  amount: 'float64',
  items: 'int64',
  success: { type: 'bool', default: true },
} as const
const transactions = eventSource('transactions', { eventTimestamp: 'timestamp', fields })
const sales = eventSource('sales', { eventTimestamp: 'sold_at', eventId: 'receipt', fields })
const mapped = eventSource('mapped', {
  table: 'shop.sales',
  eventTimestamp: 'sold_at',
  fields,
  columns: { customer_id: 'buyer', amount: 'total' },
})

const cases = {
  'five-features': windowedView('customer_transactions', {
    entity: customer,
    source: transactions,
    compute: batch({ every: '1d' }),
    features: {
      total_30d: sum('amount', '30d'),
      average_30d: mean('amount', '30d'),
      largest_30d: max('amount', '30d'),
      count_7d: count('7d'),
      shops_30d: countDistinct('shop', '30d'),
    },
  }),
  'conditions-order-and-ids': windowedView('terminal_sales', {
    entity: terminal,
    source: sales,
    compute: batch({ every: '1h' }),
    features: {
      failed: count('1h', { where: { success: false } }),
      without_shop: count('1h', { where: { success: null, shop: "o'clock" } }),
      items: sum('items', '1d'),
      spread: stddev('amount', '1d'),
      first_amount: first('amount', '1d'),
      last_amount: last('amount', '1d', { where: { success: true } }),
    },
  }),
  'mapped-table': windowedView('mapped_sales', {
    entity: customer,
    source: mapped,
    compute: batch({ every: '1d' }),
    features: { total: sum('amount', '7d'), latest: last('amount', '7d') },
  }),
} as const

const registry = buildRegistry(
  [customer, terminal, transactions, sales, mapped, ...Object.values(cases)].map((value, index) => ({
    path: `definition ${index}`,
    value,
  })),
)

function viewOf(name: string): BatchView {
  const view = registry.views.find((one) => one.name === name)
  if (view?.kind !== 'BATCH') throw new Error(`no batch view ${name}`)
  return view
}

describe('the SQL of snapshots', () => {
  let database: TestDatabase
  let pool: pg.Pool

  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 1)
    await pool.query(
      'create schema features; create schema events; create schema event_partitions; create schema shop',
    )
    await pool.query(
      'create table shop.sales (sold_at timestamptz, buyer bigint, shop text, till int, total numeric, items bigint, success bool)',
    )
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  it.each(Object.entries(cases))('is what is committed, and runs: %s', async (name, { name: viewName }) => {
    const view = viewOf(viewName)
    const tables = [
      ...createTable('default', view),
      ...(view.events.table === null
        ? [
            ...createEventTable('default', view.events),
            createEventMonth('default', view.events, at('2026-02-28T23:59:59Z')),
            createEventMonth('default', view.events, at('2025-12-01T00:00:00Z')),
          ]
        : []),
    ]
    await expectGolden(`snapshots/${name}.create.sql`, `${tables.join(';\n')};\n`)
    for (const statement of [...tables, ...tables]) await pool.query(statement)

    const times = [at('2026-02-10T00:00:00Z'), at('2026-02-11T00:00:00Z')]
    const plan = planSnapshots(view, times)
    const spans = spansSql('default', { view, ...plan })
    await expectGolden(`snapshots/${name}.spans.sql`, `${spans.text}\n`)
    const single = spansSql('default', { view, ...planSnapshots(view, times.slice(0, 1)) })
    await expectGolden(`snapshots/${name}.single.sql`, `${single.text}\n`)
    const stored = storedSnapshotsSql('default', { view, times })
    await expectGolden(`snapshots/${name}.stored.sql`, `${stored.text}\n`)
    for (const { text, values } of [spans, single, stored])
      expect((await pool.query(text, [...values])).rows).toEqual([])
  })

  it('has no golden file that nothing makes', async () => {
    const made = Object.keys(cases).flatMap((name) =>
      ['create', 'single', 'spans', 'stored'].map((kind) => `${name}.${kind}.sql`),
    )
    expect(await goldenFiles('snapshots')).toEqual(made.sort())
  })
})

describe('spans', () => {
  it('are days for daily batch snapshots of days, and one for a single snapshot', () => {
    const view = viewOf('customer_transactions')
    const noon = at('2026-02-10T00:00:00Z')
    const day = 86_400_000_000
    const days = Array.from({ length: 100 }, (_, index) => noon + index * day)
    expect(planSnapshots(view, days).bounds).toHaveLength(130)
    expect(planSnapshots(view, [noon]).bounds).toEqual([noon - 30 * day, noon])
  })

  it('are asked once for what several windows share', () => {
    const view = viewOf('customer_transactions')
    expect(planSnapshots(view, [0]).aggregations).toHaveLength(5)
  })
})
