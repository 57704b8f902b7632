import { randomUUID } from 'node:crypto'
import { batch, count, entity, eventSource, featureView, windowedView } from 'featuregraph'
import { Redis } from 'ioredis'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import { StoreFailed } from '../../../src/errors.ts'
import { computeSnapshots } from '../../../src/ingest/snapshots/compute-snapshots.ts'
import { runWorker, type WorkerEnd, type WorkerTargets } from '../../../src/ingest/worker/run-worker.ts'
import { openRowLayouts } from '../../../src/online/row-layouts.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { BatchView, FeatureView, StoredView } from '../../../src/registry/registry.ts'
import type { EventRetention } from '../../../src/stores/event-retention.ts'
import type { OfflineStore } from '../../../src/stores/offline-store.ts'
import type { OnlineStore } from '../../../src/stores/online-store.ts'
import { onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'
import { readRowOrder, readSlot, slotsOf } from '../../../src/stores/online-value/packed-row.ts'
import { postgresEventRetention } from '../../../src/stores/postgres/events/event-retention.ts'
import { postgresGuardRecord } from '../../../src/stores/postgres/system/guard-record.ts'
import { postgresLeaderLock } from '../../../src/stores/postgres/system/leader-lock.ts'
import { postgresRegistryStore } from '../../../src/stores/postgres/system/registry-store.ts'
import { postgresRunStore } from '../../../src/stores/postgres/system/run-store.ts'
import { postgresViolationStore } from '../../../src/stores/postgres/system/violation-store.ts'
import { eventTable } from '../../../src/stores/postgres/tables/event-table.ts'
import { managedTable } from '../../../src/stores/postgres/tables/feature-table.ts'
import { postgresSnapshotStore } from '../../../src/stores/postgres/windows/snapshot-store.ts'
import { redisOnlineStore } from '../../../src/stores/redis/online-store.ts'
import { at } from '../../contract/offline-store.ts'
import { storeEvents } from '../../oracle/store-events.ts'
import { type RedisServer, startRedis } from '../../services/redis.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'

const minute = 60_000_000
const hour = 60 * minute
const day = 24 * hour
const monday = at('2026-11-02T00:00:00Z')

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const sales = eventSource('sales', { eventTimestamp: 'at', fields: { customer_id: 'int64' } })
const visits = eventSource('visits', {
  eventTimestamp: 'at',
  retention: '40d',
  fields: { customer_id: 'int64' },
})
const shared = { entity: customer, source: sales, compute: batch({ every: '1d' }) }
const features = { n: count('2d', { hop: '1d' }) }
const definitions = [
  customer,
  sales,
  visits,
  windowedView('picky', {
    ...shared,
    online: false,
    features,
    expectRows: { min: 2, action: 'reject' },
  }),
  windowedView('daily', { ...shared, features }),
  featureView('scores', { entity: customer, features: { score: 'int64' } }),
]
const registry = buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))

function viewOf<Kind extends FeatureView['kind']>(name: string, kind: Kind): FeatureView & { kind: Kind } {
  const found = registry.views.find((view) => view.name === name)
  if (found?.kind !== kind) throw new Error(`no view ${name}`)
  return found as FeatureView & { kind: Kind }
}
const daily: BatchView = viewOf('daily', 'BATCH')
const scores = viewOf('scores', 'PLAIN')

let database: TestDatabase
let redis: RedisServer
let client: Redis
let pool: pg.Pool
let offline: OfflineStore
let online: OnlineStore
let targets: WorkerTargets
const time = { now: monday }
let logged: string[]

