import { batch, count, entity, eventSource, last, stddev, sum, variance, windowedView } from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { formatTimestamp } from '../../../src/definitions/timestamp.ts'
import type { EntityKey } from '../../../src/definitions/value.ts'
import { HistoryExpired, RowCountRefused } from '../../../src/errors.ts'
import { computeSnapshots } from '../../../src/ingest/snapshots/compute-snapshots.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import { postgresEventRetention } from '../../../src/stores/postgres/events/event-retention.ts'
import { eventTable } from '../../../src/stores/postgres/tables/event-table.ts'
import { postgresSnapshotStore } from '../../../src/stores/postgres/windows/snapshot-store.ts'
import { asOfJoin } from '../../contract/offline-store.ts'
import { storeEvents } from '../../oracle/store-events.ts'
import {
  type BatchBench,
  type BatchWorld,
  day,
  hour,
  minute,
  monday,
  openBatchBench,
  sale,
} from './batch-world.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const terminal = entity('terminal', { joinKeys: { shop: 'string', till: 'int32' } })
const sales = eventSource('sales', {
  eventTimestamp: 'at',
  fields: {
    customer_id: 'int64',
    shop: 'string',
    till: 'int32',
    amount: 'float64',
    items: 'int64',
    weight: 'float32',
    paid: 'bool',
  },
})
const daily = windowedView('daily', {
  entity: customer,
  source: sales,
  ttl: '90d',
  compute: batch({ every: '1d' }),
  features: { n: count('3d', { hop: '1d' }), total: sum('amount', '3d', { hop: '1d' }) },
})

let bench: BatchBench
let pool: pg.Pool
beforeAll(async () => {
  bench = await openBatchBench()
  pool = bench.pool
})
afterAll(() => bench?.close())

const makeWorld = (...definitions: readonly unknown[]): Promise<BatchWorld> => bench.makeWorld(...definitions)

