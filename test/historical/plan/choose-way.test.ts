import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PostgresSource } from '../../../src/definitions/data-source.ts'
import type { WindowedAggregation } from '../../../src/definitions/windowed-aggregation.ts'
import { type AskedRows, chooseWay } from '../../../src/historical/plan/choose-way.ts'
import type { OfflineView } from '../../../src/stores/offline-view.ts'
import { tableEstimate } from '../../../src/stores/postgres/features/table-estimate.ts'
import { createEventMonth } from '../../../src/stores/postgres/tables/event-table.ts'
import { at, offlineView } from '../../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'

const hour = 3_600_000_000
const start = at('2026-12-01T00:00:00Z')
const hourly: WindowedAggregation = {
  ...{ aggregate: 'count', field: null, windowMicros: hour, hopMicros: hour / 12, where: [] },
}
const rides: OfflineView = {
  ...{ id: 'ride_counts', name: 'ride_counts', kind: 'STREAM', source: null },
  entity: { joinKeys: [{ name: 'rider', type: 'int64' }] },
  features: [{ name: 'rides', id: 'rides', type: 'int64', columns: [] }],
  aggregations: [hourly],
  events: {
    ...{ name: 'rides', topic: null, indexedKeys: [['rider']], table: null },
    ...{ eventTimestamp: 'at', createdTimestamp: null, eventId: null },
    fields: [{ name: 'rider', type: 'int64', column: 'rider' }],
  },
}

function asked(rows: number, keys: number, more: Partial<AskedRows> = {}): AskedRows {
  return { rows, keys, spanMicros: 30 * 24 * hour, isKnownAtOnce: true, ...more }
}

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 1, null)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

async function chosen(view: OfflineView, rows: AskedRows) {
  const client = await pool.connect()
  try {
    return chooseWay(view, rows, await tableEstimate(client, 'default', view))
  } finally {
    client.release()
  }
}

describe('the way in which the values of a view are found', () => {
  it('of a mapped table is one reading without an index of keys and times, whether it is a table, a view or a query', async () => {
    await pool.query(
      `create table public.trips as select i % 500 as rider, 'r' || i % 500 as name, timestamptz '2026-11-01' + i * interval '1 minute' as ts, i as n
       from generate_series(1, 20000) as i`,
    )
    await pool.query('create view public.shown_trips as select * from public.trips')
    await pool.query('analyze public.trips')
    const mapped = (
      from: Partial<PostgresSource>,
      key = 'rider',
      type: 'int64' | 'string' = 'int64',
    ): OfflineView =>
      offlineView(
        'trips',
        { id: type },
        { n: 'int64' },
        { kind: 'postgres', name: 'trips', eventTimestamp: 'ts', columns: { id: key }, ...from },
      )
    const table = { table: 'public.trips' }
    const views = [
      mapped(table),
      mapped({ table: 'public.shown_trips' }),
      mapped({ query: 'select * from public.trips where n >= 0 -- all' }),
      mapped(table, 'name', 'string'),
    ]
    for (const view of views) {
      expect(await chosen(view, asked(10_000, 500))).toMatchObject({
        ...{ way: 'SCATTER', because: 'no index has the join keys and the time' },
        table: { keys: 500, probeShare: 1 },
      })
      // Of a few rows a scan each is soon done.
      expect((await chosen(view, asked(20, 20))).way).toBe('LATERAL')
      expect((await chosen(view, asked(10_000, 500, { isKnownAtOnce: false }))).way).toBe('LATERAL')
    }
    await pool.query('create index on public.trips (rider, ts)')
    await pool.query('create index on public.trips (name, ts desc)')
    for (const view of views) {
      const way = await chosen(view, asked(5_000, 500))
      expect(way).toMatchObject({ way: 'LATERAL', because: 'an index finds each row', reads: 5_000 })
      expect(way.table.probeShare).toBeLessThan(0.1)
    }
  })

  it('of a managed table is one reading where fewer feature rows than probes are left, by the share of its keys', async () => {
    const view = offlineView('stops', { line: 'string', post: 'int32' }, { n: 'int64' })
    const store = testOfflineStore(database.url)
    await store.ensureTables([view], [])
    await store.close()
    await pool.query(
      `insert into features.stops (line, post, event_timestamp, n)
       select 'l' || i % 20, i % 50, timestamptz '2026-11-01' + i * interval '1 minute', i from generate_series(1, 20000) as i`,
    )
    await pool.query('vacuum analyze features.stops')
    const all = await chosen(view, asked(40_000, 100))
    expect(all).toMatchObject({ way: 'SCATTER', because: 'few feature rows for each entity row' })
    expect(all.reads).toBeLessThanOrEqual(20_000)
    expect((await chosen(view, asked(1_500, 1_000))).way).toBe('LATERAL')
    expect((await chosen(view, asked(900, 100))).because).toBe('at most 1000 rows')
    // What its snapshots say is asked of each row.
    expect(chooseWay({ ...view, kind: 'BATCH' } as OfflineView, all.asked, all.table).way).toBe('LATERAL')
  })

  it('of streaming windows is a merge, whatever the statistics say, which say how many events are read', async () => {
    const store = testOfflineStore(database.url)
    await store.ensureTables([rides], [rides.kind === 'STREAM' ? rides.events : raise()])
    await store.close()
    if (rides.kind !== 'STREAM') throw raise()
    expect(await chosen(rides, asked(2_000, 100))).toMatchObject({ way: 'MERGE', reads: 0 })
    await pool.query(createEventMonth('default', rides.events, start))
    await pool.query(
      `insert into events.rides (topic_id, partition, "offset", event_timestamp, ingested_at, rider)
       select 1, 0, i, at, at, i % 100 from (
         select i, timestamptz '2026-12-01Z' + i * interval '2 minutes' as at from generate_series(1, 20000) as i
       ) as e`,
    )
    await pool.query('analyze event_partitions.rides_2026_12')
    const few = await chosen(rides, asked(2_000, 100))
    expect(few).toMatchObject({ way: 'MERGE', table: { rows: 20_000, keys: 100, probeShare: null } })
    const share = (few.table.spanMicros ?? 0) / (20_000 * 120_000_000)
    expect([share > 0.99, share <= 1]).toEqual([true, true])
    const many = await chosen(rides, asked(1_000_000, 100))
    expect(many.reads).toBeGreaterThan(few.reads)
    expect(many.reads).toBeLessThanOrEqual(20_000)
    expect(await chosen(rides, asked(500, 100))).toMatchObject({ way: 'LATERAL' })
  })
})

function raise(): never {
  throw new Error('no streaming view')
}
