import { count, entity, eventSource, stream, sum, windowedView } from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { EntityKey } from '../../../src/definitions/value.ts'
import { DeletionUnfinished } from '../../../src/errors.ts'
import { deleteEntity } from '../../../src/ingest/deletion/delete-entity.ts'
import type { DeletionReceipt } from '../../../src/ingest/deletion/deletion-receipt.ts'
import type { Sleep } from '../../../src/ingest/retry.ts'
import { followEvents } from '../../../src/ingest/tiles/follow-events.ts'
import { liveTiles } from '../../../src/online/live-tiles.ts'
import { openRowLayouts } from '../../../src/online/row-layouts.ts'
import { viewReader } from '../../../src/online/view-reader.ts'
import type { ViewRow } from '../../../src/online/view-row.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { Entity, EventSource, StreamView } from '../../../src/registry/registry.ts'
import type { EventStore } from '../../../src/stores/event-store.ts'
import type { OnlineStore } from '../../../src/stores/online-store.ts'
import { onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'
import { postgresDeletionStore } from '../../../src/stores/postgres/deletion/deletion-store.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { postgresGuardRecord } from '../../../src/stores/postgres/system/guard-record.ts'
import { postgresRegistryStore } from '../../../src/stores/postgres/system/registry-store.ts'
import { postgresTileGenerations } from '../../../src/stores/postgres/system/tile-generations.ts'
import { postgresTombstoneLog } from '../../../src/stores/postgres/system/tombstone-log.ts'
import { redisOnlineStore } from '../../../src/stores/redis/online-store.ts'
import { neverAborted } from '../../contract/offline-store.ts'
import { type RedisServer, startRedis } from '../../services/redis.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'
import { untilWorks } from '../../services/wait-until.ts'
import { judged } from '../../world/judged.ts'

const hour = 3_600_000_000
const start = Math.floor((Date.now() * 1_000) / hour) * hour

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const regular = entity('regular', { joinKeys: { shop: 'string', customer_id: 'int64' } })
const payer = entity('payer', { joinKeys: { customer_id: 'int64', card: 'string' } })
const payments = eventSource('payments', {
  topic: 'payments',
  eventTimestamp: 'at',
  fields: { customer_id: 'int64', shop: 'string', card: 'string', amount: 'float64' },
})
const windowed = {
  source: payments,
  compute: stream(),
  features: { n: count('1h'), total: sum('amount', '1h') },
}
const registry = buildRegistry(
  [
    ...[customer, regular, payer, payments],
    windowedView('of_customer', { entity: customer, ...windowed }),
    windowedView('of_regular', { entity: regular, ...windowed }),
    windowedView('of_payer', { entity: payer, ...windowed }),
    windowedView('of_payer_offline', { entity: payer, ...windowed, online: false }),
  ].map((value) => ({ path: 'here', value })),
)
const streamed = registry.views.filter((view): view is StreamView => view.kind === 'STREAM')
const [source] = registry.eventSources as readonly [EventSource]

let database: TestDatabase
let pool: pg.Pool
let redis: RedisServer
let online: OnlineStore
let events: EventStore
let follow: () => Promise<void>
let answer: (view: string, key: EntityKey) => Promise<ViewRow>
let remove: (name: string, key: EntityKey, sleep?: Sleep) => Promise<DeletionReceipt>
const time = { now: start }
let offset = 0

beforeAll(async () => {
  ;[database, redis] = await Promise.all([createTestDatabase(), startRedis()])
  pool = testPool(database.url, 6, null)
  const offline = testOfflineStore(database.url)
  await offline.ensureTables(registry.views, registry.eventSources)
  await offline.close()
  events = { ...postgresEventStore(pool, 'default'), now: async () => time.now }
  online = redisOnlineStore({ url: redis.url, readTimeoutMs: 60_000, onConnectionError: () => {} })
  const guardRecord = postgresGuardRecord(pool, 'default')
  const layouts = await openRowLayouts(
    'default',
    registry,
    postgresRegistryStore(pool, 'default'),
    guardRecord,
  )
  const tombstones = postgresTombstoneLog(pool, 'default')
  const deletions = postgresDeletionStore(pool, 'default')
  const generations = postgresTileGenerations(pool, 'default')
  const streamLock = { hold: async () => true, release: async () => {} }
  const stores = { events, online, deletions, generations, guardRecord, tombstones, streamLock }
  const targets = { ...layouts, ...stores, clock: () => time.now }
  const views = streamed.filter((view) => view.online)
  const tiles = liveTiles(layouts, views, generations)
  follow = async () => {
    await followEvents(targets, views, {
      ...{ once: true, signal: neverAborted, pause: async () => {} },
      ...{ observe: { applied: () => {}, caughtUp: () => {} }, log: { info: () => {}, warn: () => {} } },
    })
    await tiles.refresh()
  }
  answer = async (name, key) => {
    const view = views.find((one) => one.name === name) as StreamView
    const [value = null] = (await online.readMany([tiles.find(view)?.prefix + onlineKeySuffix(key)])).rows
    return viewReader(view, layouts.layout(view), layouts.history).readPacked(value, time.now, null)
  }
  remove = (name, key, sleep = async () => {}) => {
    const found = registry.entities.find((one) => one.name === name) as Entity
    const options = { sleep, waitMs: null, onWait: () => {} }
    return deleteEntity(targets, registry, found, key, options)
  }
})
afterAll(async () => {
  await Promise.all([online?.close(), pool?.end()])
  await Promise.all([redis?.stop(), database?.drop()])
})

async function paid(...payments: readonly (readonly [customer: number, shop: string, card: string])[]) {
  const kept = payments.map(([id, shop, card]) => {
    const eventTimestamp: Micros = time.now - 1
    offset += 1
    return { partition: offset % 2, offset, eventTimestamp, eventId: null, values: [id, shop, card, 2] }
  })
  await events.storeMessages(source, 'payments', judged(kept), time.now)
  time.now += 1_000
  await follow()
}

/** How many events each view counts of the keys. */
async function counted(...places: readonly (readonly [view: string, ...key: EntityKey])[]) {
  const rows = await Promise.all(places.map(([view, ...key]) => answer(view, key)))
  return rows.map((row) => (row as unknown as { readonly n: number }).n)
}

const remembered = async () =>
  (await pool.query('select view, key from featuregraph.deletion_online_keys order by view, key')).rows

describe('a deletion of an entity of streaming views', () => {
  it('keeps what happens while it waits for older transactions, whichever process holds tiles in memory', async () => {
    await paid([5, 'a', 'x'], [5, 'a', 'x'])
    const older = await pool.connect()
    await older.query('begin')
    await older.query('select pg_current_xact_id()')
    let waits = 0
    await remove('customer', [5], async () => {
      waits += 1
      if (waits > 1) return
      time.now += 10_000
      await paid([5, 'a', 'x'], [5, 'a', 'y'], [6, 'a', 'x'])
      await older.query('commit')
      older.release()
    })
    time.now += 1_000
    await follow()
    expect(
      await counted(['of_customer', 5], ['of_customer', 6], ['of_payer', 5, 'x'], ['of_payer', 5, 'y']),
    ).toEqual([2, 1, 1, 1])
  })
})

describe('a deletion of an entity that streaming views have among other join keys', () => {
  it('leaves nothing online under any of their keys, also when the tiles are created again', async () => {
    await paid([1, 'a', 'x'], [1, 'a', 'y'], [1, 'b', 'x'], [2, 'a', 'x'])
    const own = [
      ['of_customer', 1],
      ['of_regular', 'a', 1],
      ['of_regular', 'b', 1],
      ['of_payer', 1, 'x'],
      ['of_payer', 1, 'y'],
    ] as const
    const others = [
      ['of_customer', 2],
      ['of_regular', 'a', 2],
      ['of_payer', 2, 'x'],
    ] as const
    expect(await counted(...own)).toEqual([3, 2, 1, 2, 1])
    const receipt = await remove('customer', [1])
    expect(await counted(...own)).toEqual([0, 0, 0, 0, 0])
    expect(await counted(...others)).toEqual([1, 1, 1])
    expect(receipt.counts).toEqual(
      expect.arrayContaining([
        { place: 'events.payments', rows: 3 },
        { place: 'online (redis)', rows: 5 },
      ]),
    )
    expect(await remembered()).toEqual([])

    await redis.restart()
    await untilWorks(() => online.ping())
    await paid([2, 'a', 'x'])
    expect(await counted(...own)).toEqual([0, 0, 0, 0, 0])
    expect(await counted(...others)).toEqual([2, 2, 2])
    // Later events count again, and alone.
    await paid([1, 'b', 'x'])
    expect(await counted(...own)).toEqual([1, 0, 1, 1, 0])
  })

  it('of a wider entity takes what has its whole key, and leaves the rest of its parts', async () => {
    await paid([3, 'a', 'x'], [3, 'b', 'x'])
    await remove('regular', ['a', 3])
    expect(await counted(['of_regular', 'a', 3], ['of_regular', 'b', 3])).toEqual([0, 1])
  })

  it('remembers the keys of erased events until their tombstones stand', async () => {
    await paid([4, 'a', 'x'], [4, 'c', 'x'])
    // Kept before its source had the field.
    await pool.query(`update events.payments set card = null where customer_id = 4 and shop = 'c'`)
    await redis.kill()
    await expect(remove('customer', [4])).rejects.toBeInstanceOf(DeletionUnfinished)
    expect(await remembered()).toEqual([
      { view: 'of_payer', key: [4, 'x'] },
      { view: 'of_regular', key: ['a', 4] },
      { view: 'of_regular', key: ['c', 4] },
    ])
    await redis.restart()
    await untilWorks(() => online.ping())
    await remove('customer', [4])
    expect(await remembered()).toEqual([])
    expect(await counted(['of_regular', 'a', 4], ['of_regular', 'c', 4], ['of_payer', 4, 'x'])).toEqual([
      0, 0, 0,
    ])
  })
})