describe('a snapshot', () => {
  let world: BatchWorld
  const total = (n: number, amount: number) => ({ closing: false, values: [n, amount] })
  const closed = { closing: true, values: [0, 0] }

  beforeEach(async () => {
    await pool.query('truncate featuregraph.violations, featuregraph.quarantine')
    world = await makeWorld(customer, sales, daily)
  })

  it('closes a key once when its last event has left the longest window, and opens it again', async () => {
    await world.keep(sale(1, monday + hour, { amount: 2 }), sale(1, monday + 6 * day + hour, { amount: 5 }))
    const days = [1, 2, 3, 4, 5, 6, 7].map((number) => monday + number * day)
    expect(await world.at(...days)).toMatchObject({ written: 5 })
    expect(await world.asOf([1], monday + 3 * day + hour)).toMatchObject(total(1, 2))
    // Three days and the rest of the day that the tail is rounded to.
    expect(await world.asOf([1], monday + 4 * day)).toMatchObject({
      ...closed,
      eventTimestamp: monday + 4 * day,
    })
    expect(await world.asOf([1], monday + 6 * day)).toMatchObject({
      ...closed,
      eventTimestamp: monday + 4 * day,
    })
    expect(await world.asOf([1], monday + 7 * day)).toMatchObject(total(1, 5))
  })

  it('closes keys whether snapshots are computed one by one, together, or from the last one backwards', async () => {
    await world.keep(sale(1, monday + hour, { amount: 2 }), sale(2, monday + 5 * day, { amount: 3 }))
    const days = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => monday + number * day)
    const answers = async () =>
      await Promise.all(
        days.flatMap((time) => [1, 2].map(async (id) => (await world.asOf([id], time))?.values ?? [0, 0])),
      )
    await world.at(...days)
    const together = await answers()
    expect(new Set(together.map(String)).size).toBe(3)
    for (const order of [days, [...days].reverse(), [days[4], days[8], days[0], days[2], ...days]]) {
      await pool.query('truncate featuregraph.snapshots, features.daily')
      for (const time of order) await world.at(time ?? 0)
      expect(await answers()).toEqual(together)
    }
  })

  it('shows the old truth by knownAt after late events, and a later created row shows the new one', async () => {
    const snapshot = monday + 2 * day
    await world.keep(sale(1, monday + hour, { amount: 2 }), sale(2, monday + hour, { amount: 9 }))
    await world.at(monday + day, snapshot)
    const before = world.time.now
    world.time.now += hour
    expect(await world.compute({ kind: 'STALE', since: null })).toMatchObject({ times: [], written: 0 })
    await world.keep(sale(1, monday + 30 * hour, { amount: 40 }), sale(3, monday + 30 * hour, { amount: 1 }))
    expect(await world.compute({ kind: 'STALE', since: monday + 3 * day })).toMatchObject({ times: [] })
    // The event lies behind the first snapshot: only the second one is touched.
    const done = await world.compute({ kind: 'STALE', since: null })
    expect(done).toMatchObject({ times: [snapshot], written: 2 })
    expect(await world.asOf([1], snapshot)).toMatchObject(total(2, 42))
    expect(await world.asOf([1], snapshot, before)).toMatchObject(total(1, 2))
    expect(await world.asOf([2], snapshot)).toMatchObject({ createdTimestamp: before })
    expect(await world.asOf([3], snapshot, before)).toBeNull()
    expect(await world.compute({ kind: 'STALE', since: null })).toMatchObject({ times: [] })
  })

  it('is stale when events come while it is being computed', async () => {
    await world.keep(sale(1, monday + hour, { amount: 2 }))
    const writer = await pool.connect()
    await writer.query('begin')
    await writer.query('select pg_current_xact_id()')
    await world.at(monday + day)
    // Committed behind the snapshot's reading, by a transaction that was there before it.
    await writer.query(
      `insert into ${eventTable('default', world.source)} (topic_id, partition, "offset", event_timestamp, ingested_at, customer_id, amount)
       values (1, 7, 0, '2026-11-16T02:00:00Z', now(), 1, 5)`,
    )
    await writer.query(
      `insert into featuregraph.event_arrivals values ('default', 'sales', '2026-11-16T02:00:00Z', pg_current_xact_id())`,
    )
    await writer.query('commit')
    writer.release()
    expect(await world.compute({ kind: 'STALE', since: null })).toMatchObject({ times: [monday + day] })
    expect(await world.asOf([1], monday + day)).toMatchObject(total(2, 7))
  })

  it('is known from the backfill on, or so long after its time as the backfill says, corrections from now on', async () => {
    await world.keep(sale(1, monday + hour, { amount: 2 }))
    await world.compute(
      { kind: 'TIMES', times: [monday + day, monday + 2 * day] },
      { createdAfterMicros: 30 * minute },
    )
    const known = monday + day + 30 * minute
    expect(await world.asOf([1], monday + day, known)).toMatchObject({ createdTimestamp: known })
    expect(await world.asOf([1], monday + day, known - 1)).toBeNull()
    await world.keep(sale(1, monday + 2 * hour, { amount: 2 }))
    const again = { createdAfterMicros: 30 * minute }
    await world.compute({ kind: 'TIMES', times: [monday + day] }, again)
    expect(await world.asOf([1], monday + day, known)).toMatchObject(total(1, 2))
    expect(await world.asOf([1], monday + day)).toMatchObject({ createdTimestamp: world.time.now })
    world.time.now = monday + 3 * day + minute
    await world.compute({ kind: 'TIMES', times: [monday + 3 * day] }, again)
    // Nothing is known before it was computed.
    expect(await world.asOf([1], monday + 3 * day)).toMatchObject({ createdTimestamp: world.time.now })
  })

  it('knows by which definition it was computed, and what that lacks', async () => {
    await world.keep(sale(1, monday + hour, { amount: 2 }), sale(1, monday + 30 * hour, { amount: 5 }))
    await world.at(monday + 2 * day)
    const store = postgresSnapshotStore(pool, 'default')
    const lackingOf = async (features: Parameters<typeof windowedView>[1]['features']) => {
      const changed = buildRegistry(
        [customer, sales, { ...daily, features }].map((value) => ({ path: 'changed', value })),
      ).views[0]
      if (changed?.kind !== 'BATCH') throw new Error('no batch view')
      return await store.recorded(changed, { reachMicros: day, since: monday + 9 * day })
    }
    const recorded = { asOf: monday + 2 * day, stale: false }
    expect(await lackingOf({ ...daily.features, n: count('1d', { hop: '1d' }) })).toEqual([
      { ...recorded, lacking: null },
    ])
    expect(await lackingOf({ ...daily.features, more: sum('amount', '1d') })).toEqual([
      { ...recorded, lacking: ['more'] },
    ])
    expect(await lackingOf(daily.features)).toEqual([{ ...recorded, lacking: [] }])
  })

  it('is refused, or left as it is, where events of its windows were dropped', async () => {
    const december = monday + 15 * day
    await world.keep(sale(1, december - hour, { amount: 2 }), sale(1, december + hour, { amount: 5 }))
    await world.at(december, december + day)
    const before = await world.asOf([1], december)
    expect(before).not.toBeNull()
    await postgresEventRetention(pool, 'default').expire(world.source, december)
    const refused = await world.at(december, december + 3 * day).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(HistoryExpired)
    expect(refused).toMatchObject({
      code: 'HISTORY_EXPIRED',
      message: `the snapshot of 2026-12-01T00:00:00.000000Z of feature view "daily" cannot be computed: the events of "sales" are kept since 2026-12-01T00:00:00.000000Z, which makes snapshots from ${formatTimestamp(december + 3 * day)} on possible`,
    })
    expect((await world.at(december + 3 * day)).times).toContain(december + 3 * day)
    // What comes late for them makes them stale, and is no reason to count again what is gone.
    await world.keep(sale(1, december - 2 * hour, { amount: 9 }))
    const stale = await world.compute({ kind: 'STALE', since: null })
    expect(stale.expired).toContain(december)
    expect(stale.times).not.toContain(december)
    expect(await world.asOf([1], december)).toEqual(before)
  })

  it('is undone when events are dropped after it has read since when they are stored', async () => {
    const december = monday + 15 * day
    await world.keep(sale(1, december - hour, { amount: 2 }))
    await postgresEventRetention(pool, 'default').expire(world.source, december)
    // As it was when the computing began.
    const snapshots = { ...world.targets.snapshots, storedSince: async () => null }
    const options = { createdAfterMicros: null, onWait: () => {}, onProgress: () => {} }
    const scope = { kind: 'TIMES', times: [december] } as const
    await expect(
      computeSnapshots({ ...world.targets, snapshots }, world.view, scope, options),
    ).rejects.toBeInstanceOf(HistoryExpired)
    await expect(world.asOf([1], december)).rejects.toThrow('NEVER_FILLED')
  })

  it('leaves nothing behind when its computing fails, and waits for another run of its view', async () => {
    await world.keep(sale(1, monday + hour, { amount: 2 }))
    const failing = world.compute(
      { kind: 'TIMES', times: [monday + day] },
      {
        onProgress: () => {
          throw new Error('the process is gone')
        },
      },
    )
    await expect(failing).rejects.toThrow('the process is gone')
    await expect(world.asOf([1], monday + day)).rejects.toThrow('NEVER_FILLED')
    const both = await Promise.all([world.at(monday + day), world.at(monday + day)])
    expect(both.map(({ written }) => written).sort()).toEqual([0, 1])
  })
})