beforeAll(async () => {
  ;[database, redis] = await Promise.all([createTestDatabase(), startRedis()])
  pool = testPool(database.url, 8, null)
  offline = testOfflineStore(database.url)
  client = new Redis(redis.url)
  online = redisOnlineStore({ url: redis.url, readTimeoutMs: 60_000, onConnectionError: () => {} })
  const layouts = await openRowLayouts(
    'default',
    registry,
    postgresRegistryStore(pool, 'default'),
    postgresGuardRecord(pool, 'default'),
  )
  await offline.ensureTables(registry.views, registry.eventSources)
  const batch = {
    snapshots: postgresSnapshotStore(pool, 'default'),
    runs: postgresRunStore(pool, 'default'),
    violations: postgresViolationStore(pool, 'default'),
    // Never the same twice, as on a real machine.
    clock: () => ++time.now,
  }
  targets = {
    ...{ ...layouts, ...batch, offline, online },
    computeBatch: (view, scope, options) => computeSnapshots(batch, view, scope, options),
    workerLock: postgresLeaderLock(pool, 'default'),
    guardRecord: postgresGuardRecord(pool, 'default'),
    retention: postgresEventRetention(pool, 'default'),
  }
})
afterAll(async () => {
  client?.disconnect()
  await Promise.all([online?.close(), offline?.close(), pool?.end()])
  await Promise.all([redis?.stop(), database?.drop()])
})
beforeEach(async () => {
  const tables = [
    ...registry.views.filter((view) => view.kind !== 'STREAM').map((view) => managedTable('default', view)),
    eventTable('default', daily.events),
  ]
  await pool.query(
    `truncate featuregraph.event_retention, featuregraph.snapshots, featuregraph.event_arrivals, featuregraph.runs, featuregraph.watermarks, ${tables.join(', ')}`,
  )
  await client.flushall()
  time.now = monday + 9 * hour
  logged = []
})

/** What is due now of these views; or, for so long by the clock of the tests, which little but pauses moves on. */
async function work(
  views: readonly FeatureView[],
  forMicros: Micros | null = null,
  on: WorkerTargets = targets,
): Promise<WorkerEnd> {
  const ending = new AbortController()
  const until = time.now + (forMicros ?? 0)
  return await runWorker(
    on,
    { views, eventSources: registry.eventSources },
    {
      recomputeMicros: 3 * day,
      once: forMicros === null,
      signal: ending.signal,
      pause: async (ms) => {
        time.now += Math.round(ms * 1_000)
        if (time.now > until) ending.abort()
      },
      sleep: async () => {},
      newMarker: randomUUID,
      log: {
        info: (line) => logged.push(line),
        warn: (line, error) => logged.push(`warning: ${line} (${error instanceof Error ? error.name : ''})`),
      },
    },
  )
}

async function sold(customerId: number, ...times: readonly Micros[]): Promise<void> {
  const events = times.map((one) => ({ at: one, fields: { customer_id: customerId } }))
  await storeEvents(pool, daily.events, 'test', events)
}

/** Oldest first: what was run, with the rows that it wrote. */
async function runsOf(view: FeatureView): Promise<readonly string[]> {
  const found = await targets.runs.runs({ kind: null, view: view.name, since: null, first: 100, after: null })
  return found.map(({ kind, state, rowsWritten }) => `${kind} ${state} ${rowsWritten ?? '-'}`).reverse()
}

async function snapshotsOf(view: FeatureView): Promise<readonly Micros[]> {
  const { rows } = await pool.query<{ as_of: Date }>(
    `select s.as_of from featuregraph.snapshots as s join featuregraph.views as v on v.id = s.view_id
     where v.name = $1 order by s.as_of`,
    [view.name],
  )
  return rows.map(({ as_of }) => as_of.getTime() * 1_000)
}

/** The event timestamp and the first feature's value. */
async function onlineRow(view: StoredView, id: number) {
  const [row] = (await online.readMany([(await targets.rowPrefix(view)) + onlineKeySuffix([id])])).rows
  const [slot] = slotsOf(targets.layout(view)).slots
  return row && slot ? [readRowOrder(row)?.[0], readSlot(row, slot)] : null
}

