import { randomUUID } from 'node:crypto'
import { batch, count, entity, eventSource, mean, sum, windowedView } from 'featuregraph'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatTimestamp, type Micros } from '../../../src/definitions/timestamp.ts'
import { InvalidRow } from '../../../src/errors.ts'
import { acceptRow } from '../../../src/ingest/accept/accept-row.ts'
import { type MaterializeTargets, materialize } from '../../../src/ingest/materialize/materialize-view.ts'
import { computeSnapshots } from '../../../src/ingest/snapshots/compute-snapshots.ts'
import { openRowLayouts } from '../../../src/online/row-layouts.ts'
import { viewReader } from '../../../src/online/view-reader.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { OnlineStore } from '../../../src/stores/online-store.ts'
import { onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'
import { postgresRegistryStore } from '../../../src/stores/postgres/system/registry-store.ts'
import { redisOnlineStore } from '../../../src/stores/redis/online-store.ts'
import { asOfJoin } from '../../contract/offline-store.ts'
import { wholeGuardRecord } from '../../oracle/memory-guard-record.ts'
import { type RedisServer, startRedis } from '../../services/redis.ts'
import { writeRows } from '../push/write-rows.ts'
import { type BatchBench, day, hour, minute, openBatchBench, sale } from './batch-world.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const sales = eventSource('sales', {
  eventTimestamp: 'at',
  fields: { customer_id: 'int64', amount: 'float64' },
})
const spending = windowedView('spending', {
  entity: customer,
  source: sales,
  ttl: '2d',
  compute: batch({ every: '1d' }),
  features: {
    n: count('2d', { hop: '1d' }),
    total: sum('amount', '2d', { hop: '1d' }),
    average: mean('amount', '1d', { hop: '1d' }),
  },
})

// Redis expires rows by its own clock: the world is of today and the days to come.
const today = Math.floor((Date.now() * 1_000) / day) * day

let bench: BatchBench
let redis: RedisServer
let online: OnlineStore
beforeAll(async () => {
  ;[bench, redis] = await Promise.all([openBatchBench(), startRedis()])
  online = redisOnlineStore({ url: redis.url, readTimeoutMs: 60_000, onConnectionError: () => {} })
})
afterAll(async () => {
  await online?.close()
  await Promise.all([bench?.close(), redis?.stop()])
})

async function clocks() {
  const world = await bench.makeWorld(customer, sales, spending)
  const layouts = await openRowLayouts(
    randomUUID(),
    world.registry,
    postgresRegistryStore(bench.pool, 'default'),
    wholeGuardRecord(),
  )
  const targets: MaterializeTargets = { ...world.targets, ...layouts, offline: bench.offline, online }
  const reader = viewReader(world.view, layouts.layout(world.view), layouts.history)
  const materializeNow = () =>
    materialize(targets, world.view, {
      range: null,
      newMarker: randomUUID,
      sleep: async () => {},
      onWait: () => {},
      onProgress: () => {},
    })
  /** What each clock answers for a customer now, distinguished by the source only. */
  const both = async (id: number, at: Micros, maxAge: Micros | null = null) => {
    const [packed = null] = (
      await online.readMany([layouts.keyPrefix(world.view, 0) + onlineKeySuffix([id])])
    ).rows
    const rows = [
      reader.readPacked(packed, at, maxAge),
      reader.readOffline(await world.asOf([id], at), at, maxAge),
    ]
    return rows.map((row) => ({ ...row, $source: null, freshness: { ...row.freshness, source: null } }))
  }
  return { world, materializeNow, both, targets }
}