describe('a row of a snapshot', () => {
  const view = (features: Parameters<typeof windowedView>[1]['features'], options: object = {}) =>
    windowedView('checked', {
      entity: customer,
      source: sales,
      compute: batch({ every: '1d' }),
      features,
      ...options,
    })
  const violations = async () => {
    const { rows } = await pool.query(
      'select feature, key, rule, value, bound, action, message from featuregraph.violations order by id',
    )
    return rows
  }

  beforeEach(async () => {
    await pool.query('truncate featuregraph.violations, featuregraph.quarantine')
  })

  it('that breaks an expectation is reported, or kept out of the store', async () => {
    const total = sum('amount', '1d', { hop: '1d', expect: { max: 10 } })
    const n = count('1d', { hop: '1d', expect: { max: 1, action: 'quarantine' } })
    const items = sum('items', '1d', { hop: '1d', expect: { min: 0, action: 'reject' } })
    const world = await makeWorld(customer, sales, view({ total, n, items }))
    await world.keep(
      sale(1, monday, { amount: 12 }),
      ...[1, 2].map((number) => sale(2, monday + number)),
      sale(3, monday, { items: -4 }),
      sale(4, monday),
    )
    expect(await world.at(monday + day)).toMatchObject({ written: 2 })
    const found = await Promise.all([1, 2, 3, 4].map(async (id) => await world.asOf([id], monday + day)))
    expect(found.map((row) => row?.values ?? null)).toEqual([[12, 1, 0], null, null, [0, 1, 0]])
    expect(await violations()).toMatchObject([
      { feature: 'total', key: ['1'], rule: 'MAX', action: 'warn', message: 'Value 12 above maximum 10' },
      { feature: 'n', key: ['2'], rule: 'MAX', action: 'quarantine' },
      { feature: 'items', key: ['3'], rule: 'MIN', action: 'reject' },
    ])
    const quarantined = await pool.query('select content, reason from featuregraph.quarantine')
    expect(quarantined.rows).toMatchObject([{ content: { key: [2] }, reason: 'n: Value 2 above maximum 1' }])
  })

  it('of another definition gives way to nulls where an expectation keeps the new one out', async () => {
    const world = await makeWorld(customer, sales, view({ n: count('1d', { hop: '1d' }) }))
    await world.keep(sale(1, monday - hour), sale(1, monday + hour), sale(2, monday + hour))
    await world.at(monday + day)
    const n = count('2d', { hop: '1d', expect: { max: 1, action: 'reject' } })
    const [changed] = buildRegistry(
      [customer, sales, view({ n })].map((value) => ({ path: 'changed', value })),
    ).views
    if (changed?.kind !== 'BATCH') throw new Error('no batch view')
    const scope = { kind: 'STALE', since: null } as const
    const options = { createdAfterMicros: null, onWait: () => {}, onProgress: () => {} }
    await computeSnapshots(world.targets, changed, scope, options)
    const rows = [1, 2].map((id) => ({ key: [id], asOf: monday + day, knownAt: null }))
    const [answer] = await asOfJoin(bench.offline, { views: [changed], rows })
    expect(answer?.map((row) => row?.values)).toEqual([[null], [1]])
  })

  it('has null and a violation where the exact sum leaves int64 or float64', async () => {
    const world = await makeWorld(
      customer,
      sales,
      view({
        items: sum('items', '2d', { hop: '1d' }),
        total: sum('amount', '1d', { hop: '1d' }),
        s: variance('amount', '1d', { hop: '1d' }),
      }),
    )
    const large = '9223372036854775807'
    await world.keep(
      sale(1, monday, { items: large, amount: 1.7e308 }),
      sale(1, monday + day, { items: 1, amount: 1.7e308 }),
      sale(1, monday + day, { amount: 1.6e308 }),
      sale(2, monday + day, { items: large, amount: 1e-200 }),
      // So small that Postgres refuses to scale it.
      sale(3, monday + day, { amount: 5e-324 }),
    )
    await world.at(monday + 2 * day)
    expect((await world.asOf([1], monday + 2 * day))?.values).toEqual([null, null, null])
    expect((await world.asOf([2], monday + 2 * day))?.values).toEqual([large, 1e-200, null])
    expect((await world.asOf([3], monday + 2 * day))?.values).toEqual([0, 0, null])
    expect(await violations()).toMatchObject([
      { feature: 'items', rule: 'MAX', value: '9223372036854775808', bound: large },
      { feature: 'total', rule: 'MAX', value: 'Infinity' },
      { feature: 's', value: 'NaN' },
    ])
    expect(await world.at(monday + 2 * day)).toMatchObject({ written: 0 })
  })

  it('names the least int64 where the exact sum falls below it', async () => {
    const world = await makeWorld(customer, sales, view({ items: sum('items', '1d', { hop: '1d' }) }))
    const least = '-9223372036854775808'
    await world.keep(
      sale(1, monday, { items: least }),
      sale(1, monday, { items: -1 }),
      sale(2, monday, { items: least }),
    )
    await world.at(monday + day)
    expect((await world.asOf([1], monday + day))?.values).toEqual([null])
    expect((await world.asOf([2], monday + day))?.values).toEqual([least])
    const { rows } = await pool.query('select rule, bound, message from featuregraph.violations')
    expect(rows).toEqual([
      {
        rule: 'MIN',
        bound: least,
        message: `Value -9223372036854775809 below minimum ${least} of int64, so it is null`,
      },
    ])
  })

  it('has a decimal sum of 64 bits with all of its digits, and names the bound of one beyond', async () => {
    const priced = { ...sales, fields: { ...sales.fields, price: 'decimal(2)' as const } }
    const priceSum = view({ price: sum('price', '1d', { hop: '1d' }) })
    const world = await makeWorld(customer, priced, priceSum)
    const most = '92233720368547758.07'
    await world.keep(
      sale(1, monday, { price: most }),
      sale(1, monday, { price: 0.01 }),
      sale(2, monday, { price: most }),
      ...Array.from({ length: 30 }, () => sale(3, monday, { price: 0.1 })),
    )
    await world.at(monday + day)
    expect(await Promise.all([1, 2, 3].map((id) => world.asOf([id], monday + day)))).toMatchObject([
      { values: [null] },
      { values: [most] },
      { values: [3] },
    ])
    expect(await violations()).toMatchObject([
      { feature: 'price', rule: 'MAX', value: '92233720368547758.08', bound: most },
    ])
    expect(await world.at(monday + day)).toMatchObject({ written: 0 })
  })

  it('has a variance of exactly 0 of equal values, in one snapshot and in many from spans', async () => {
    const world = await makeWorld(
      customer,
      sales,
      view({
        spread: variance('amount', '4d', { hop: '1d' }),
        deviation: stddev('amount', '4d', { hop: '1d' }),
      }),
    )
    const amounts = [0.1, 1 / 3, 1e15 + 0.3, -7.7, 1e300]
    await world.keep(
      ...amounts.flatMap((amount, index) =>
        [0, 1, 2, 3].flatMap((number) =>
          Array.from({ length: 3 + 4 * number }, () => sale(index, monday + number * day, { amount })),
        ),
      ),
    )
    const last = monday + 4 * day
    const answers = async () =>
      await Promise.all(amounts.map(async (_, index) => (await world.asOf([index], last))?.values))
    const zeros = amounts.map(() => [0, 0])
    await world.at(last)
    expect(await answers()).toEqual(zeros)
    await pool.query('truncate featuregraph.snapshots; truncate features.checked')
    await world.at(monday + 2 * day, monday + 3 * day, last)
    expect(await answers()).toEqual(zeros)
  })

  it('too many or too few: the snapshot is reported, or refused as a whole', async () => {
    const world = await makeWorld(
      customer,
      sales,
      view({ n: count('1d', { hop: '1d' }) }, { expectRows: { min: 2, max: 3, action: 'reject' } }),
    )
    await world.keep(sale(1, monday), sale(2, monday), sale(1, monday + day))
    await world.at(monday + day)
    await expect(world.at(monday + 2 * day, monday + 3 * day)).rejects.toThrow(
      new RowCountRefused(
        'feature view "checked" at 2026-11-18T00:00:00.000000Z: Row count 1 below minimum 2; feature view "checked" at 2026-11-19T00:00:00.000000Z: Row count 0 below minimum 2; nothing of these snapshots was written',
      ),
    )
    expect(await world.asOf([1], monday + 2 * day)).toMatchObject({ eventTimestamp: monday + day })
    expect(await violations()).toMatchObject([
      { feature: null, key: [], rule: 'ROW_COUNT', value: '1', bound: '2', action: 'reject' },
      { rule: 'ROW_COUNT', value: '0' },
    ])
  })
})