describe('a worker', () => {
  it('computes the snapshot that has come, and makes its rows readable online', async () => {
    await sold(1, monday - 2 * hour, monday - hour, monday + hour)
    expect(await work([daily])).toEqual({ runs: 2, failures: 0 })
    expect(await snapshotsOf(daily)).toEqual([monday])
    expect(await onlineRow(daily, 1)).toEqual([monday, 2])
    expect(await runsOf(daily)).toEqual(['BATCH SUCCEEDED 1', 'MATERIALIZE SUCCEEDED 1'])
    expect(logged).toEqual([
      'daily: the snapshot of 2026-11-02T00:00:00.000000Z computed, 1 rows written',
      'daily: 1 rows materialized',
    ])
    expect(await work([daily])).toEqual({ runs: 0, failures: 0 })
  })

  it('computes every snapshot that an outage missed, in one run, and none of before the first', async () => {
    await sold(1, monday - hour)
    await work([daily])
    await sold(1, monday + day - hour, monday + 3 * day - hour)
    time.now = monday + 4 * day + minute
    expect(await work([daily])).toEqual({ runs: 2, failures: 0 })
    expect(await snapshotsOf(daily)).toEqual([0, 1, 2, 3, 4].map((days) => monday + days * day))
    expect(await runsOf(daily)).toEqual([
      ...['BATCH SUCCEEDED 1', 'MATERIALIZE SUCCEEDED 1'],
      ...['BATCH SUCCEEDED 4', 'MATERIALIZE SUCCEEDED 1'],
    ])
    expect(await onlineRow(daily, 1)).toEqual([monday + 4 * day, 1])
    const { rows } = await pool.query<{ n: string }>(
      `select n from ${managedTable('default', daily)} order by event_timestamp, row_id`,
    )
    expect(rows.map(({ n }) => Number(n))).toEqual([1, 2, 1, 1, 1])
  })

  it('computes again what late events of the last days changed, materializes it, and makes no empty run', async () => {
    await sold(1, monday - hour)
    await work([daily])
    await sold(1, monday - 2 * hour)
    time.now += 10 * minute
    await work([daily])
    expect((await runsOf(daily)).slice(2)).toEqual(['BATCH SUCCEEDED 1', 'MATERIALIZE SUCCEEDED 1'])
    expect(await onlineRow(daily, 1)).toEqual([monday, 2])
    time.now += 10 * minute
    expect(await work([daily])).toEqual({ runs: 0, failures: 0 })
    // Of a snapshot that is older than three days: for `batch --stale`.
    time.now = monday + 6 * day
    await work([daily])
    await sold(1, monday - 3 * hour)
    time.now += 10 * minute
    expect(await work([daily])).toEqual({ runs: 0, failures: 0 })
  })

  it('checks for late events every five minutes, and materializes plain rows every hour', async () => {
    await sold(1, monday - hour)
    await work([daily, scores])
    await sold(1, monday - 2 * hour)
    const row = { key: [1], eventTimestamp: time.now, createdTimestamp: time.now, values: [7] }
    await offline.insertRows(scores, [row])
    await work([daily, scores], 61 * minute)
    expect((await runsOf(daily)).slice(2)).toEqual([
      ...['BATCH SUCCEEDED 1', 'MATERIALIZE SUCCEEDED 1'],
      'MATERIALIZE SUCCEEDED 0',
    ])
    expect(await runsOf(scores)).toHaveLength(2)
    expect(await onlineRow(scores, 1)).toEqual([row.eventTimestamp, 7])
  })

  it('runs the others when one view fails, and tries that again after growing pauses', async () => {
    const picky = viewOf('picky', 'BATCH')
    await sold(1, monday - hour)
    const started = time.now
    expect(await work([picky, daily, scores])).toEqual({ runs: 4, failures: 1 })
    expect(await onlineRow(daily, 1)).toEqual([monday, 1])
    expect(await runsOf(scores)).toEqual(['MATERIALIZE SUCCEEDED 0'])
    expect(logged.filter((line) => line.startsWith('warning'))).toEqual([
      expect.stringMatching(
        /^warning: picky: computing snapshots failed, next try at 2026-11-02T09:01:00.\d{6}Z: .*Row count 1 below minimum 2.*\(RowCountRefused\)$/,
      ),
    ])
    // Another worker has no memory of it: at once, after 1 minute, after 5 more.
    await work([picky], 20 * minute)
    expect(await runsOf(picky)).toEqual(Array.from({ length: 4 }, () => 'BATCH FAILED -'))
    await sold(2, monday - hour)
    await work([picky], 0)
    expect((await runsOf(picky)).at(-1)).toBe('BATCH SUCCEEDED 2')
    expect(time.now - started).toBeLessThan(21 * minute)
  })

  it('starts no run while the lock cannot be had, and goes on when it can', async () => {
    let answers = 0
    const lock = {
      hold: async () => {
        answers += 1
        if (answers > 1 && answers < 5) throw new StoreFailed('Postgres is away')
        return true
      },
      release: async () => {},
    }
    await work([scores, daily], 10_000_000, { ...targets, workerLock: lock })
    expect(logged.map((line) => line.replace(/ \S+Z computed/, ' … computed'))).toEqual([
      "warning: the worker's lock is lost or cannot be had; trying again: Postgres is away (StoreFailed)",
      'this worker runs from now on',
      'daily: the snapshot of … computed, 0 rows written',
    ])
    expect(await runsOf(scores)).toEqual(['MATERIALIZE SUCCEEDED 0'])
  })

  describe('of a source with a retention', () => {
    const october = at('2026-10-01T00:00:00Z')
    const alone = { hold: async () => true, release: async () => {} }
    const visited = async (...times: readonly Micros[]) => {
      const [, source] = registry.eventSources
      if (!source) throw new Error('no source')
      await storeEvents(
        pool,
        source,
        'visits',
        times.map((one) => ({ at: one, fields: { customer_id: 1 } })),
      )
    }

    it('drops the months that are wholly older, checks again after a day, and says what went', async () => {
      await visited(at('2026-07-31T00:00:00Z'), at('2026-08-01T00:00:00Z'), october - 1, october)
      time.now = october + 40 * day - hour
      expect(await work([])).toEqual({ runs: 0, failures: 0 })
      expect(await work([])).toEqual({ runs: 0, failures: 0 })
      const first =
        'visits: the events of 2026-07, 2026-08 are dropped; kept since 2026-09-01T00:00:00.000000Z'
      expect(logged).toEqual([first])
      const started = time.now
      await work([], 24 * hour + minute, { ...targets, workerLock: alone })
      expect(logged).toEqual([
        first,
        'visits: the events of 2026-09 are dropped; kept since 2026-10-01T00:00:00.000000Z',
      ])
      expect(time.now).toBeGreaterThan(started + day)
    })

    it('tries again after five minutes when that fails or is not possible', async () => {
      let tries = 0
      const retention: EventRetention = {
        expire: async () => {
          tries += 1
          if (tries === 1) throw new StoreFailed('Postgres is away')
          return { storedSince: october, dropped: [], inUse: tries === 2 ? [october - 1] : [] }
        },
      }
      const on = { ...targets, retention, workerLock: alone }
      expect(await work([], 20 * minute, on)).toEqual({ runs: 0, failures: 1 })
      expect(logged).toEqual([
        'warning: visits: dropping old events failed: Postgres is away (StoreFailed)',
        'visits: the events of 2026-09 are in use, and will be dropped later; kept since 2026-10-01T00:00:00.000000Z',
      ])
      expect(tries).toBe(3)
    })

    it('leaves stale snapshots of dropped events as they are, and warns once', async () => {
      await sold(1, monday - 30 * hour)
      await work([daily])
      await targets.retention.expire(daily.events, at('2026-11-01T00:00:00Z'))
      await sold(1, monday - hour)
      logged = []
      const runs = await runsOf(daily)
      expect(await work([daily], 20 * minute, { ...targets, workerLock: alone })).toEqual({
        runs: 0,
        failures: 0,
      })
      expect(await runsOf(daily)).toEqual(runs)
      expect(logged).toEqual([
        'warning: daily: 1 snapshots up to 2026-11-02T00:00:00.000000Z are left as they are, since events of theirs were dropped (HistoryExpired)',
      ])
    })
  })

  it('stands by while another has the lock, and takes over when it is free', async () => {
    const other = postgresLeaderLock(pool, 'default')
    expect(await other.hold()).toBe(true)
    expect(await work([scores], 10_000_000)).toEqual({ runs: 0, failures: 0 })
    expect(await work([scores])).toEqual({ runs: 0, failures: 0 })
    expect(logged).toEqual([
      'another worker of the project runs; standing by',
      'another worker of the project runs; nothing is left to do here',
    ])
    await other.release()
    expect(await work([scores])).toEqual({ runs: 1, failures: 0 })
  })
})
