import { count, entity, eventSource, stream, windowedView } from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import { followEvents } from '../../../src/ingest/tiles/follow-events.ts'
import { beginGeneration } from '../../../src/ingest/tiles/tile-generation.ts'
import { liveTiles } from '../../../src/online/live-tiles.ts'
import { openRowLayouts } from '../../../src/online/row-layouts.ts'
import { filled, viewReader } from '../../../src/online/view-reader.ts'
import { rowValue } from '../../../src/online/view-row.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import { memoryOnlineStore } from '../../../src/stores/memory/online-store.ts'
import { onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { postgresGuardRecord } from '../../../src/stores/postgres/system/guard-record.ts'
import { postgresRegistryStore } from '../../../src/stores/postgres/system/registry-store.ts'
import { postgresTileGenerations } from '../../../src/stores/postgres/system/tile-generations.ts'
import { at, neverAborted } from '../../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'

const minute = 60_000_000
const hour = 60 * minute
const noon = at('2026-11-20T12:00:00Z')
const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const payments = eventSource('payments', { eventTimestamp: 'at', fields: { customer_id: 'int64' } })

/** The view with other windows, as two releases of the definitions have them. */
function release(windows: Readonly<Record<string, string>>) {
  const features = Object.fromEntries(Object.entries(windows).map(([name, window]) => [name, count(window)]))
  const view = windowedView('recent', { entity: customer, source: payments, compute: stream(), features })
  return buildRegistry([customer, payments, view].map((value) => ({ path: 'here', value })))
}

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 4)
})
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

async function makeWorld() {
  const time = { now: noon }
  const online = memoryOnlineStore(() => time.now)
  const events = { ...postgresEventStore(pool, 'default'), now: async () => time.now }
  const generations = postgresTileGenerations(pool, 'default')
  const open = async (windows: Readonly<Record<string, string>>) => {
    const registry = release(windows)
    const [view] = registry.views
    if (view?.kind !== 'STREAM') throw new Error('no streaming feature view')
    const offline = testOfflineStore(database.url)
    await offline.ensureTables(registry.views, registry.eventSources)
    await offline.close()
    const guardRecord = postgresGuardRecord(pool, 'default')
    const layouts = await openRowLayouts(
      'default',
      registry,
      postgresRegistryStore(pool, 'default'),
      guardRecord,
    )
    const streamLock = { hold: async () => true, release: async () => {} }
    const stores = { events, online, generations, guardRecord, streamLock }
    const targets = { ...layouts, ...stores, clock: () => time.now }
    const tiles = liveTiles(layouts, registry.views, generations)
    const reader = viewReader(view, layouts.layout(view), layouts.history, {
      watermark: () => tiles.find(view)?.watermark ?? null,
      fill: () => filled,
    })
    return {
      view,
      targets,
      follow: (options: Partial<Parameters<typeof followEvents>[2]> = {}) =>
        followEvents(targets, registry.views, {
          ...{ once: true, signal: neverAborted, pause: async () => {} },
          ...{ observe: { applied: () => {}, caughtUp: () => {} }, log: { info: () => {}, warn: () => {} } },
          ...options,
        }),
      paid: (...times: readonly Micros[]) =>
        events.append(
          view.events,
          'log:payments',
          times.map((eventTimestamp) => ({ eventTimestamp, eventId: null, values: [7] })),
          time.now,
        ),
      /** Null: there are no tiles to read. */
      ask: async () => {
        await tiles.refresh()
        const live = tiles.find(view)
        if (!live) return null
        const [value = null] = (await online.readMany([live.prefix + onlineKeySuffix([7])])).rows
        const row = reader.readPacked(value, time.now, null)
        const counts = view.features.map(({ graphqlName }) => rowValue(row, graphqlName))
        return { counts, status: row.$status, lagSeconds: row.freshness.lagSeconds }
      },
    }
  }
  return { time, open, generations }
}

describe('the process that follows the events', () => {
  it('fills new windows with the past in tiles of their own, while the old ones answer', async () => {
    const { time, open } = await makeWorld()
    const before = await open({ n: '1h' })
    expect(await before.ask()).toBeNull()
    await before.paid(noon - 2 * hour, noon - 30 * minute)
    time.now += 1
    await before.follow()
    expect(await before.ask()).toEqual({ counts: [1], status: 'PRESENT', lagSeconds: 0 })

    const after = await open({ n: '1h', n_day: '1d' })
    expect(await after.ask()).toBeNull()
    await after.follow()
    expect(await after.ask()).toMatchObject({ counts: [1, 2] })
    expect(await before.ask()).toMatchObject({ counts: [1] })
    time.now += 90_000_000
    expect(await before.ask()).toMatchObject({ lagSeconds: 90 })
  })

  it('writes what is built again beside what is read, goes live when it is caught up, and keeps the old one caught up for a while', async () => {
    const { time, open, generations } = await makeWorld()
    const world = await open({ n: '1h', n_week: '7d' })
    await world.follow()
    const early = await world.ask()
    expect(early).toMatchObject({ counts: [1, 2] })
    await beginGeneration(world.targets, world.view, await generations.list())
    // Once more changes nothing while one is being built.
    await beginGeneration(world.targets, world.view, await generations.list())
    expect(await world.ask()).toEqual(early)
    await world.follow()
    const own = async () => {
      const { viewId, fingerprint } = world.targets.tiledView(world.view)
      return (await generations.list()).filter(
        (one) => one.viewId === viewId && one.fingerprint === fingerprint,
      )
    }
    expect((await own()).map(({ generation, state }) => [generation, state])).toEqual([
      [1, 'RETIRED'],
      [2, 'LIVE'],
    ])
    await world.paid(time.now)
    time.now += 1
    await world.follow()
    const watermarks = (await own()).map(({ watermark }) => watermark)
    expect(watermarks).toEqual([time.now, time.now])
    // Long after, nobody is on the way any more.
    time.now += 2 * minute
    await world.follow()
    expect((await own()).map(({ watermark }) => watermark)).toEqual([watermarks[0], time.now])
    expect(await world.ask()).toMatchObject({ counts: [2, 3] })
    // What was left in the online store is removed some time later, and its number is not used again.
    time.now += 2 * hour
    await world.follow()
    expect((await own()).map(({ generation }) => generation)).toEqual([2])
    await beginGeneration(world.targets, world.view, await generations.list())
    expect((await own()).map(({ generation }) => generation)).toEqual([2, 3])
  })

  it('does nothing without the lock of the project', async () => {
    const { open } = await makeWorld()
    const world = await open({ n_minute: '1m' })
    await followEvents(
      { ...world.targets, streamLock: { hold: async () => false, release: async () => {} } },
      [world.view],
      {
        ...{ once: true, signal: neverAborted, pause: async () => {} },
        ...{ observe: { applied: () => {}, caughtUp: () => {} }, log: { info: () => {}, warn: () => {} } },
      },
    )
    expect(await world.ask()).toBeNull()
  })

  it('goes on with the tiles of a feature that is only called otherwise now', async () => {
    const { time, open } = await makeWorld()
    const before = await open({ n_two_hours: '2h' })
    await before.paid(noon - 30 * minute)
    time.now += 1
    await before.follow()
    const counted = await before.ask()
    expect(await (await open({ n_called_otherwise: '2h' })).ask()).toEqual(counted)
  })
})