describe('snapshots of composite keys', () => {
  it('come in one order from Postgres and here, whatever the strings', async () => {
    const world = await makeWorld(
      terminal,
      sales,
      windowedView('tills', {
        entity: terminal,
        source: sales,
        compute: batch({ every: '1d' }),
        features: { n: count('1d', { hop: '1d' }) },
      }),
    )
    const shops = ['', 'a', 'B', 'ä', 'Z', 'z', '\uffee', '😀', ' ', "'", '10', '9']
    const keys = shops.flatMap((shop) => [-5, 10, 9].map((till): EntityKey => [shop, till]))
    const events = keys.map(([shop = '', till = 0], index) => ({
      at: monday + index,
      fields: { shop, till },
    }))
    await world.keep(...events, { at: monday, fields: { shop: null, till: 1 } })
    expect(await world.at(monday + day)).toMatchObject({ written: keys.length })
    expect(await world.at(monday + day, monday + 2 * day)).toMatchObject({ written: keys.length })
    for (const key of keys) expect(await world.asOf(key, monday + day)).toMatchObject({ values: [1] })
  })
})

describe('events of a source', () => {
  it('with ids count once, the one that was stored first, whenever its retry says that it was', async () => {
    const withIds = { ...sales, eventId: 'id' }
    const world = await makeWorld(customer, withIds, daily)
    const [one, two] = [{ id: 'x' }, { id: 'y' }]
    await world.keep(
      { ...sale(1, monday + hour, { amount: 1 }), ...one },
      { ...sale(1, monday + 30 * hour, { amount: 10 }), ...one },
      { ...sale(1, monday + 2 * hour, { amount: 100 }), ...two },
      sale(1, monday + hour, { amount: 1_000 }),
      sale(1, monday + hour, { amount: 1_000 }),
    )
    await storeEvents(pool, world.source, 'a topic before', [{ ...sale(1, monday, { amount: 5 }), ...two }])
    await world.at(monday + day, monday + 2 * day)
    expect(await world.asOf([1], monday + day)).toMatchObject({ values: [4, 2_101] })
    expect(await world.asOf([1], monday + 2 * day)).toMatchObject({ values: [4, 2_101] })
  })

  it('in an existing table are read where they stand, under its names, numbers that are none as null, and those that a decimal cannot hold', async () => {
    await pool.query(`create schema if not exists shop`)
    await pool.query(`drop table if exists shop.sales`)
    await pool.query(
      `create table shop.sales (sold timestamp, buyer int, total numeric, count smallint, note text, price numeric)`,
    )
    await pool.query(
      `insert into shop.sales values ('2026-11-16 01:00', 1, 2.5, 3, 'a', 0.100), ('2026-11-16 02:00', 1, 'NaN', null, 'b', 'NaN'),
         ('2026-11-16 02:00', 1, null, null, 'b', 0.125), ('2026-11-16 02:00', 1, null, null, 'b', 1e17), ('2026-11-16 02:00', 1, null, null, 'b', 0.2),
         ('2026-11-16 03:00', null, 9, 9, 'c', 9), ('infinity', 1, 9, 9, 'd', 9), (null, 1, 9, 9, 'e', 9)`,
    )
    const mapped = eventSource('mapped_sales', {
      table: 'shop.sales',
      eventTimestamp: 'sold',
      fields: {
        customer_id: 'int64',
        amount: 'float64',
        items: 'int32',
        note: 'string',
        price: 'decimal(2)',
      },
      columns: { customer_id: 'buyer', amount: 'total', items: 'count' },
    })
    const world = await makeWorld(
      customer,
      mapped,
      windowedView('mapped', {
        entity: customer,
        source: mapped,
        compute: batch({ every: '1d' }),
        features: {
          n: count('1d', { hop: '1d' }),
          total: sum('amount', '1d', { hop: '1d' }),
          items: sum('items', '1d', { hop: '1d' }),
          note: last('note', '1d', { hop: '1d' }),
          price: sum('price', '1d', { hop: '1d' }),
          dimes: count('1d', { hop: '1d', where: { price: '0.1' } }),
        },
      }),
    )
    await world.at(monday + day)
    expect(await world.asOf([1], monday + day)).toMatchObject({ values: [5, 2.5, 3, 'b', 0.3, 1] })
    expect(await world.at(monday + day)).toMatchObject({ written: 0 })
  })
})