describe('a batch view on both clocks', () => {
  it('answers the same for keys with a row, without one, closed, opened again and grown too old', async () => {
    const { world, materializeNow, both } = await clocks()
    await world.keep(
      sale(1, today + hour, { amount: 2 }),
      sale(2, today + 26 * hour),
      sale(1, today + 5 * day + hour, { amount: 4 }),
    )
    const seen = new Set<string>()
    for (const number of [1, 2, 3, 4, 5, 6]) {
      world.time.now = today + number * day + minute
      await world.at(today + number * day)
      await materializeNow()
      for (const id of [1, 2, 3]) {
        for (const [age, maxAge] of [
          [minute, null],
          [hour, minute],
          [2 * day, null],
          [2 * day + 1, null],
        ] as const) {
          const [now, then] = await both(id, today + number * day + age, maxAge)
          expect(now).toEqual(then)
          seen.add(`${now?.$status} ${String(now?.freshness.eventTimestamp !== null)}`)
          if (now?.$status === 'NOT_FOUND') expect(now).toMatchObject({ n: 0, total: 0, average: null })
          if (now?.$status === 'OUTSIDE_TTL') expect(now).toMatchObject({ n: null, total: null })
        }
      }
    }
    expect(seen).toEqual(new Set(['PRESENT true', 'NOT_FOUND false', 'OUTSIDE_TTL true']))
  })

  it('takes a pushed correction of a snapshot as a later created row, and refuses other times', async () => {
    const { world, both, targets } = await clocks()
    await world.keep(sale(1, today + hour, { amount: 2 }))
    const snapshot = today + day
    world.time.now = snapshot + hour
    await world.at(snapshot)
    world.time.now = snapshot + 2 * hour
    const offered = (eventTimestamp: Micros) =>
      acceptRow(world.view, {
        key: { customer_id: 1 },
        values: { n: 7, total: 1.5 },
        eventTimestamp,
        createdTimestamp: world.time.now,
      })
    await writeRows(targets, world.view, [offered(snapshot)])
    const [now, then] = await both(1, snapshot + 2 * hour)
    expect(now).toEqual(then)
    expect(now).toMatchObject({ n: 7, total: 1.5, average: null, $created: world.time.now })
    expect((await world.asOf([1], snapshot, snapshot + hour))?.values).toEqual([1, 2, 2])
    expect(() => offered(snapshot + 1)).toThrow(
      new InvalidRow(
        `a row of feature view "spending" does not fit: event timestamp: expected one of the view's snapshot times, the multiples of 1d from 1970 in UTC; got ${formatTimestamp(snapshot + 1)}`,
      ),
    )
  })
})

