import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import {
  count,
  countDistinct,
  entity,
  eventSource,
  last,
  max,
  mean,
  stream,
  sum,
  windowedView,
} from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import { eventApplier } from '../../../src/ingest/tiles/apply-events.ts'
import { openRowLayouts } from '../../../src/online/row-layouts.ts'
import { viewReader } from '../../../src/online/view-reader.ts'
import type { ViewRow } from '../../../src/online/view-row.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { StreamView } from '../../../src/registry/registry.ts'
import type { EventToStore } from '../../../src/stores/event-log.ts'
import type { EventStore } from '../../../src/stores/event-store.ts'
import type { OfflineStore } from '../../../src/stores/offline-store.ts'
import type { OnlineStore } from '../../../src/stores/online-store.ts'
import { onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'
import { packTombstone } from '../../../src/stores/online-value/packed-row.ts'
import { postgresDeletionStore } from '../../../src/stores/postgres/deletion/deletion-store.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { postgresRegistryStore } from '../../../src/stores/postgres/system/registry-store.ts'
import { eventTable } from '../../../src/stores/postgres/tables/event-table.ts'
import { redisOnlineStore } from '../../../src/stores/redis/online-store.ts'
import { neverAborted } from '../../contract/offline-store.ts'
import { wholeGuardRecord } from '../../oracle/memory-guard-record.ts'
import { type RedisServer, startRedis } from '../../services/redis.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'
import { untilWorks } from '../../services/wait-until.ts'
import { judged } from '../../world/judged.ts'

const second = 1_000_000
const minute = 60 * second
const hour = 60 * minute
// Redis expires by its own clock: everything happens in the hours to come.
const start = Math.ceil((Date.now() * 1_000) / hour) * hour

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const payments = eventSource('payments', {
  topic: 'payments',
  eventTimestamp: 'at',
  fields: { customer_id: 'int64', amount: 'float64', shop: 'string', failed: 'bool' },
})
const recent = windowedView('recent', {
  entity: customer,
  source: payments,
  compute: stream(),
  ttl: '5m',
  features: {
    n: count('1h'),
    n_short: count('2m'),
    total: sum('amount', '1h'),
    average: mean('amount', '20m'),
    most: max('amount', '1h'),
    shops: countDistinct('shop', '1h'),
    failed: count('1h', { where: { failed: true } }),
    last_shop: last('shop', '1h'),
  },
})
const registry = buildRegistry([customer, payments, recent].map((value) => ({ path: 'here', value })))
const view = registry.views[0] as StreamView
const [source] = registry.eventSources
if (!source) throw new Error('no source')

let database: TestDatabase
let pool: pg.Pool
let redis: RedisServer
let online: OnlineStore
let offline: OfflineStore
let events: EventStore
beforeAll(async () => {
  ;[database, redis] = await Promise.all([createTestDatabase(), startRedis()])
  pool = testPool(database.url, 6, null)
  offline = testOfflineStore(database.url)
  events = postgresEventStore(pool, 'default')
  online = redisOnlineStore({ url: redis.url, readTimeoutMs: 60_000, onConnectionError: () => {} })
  await offline.ensureTables(registry.views, registry.eventSources)
})
afterAll(async () => {
  await Promise.all([online?.close(), offline?.close()])
  await pool?.end()
  await Promise.all([redis?.stop(), database?.drop()])
})

/** Fresh online keys over an emptied table of events. */
async function makeWorld() {
  await pool.query(`truncate ${eventTable('default', source as never)}, featuregraph.event_positions`)
  const layouts = await openRowLayouts(
    randomUUID(),
    registry,
    postgresRegistryStore(pool, 'default'),
    wholeGuardRecord(),
  )
  const time = { now: start }
  const targets = { events, online, clock: () => time.now }
  const reader = viewReader(view, layouts.layout(view), layouts.history)
  const { fingerprint } = layouts.tiledView(view)
  const prefix = layouts.tilePrefix(layouts.tiledView(view), 1)
  const open = (maxEntries = 1_000, eventsAtOnce = 7): Applier => {
    let mark: string | null = null
    const applier = eventApplier(targets, { view, prefix, fingerprint }, { maxEntries, eventsAtOnce })
    return {
      forget: applier.forget,
      async applyNext() {
        const now = await events.deletionMark()
        if (now !== mark) applier.forget()
        mark = now
        return await applier.applyNext(await events.positions(view.events))
      },
    }
  }
  const key = (id: number) => prefix + onlineKeySuffix([id])
  return {
    time,
    open,
    key,
    online: async (id: number, at: Micros, maxAge: Micros | null = null) => {
      const [value = null] = (await online.readMany([key(id)])).rows
      return reader.readPacked(value, at, maxAge)
    },
    asOf: async (id: number, asOf: Micros, knownAt: Micros | null) => {
      const rows = [{ key: [id], asOf, knownAt }]
      const [answer] = await offline.asOfJoin({ views: [view], rows, visibleIn: null }, neverAborted)
      return reader.readOffline(answer?.[0] ?? null, asOf, null)
    },
  }
}

interface Applier {
  readonly applyNext: () => Promise<{ readonly caughtUp: boolean }>
  readonly forget: () => void
}

async function drain(applier: Applier): Promise<void> {
  while (!(await applier.applyNext()).caughtUp) {
    // Until nothing is left.
  }
}

function expectSame(left: ViewRow, right: ViewRow): void {
  const [one, two] = [left, right] as unknown as readonly Readonly<Record<string, unknown>>[]
  expect(left.$status).toBe(right.$status)
  expect(left.$event).toBe(right.$event)
  for (const { graphqlName } of view.features) {
    const [a, b] = [one?.[graphqlName], two?.[graphqlName]]
    if (typeof a === 'number' && typeof b === 'number') expect(a).toBeCloseTo(b, 7)
    else expect(a).toEqual(b)
  }
}

describe('a streaming view', () => {
  const event = fc.record({
    customerId: fc.integer({ min: 1, max: 3 }),
    partition: fc.integer({ min: 0, max: 2 }),
    // Late by up to two hours, or ahead by up to nine minutes.
    lateness: fc.oneof(
      fc.integer({ min: -9 * minute, max: 2 * hour }),
      fc.constantFrom(0, minute, 5 * minute),
    ),
    amount: fc.option(fc.integer({ min: -500, max: 500 }).map((cents) => cents / 100)),
    shop: fc.option(fc.constantFrom('a', 'b', 'c')),
    failed: fc.option(fc.boolean()),
  })
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.array(event, { minLength: 1, maxLength: 12 }).map((batch) => ({ batch })) },
    { weight: 1, arbitrary: fc.constant({ restart: true }) },
    { weight: 1, arbitrary: fc.constant({ replay: true }) },
    { weight: 1, arbitrary: fc.constant({ forget: true }) },
  )

  it('says online at t what it says as of t, known at t, whatever comes late, twice or again; and later events change no known truth', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(step, fc.integer({ min: 2, max: 25 * minute })), { minLength: 1, maxLength: 9 }),
        async (steps) => {
          const world = await makeWorld()
          let applier = world.open()
          const offsets = [0, 0, 0]
          const kept: EventToStore[][] = []
          const answered: { readonly id: number; readonly t: Micros; readonly row: ViewRow }[] = []
          for (const [what, pause] of steps) {
            world.time.now += pause
            const { now } = world.time
            if ('batch' in what) {
              const batch = what.batch.map(({ customerId, partition, lateness, amount, shop, failed }) => {
                const offset = offsets[partition] ?? 0
                offsets[partition] = offset + 1
                return {
                  partition,
                  offset,
                  eventTimestamp: now - lateness,
                  eventId: null,
                  values: [customerId, amount, shop, failed],
                }
              })
              kept.push(batch)
              await events.storeMessages(view.events, 'payments', judged(batch), now)
            }
            // A new process, or one with hardly any memory.
            if ('restart' in what) applier = world.open(2)
            if ('replay' in what)
              for (const batch of kept)
                await events.storeMessages(view.events, 'payments', judged(batch), now)
            if ('forget' in what) applier.forget()
            await drain(applier)
            for (const t of [now + 1, now + 3 * minute]) {
              for (const id of [1, 2, 3, 4]) {
                const row = await world.online(id, t)
                expectSame(row, await world.asOf(id, t, t))
                if (t === now + 1) answered.push({ id, t, row })
              }
            }
          }
          for (const { id, t, row } of answered) expectSame(row, await world.asOf(id, t, t))
        },
      ),
      { numRuns: 12 },
    )
  })

  it('slides to nothing by itself, and grows too old only for a caller that asks so', async () => {
    const world = await makeWorld()
    const applier = world.open()
    const values = [1, 5, 'a', true]
    const one = { partition: 0, offset: 0, eventTimestamp: start, eventId: null, values }
    await events.storeMessages(view.events, 'payments', judged([one]), start)
    await drain(applier)
    expect(await world.online(1, start + 1)).toMatchObject({
      n: 1,
      nShort: 1,
      total: 5,
      failed: 1,
      $status: 'PRESENT',
    })
    expect(await world.online(1, start + 10 * minute)).toMatchObject({ n: 1, nShort: 0, average: 5 })
    expect(await world.online(1, start + 10 * minute, minute)).toMatchObject({
      n: null,
      $status: 'OUTSIDE_TTL',
    })
    expect(await world.online(1, start + 2 * hour)).toMatchObject({
      n: 0,
      total: 0,
      average: null,
      $status: 'NOT_FOUND',
    })
  })

  it('catches up again when the online store is emptied, or set back behind its marker', async () => {
    const world = await makeWorld()
    const applier = world.open()
    const keep = (offset: number) =>
      events.storeMessages(
        view.events,
        'payments',
        judged([{ partition: 0, offset, eventTimestamp: start, eventId: null, values: [1, 1, null, null] }]),
        start,
      )
    world.time.now = start + 1
    for (const offset of [0, 1, 2]) await keep(offset)
    await drain(applier)
    await redis.restart()
    await untilWorks(() => online.ping())
    expect(await world.online(1, start + 1)).toMatchObject({ n: 0 })
    await keep(3)
    await drain(applier)
    expect(await world.online(1, start + 1)).toMatchObject({ n: 4, total: 4 })
  })

  it('forgets a deleted entity, and counts it again from its next event on', async () => {
    const world = await makeWorld()
    const applier = world.open()
    const keep = (offset: number, eventTimestamp: Micros) =>
      events.storeMessages(
        view.events,
        'payments',
        judged([{ partition: 0, offset, eventTimestamp, eventId: null, values: [2, 1, null, null] }]),
        eventTimestamp,
      )
    await keep(0, start)
    await drain(applier)
    const [entityOf] = registry.entities
    if (!entityOf) throw new Error('no entity')
    const deletion = { entity: entityOf, key: [2], views: registry.views, sources: registry.eventSources }
    const deletions = postgresDeletionStore(pool, 'default')
    const { deletedAt } = await deletions.record(deletion, start + 10)
    await deletions.erase(deletion, deletedAt)
    await online.writeMany([{ key: world.key(2), row: packTombstone(deletedAt) }], null)
    await keep(1, start + 5)
    await keep(2, start + 20)
    world.time.now = start + 30
    await drain(applier)
    expect(await world.online(2, start + 40)).toMatchObject({ n: 1, total: 1 })
    expectSame(await world.online(2, start + 40), await world.asOf(2, start + 40, null))
  })
})