describe('a pushed correction to a batch view', () => {
  const first = today + day

  /** Customers 1 and 2 have an event, 3 has none; a correction of 1 and a row of 3 are pushed over the first snapshot. */
  async function corrected() {
    const { world, targets } = await clocks()
    await world.keep(sale(1, today + hour, { amount: 2 }), sale(2, today + hour, { amount: 5 }))
    world.time.now = first + hour
    await world.at(first)
    world.time.now = first + 2 * hour
    const pushed = [1, 3].map((id) =>
      acceptRow(world.view, {
        key: { customer_id: id },
        values: { n: 70 + id },
        eventTimestamp: first,
        createdTimestamp: world.time.now,
      }),
    )
    await writeRows(targets, world.view, pushed)
    world.time.now = first + 3 * hour
    const counts = async (t: Micros = world.time.now) =>
      Promise.all([1, 2, 3].map(async (id) => (await world.asOf([id], t))?.values[0] ?? null))
    const overridden = async (): Promise<unknown> =>
      (await world.targets.snapshots.overrides(world.view, null))
        .map(({ key, isRecomputed }) => [...key, isRecomputed])
        .sort()
    expect([await counts(), await overridden()]).toEqual([
      [71, 1, 73],
      [
        [1, false],
        [3, false],
      ],
    ])
    return { world, counts, overridden }
  }
  const stale = { kind: 'STALE', since: null } as const

  it('survives late events of another key and of its own, also of a key without events, until the next snapshot', async () => {
    const { world, counts, overridden } = await corrected()
    await world.keep(sale(2, today + 2 * hour))
    await world.compute(stale)
    expect(await counts()).toEqual([71, 2, 73])
    await world.keep(sale(1, today + 2 * hour))
    world.time.now += minute
    await world.compute(stale)
    expect(await counts()).toEqual([71, 2, 73])
    expect(await overridden()).toEqual([
      [1, true],
      [3, true],
    ])
    // What it corrects is one snapshot: the next ones go by the events, and close a key that has none.
    world.time.now = first + 3 * day
    await world.at(first + day, first + 2 * day)
    expect(await counts(first + day)).toEqual([2, 2, 0])
    expect(await counts(first + 2 * day)).toEqual([0, 0, 0])
  })

  it('is closed by the next snapshot without events, in how many runs the snapshots are computed and whatever is beneath it', async () => {
    const [second, third, fourth] = [first + day, first + 2 * day, first + 3 * day]
    // Events of 1 come behind the pushed row, and leave the windows; 2 had a row before; 3 never has an event.
    const answers = async (runs: readonly (readonly Micros[])[]) => {
      const { world, materializeNow, both, targets } = await clocks()
      await world.keep(sale(2, today + hour))
      world.time.now = first + hour
      await world.at(first)
      const pushed = [1, 2, 3].map((id) =>
        acceptRow(world.view, {
          key: { customer_id: id },
          values: { n: 70 + id },
          eventTimestamp: id === 2 ? third : first,
          createdTimestamp: world.time.now,
        }),
      )
      await writeRows(targets, world.view, pushed)
      await world.keep(sale(1, today + 2 * hour))
      await world.compute(stale)
      world.time.now = fourth + hour
      for (const times of runs) await world.at(...times)
      expect(await world.at(...runs.flat())).toMatchObject({ written: 0 })
      await materializeNow()
      return await Promise.all(
        [1, 2, 3].map(async (id) => {
          const [now, then] = await both(id, world.time.now)
          expect(now).toEqual(then)
          const times = [first, second, third, fourth]
          const counts = times.map(async (t) => (await world.asOf([id], t))?.values[0])
          return [now?.$status, ...(await Promise.all(counts))]
        }),
      )
    }
    const closed = [
      ['NOT_FOUND', 71, 1, 0, 0],
      ['NOT_FOUND', 1, 1, 72, 0],
      ['NOT_FOUND', 73, 0, 0, 0],
    ]
    expect(await answers([[second, third, fourth]])).toEqual(closed)
    expect(await answers([[second], [third], [fourth]])).toEqual(closed)
    // The snapshots in between are not there: what was pushed answers until the one that is.
    expect((await answers([[fourth]])).map(([status]) => status)).toEqual(closed.map(([status]) => status))
  })

  it('ends where a computation replaces it, of one key or of all, however late its clock is', async () => {
    const { world, counts, overridden } = await corrected()
    world.time.now = first + 90 * minute
    const at = { kind: 'TIMES', times: [first] } as const
    expect(await world.compute(at, { replacePushed: { key: [1] } })).toMatchObject({ written: 1 })
    expect([await counts(first + 3 * hour), await overridden()]).toEqual([[1, 1, 73], [[3, false]]])
    await world.compute(at, { replacePushed: { key: null } })
    expect([await counts(first + 3 * hour), await overridden()]).toEqual([[1, 1, 0], []])
    // It does not come back.
    await world.keep(sale(1, today + 3 * hour))
    world.time.now = first + 4 * hour
    await world.compute(stale)
    expect(await counts()).toEqual([2, 1, 0])
  })

  it('ends where the snapshot is computed again by another definition', async () => {
    const { world, counts, overridden } = await corrected()
    const counted = windowedView('spending', {
      entity: customer,
      source: sales,
      compute: batch({ every: '1d' }),
      features: {
        n: count('3d', { hop: '1d' }),
        total: sum('amount', '2d', { hop: '1d' }),
        average: mean('amount', '1d', { hop: '1d' }),
      },
    })
    const { views } = buildRegistry([customer, sales, counted].map((value) => ({ path: 'here', value })))
    const [view] = views
    if (view?.kind !== 'BATCH') throw new Error('no batch view')
    await computeSnapshots(world.targets, view, stale, {
      createdAfterMicros: null,
      onWait: () => {},
      onProgress: () => {},
    })
    // By the definition of before it is not known any more.
    await expect(counts()).rejects.toThrow('RECOMPUTING')
    const rows = [1, 2, 3].map((id) => ({ key: [id], asOf: world.time.now, knownAt: null }))
    const [answer] = await asOfJoin(bench.offline, { views: [view], rows })
    expect([answer?.map((row) => row?.values[0]), await overridden()]).toEqual([[1, 1, 0], []])
  })
})
