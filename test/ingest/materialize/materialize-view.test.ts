import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { entity, featureView, postgresSource } from 'featuregraph'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { EntityKey, FeatureRow, KeyValue } from '../../../src/definitions/value.ts'
import { StoreFailed } from '../../../src/errors.ts'
import {
  type Materialized,
  type MaterializeTargets,
  materialize,
} from '../../../src/ingest/materialize/materialize-view.ts'
import { openRowLayouts } from '../../../src/online/row-layouts.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { StoredView } from '../../../src/registry/registry.ts'
import { memoryOnlineStore } from '../../../src/stores/memory/online-store.ts'
import type { OnlineStore } from '../../../src/stores/online-store.ts'
import { onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'
import { readRowOrder } from '../../../src/stores/online-value/packed-row.ts'
import { postgresOnlineStore } from '../../../src/stores/postgres/online-store.ts'
import { postgresRegistryStore } from '../../../src/stores/postgres/system/registry-store.ts'
import { postgresRunStore } from '../../../src/stores/postgres/system/run-store.ts'
import { redisOnlineStore } from '../../../src/stores/redis/online-store.ts'
import type { RegistryStore } from '../../../src/stores/registry-store.ts'
import { asOfJoin } from '../../contract/offline-store.ts'
import { wholeGuardRecord } from '../../oracle/memory-guard-record.ts'
import { memoryOfflineStore } from '../../oracle/memory-offline-store.ts'
import { memoryRunStore } from '../../oracle/memory-run-store.ts'
import { execute } from '../../services/postgres.ts'
import { type RedisServer, startRedis } from '../../services/redis.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'
import { untilWorks } from '../../services/wait-until.ts'
import { writeRows } from '../push/write-rows.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const device = entity('device', { joinKeys: { merchant_id: 'string', device_no: 'int32' } })
const features = { n: 'int64' } as const
const viewNames = [
  'late',
  'due',
  'lost',
  'broken',
  'twice',
  'pushed',
  'ranged',
  'open',
  'other',
  'flaky',
] as const
const definitions = [
  customer,
  device,
  ...viewNames.map((name) => featureView(name, { entity: customer, features })),
  featureView('short_lived', { entity: customer, ttl: '1h', features }),
  featureView('device_risk', { entity: device, features: { risk: 'float64', note: 'string' } }),
  featureView('mapped', {
    entity: device,
    source: postgresSource('tills', {
      query: 'select shop, no, seen, risk from tills',
      eventTimestamp: 'seen',
      columns: { merchant_id: 'shop', device_no: 'no' },
    }),
    features: { risk: 'float64' },
  }),
]
const registry = buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))
const second = 1_000_000
const start = Date.now() * 1_000 - 600 * second

function viewOf(name: string): StoredView {
  const found = registry.views.find((view) => view.name === name)
  if (!found || found.kind === 'STREAM') throw new Error(`no view ${name}`)
  return found
}

function row(
  key: KeyValue | EntityKey,
  event: Micros,
  n: number,
  created: Micros | null = event,
): FeatureRow {
  return {
    key: typeof key === 'object' ? key : [key],
    eventTimestamp: event,
    createdTimestamp: created,
    values: [n],
  }
}

interface Setup {
  readonly targets: MaterializeTargets
  /** Of another process, as far as the backend allows. */
  readonly others: MaterializeTargets
  /** Empties the online store. */
  readonly flush: () => Promise<void>
  /** What the clock says; tests move it on. */
  readonly time: { now: Micros }
  readonly close: () => Promise<void>
}

const options = {
  range: null,
  newMarker: randomUUID,
  sleep: (ms: number) => sleep(Math.min(ms, 10)),
  onWait: () => {},
  onProgress: () => {},
}

async function memorySetup(): Promise<Setup> {
  const time = { now: start }
  const layouts = await openRowLayouts('default', registry, forgetfulRegistryStore(), wholeGuardRecord())
  let online = memoryOnlineStore(() => time.now)
  const current: OnlineStore = {
    ...online,
    readMany: (keys) => online.readMany(keys),
    writeMany: (writes, expiry) => online.writeMany(writes, expiry),
    readMarker: (name) => online.readMarker(name),
    writeMarker: (name, value) => online.writeMarker(name, value),
    moveMarker: (name, from, to) => online.moveMarker(name, from, to),
  }
  const targets = {
    ...layouts,
    offline: memoryOfflineStore(),
    online: current,
    runs: memoryRunStore(),
    clock: () => time.now,
  }
  const flush = async () => {
    online = memoryOnlineStore(() => time.now)
  }
  return { targets, others: targets, time, flush, close: async () => {} }
}

function forgetfulRegistryStore(): RegistryStore {
  return {
    ensureViews: async (names) => names.map((name) => ({ id: name, name })),
    recordDefinitions: async () => {},
    recordLayouts: async () => {},
    layouts: async () => [],
  }
}

async function answering(store: OnlineStore): Promise<OnlineStore> {
  await untilWorks(() => store.ping())
  return store
}

let database: TestDatabase
let redis: RedisServer
beforeAll(async () => {
  ;[database, redis] = await Promise.all([createTestDatabase(), startRedis()])
  await execute(database.url, 'create table tills (shop text, no int, seen timestamptz, risk float8)')
})
afterAll(async () => {
  await Promise.all([database?.drop(), redis?.stop()])
})

async function realSetup(openOnline: () => OnlineStore, flush: () => Promise<void>): Promise<Setup> {
  const time = { now: start }
  const pools = [testPool(database.url, 3), testPool(database.url, 3)] as const
  const offline = testOfflineStore(database.url)
  const layouts = await openRowLayouts(
    'default',
    registry,
    postgresRegistryStore(pools[0], 'default'),
    wholeGuardRecord(),
  )
  await offline.ensureTables(registry.views, [])
  const [online, otherOnline] = [await answering(openOnline()), await answering(openOnline())]
  const shared = { ...layouts, offline, clock: () => time.now }
  return {
    targets: { ...shared, online, runs: postgresRunStore(pools[0], 'default') },
    others: { ...shared, online: otherOnline, runs: postgresRunStore(pools[1], 'default') },
    flush,
    time,
    close: async () => {
      await Promise.all([
        online.close(),
        otherOnline.close(),
        offline.close(),
        ...pools.map((pool) => pool.end()),
      ])
    },
  }
}

const openRedis = (): OnlineStore =>
  redisOnlineStore({ url: redis.url, readTimeoutMs: 60_000, onConnectionError: () => {} })

const setups: readonly (readonly [name: string, make: () => Promise<Setup>])[] = [
  ['memory', memorySetup],
  ['Postgres and Redis', () => realSetup(openRedis, () => redis.restart())],
]

async function materializeNow(targets: MaterializeTargets, name: string, more = {}): Promise<Materialized> {
  return await materialize(targets, viewOf(name), { ...options, ...more })
}

/** Event timestamps that stand online, one per key. */
async function eventsOf(targets: MaterializeTargets, name: string, keys: readonly (KeyValue | EntityKey)[]) {
  const prefix = await targets.rowPrefix(viewOf(name))
  const whole = keys.map((key) => prefix + onlineKeySuffix(typeof key === 'object' ? key : [key]))
  const { rows } = await targets.online.readMany(whole)
  return rows.map((found) => (found === null ? null : (readRowOrder(found)?.[0] ?? null)))
}

describe.each(setups)('materialize over %s', (_name, make) => {
  let setup: Setup
  let targets: MaterializeTargets
  beforeAll(async () => {
    setup = await make()
    targets = setup.targets
  })
  afterAll(() => setup?.close())

  it('materializes the newest row of each key, then only what has arrived since, late rows too', async () => {
    const insert = (...rows: FeatureRow[]) => targets.offline.insertRows(viewOf('late'), rows)
    await insert(
      row(1, start - 10, 1),
      row(1, start - 5, 2),
      row(2, start - 9, 3),
      row('9007199254740993', start - 8, 4),
    )
    expect(await materializeNow(targets, 'late')).toEqual({
      ...{ scope: 'FULL', reason: 'FIRST_RUN', read: 3, written: 3, older: 0, expired: 0, notComputed: 0 },
    })
    expect(await eventsOf(targets, 'late', [1, 2, '9007199254740993', 3])).toEqual([
      start - 5,
      start - 9,
      start - 8,
      null,
    ])
    expect(await materializeNow(targets, 'late')).toMatchObject({ scope: 'ARRIVED', reason: null, read: 0 })
    // Both of its times are older than the last run's: a watermark on either would lose them.
    await insert(row(3, start - 500, 5), row(1, start - 400, 6))
    expect(await materializeNow(targets, 'late')).toMatchObject({ scope: 'ARRIVED', read: 2, written: 2 })
    expect(await eventsOf(targets, 'late', [1, 2, 3])).toEqual([start - 5, start - 9, start - 500])
  })

  it('breaks ties by created timestamp, then row id', async () => {
    const rows = [row(50, start - 3, 1, null), row(50, start - 3, 2, start), row(50, start - 3, 3, start)]
    const { rowIds: ids } = await targets.offline.insertRows(viewOf('late'), rows)
    await materializeNow(targets, 'late')
    const prefix = await targets.rowPrefix(viewOf('late'))
    const [found] = (await targets.online.readMany([prefix + onlineKeySuffix([50])])).rows
    expect(found && readRowOrder(found)).toEqual([start - 3, start, ids[2]])
  })

  it('leaves rows that are not yet due, and materializes them once they are', async () => {
    const view = viewOf('due')
    await targets.offline.insertRows(view, [
      row(1, start, 1),
      row(1, start + second, 2),
      row(2, start + 2 * second, 3),
    ])
    expect(await materializeNow(targets, 'due')).toMatchObject({ read: 1, written: 1 })
    expect(await eventsOf(targets, 'due', [1, 2])).toEqual([start, null])
    const before = setup.time.now
    try {
      setup.time.now = start + second
      expect(await materializeNow(targets, 'due')).toMatchObject({ scope: 'ARRIVED', read: 1, written: 1 })
      expect(await eventsOf(targets, 'due', [1, 2])).toEqual([start + second, null])
      setup.time.now = start + 2 * second
      expect(await materializeNow(targets, 'due')).toMatchObject({ scope: 'ARRIVED', read: 1, written: 1 })
      expect(await eventsOf(targets, 'due', [1, 2])).toEqual([start + second, start + 2 * second])
    } finally {
      setup.time.now = before
    }
  })

  it('notices that the online store was emptied, and fills it in full', async () => {
    await targets.offline.insertRows(viewOf('lost'), [row(1, start - 1, 1), row(2, start - 2, 2)])
    await materializeNow(targets, 'lost')
    await setup.flush()
    await answering(targets.online)
    expect(await eventsOf(targets, 'lost', [1, 2])).toEqual([null, null])
    expect(await materializeNow(targets, 'lost')).toMatchObject({
      scope: 'FULL',
      reason: 'ONLINE_STORE_LOST_ROWS',
      read: 2,
    })
    expect(await eventsOf(targets, 'lost', [1, 2])).toEqual([start - 1, start - 2])
    expect(await materializeNow(targets, 'lost')).toMatchObject({ scope: 'ARRIVED', read: 0 })
  })

  it('materializes a range of event timestamps without moving the watermark', async () => {
    await targets.offline.insertRows(viewOf('ranged'), [
      row(1, start - 30, 1),
      row(1, start - 10, 2),
      row(2, start - 20, 3),
      row(3, start - 10, 4),
    ])
    const range = { from: start - 30, to: start - 10 }
    expect(await materializeNow(targets, 'ranged', { range })).toMatchObject({
      scope: 'RANGE',
      read: 2,
      written: 2,
    })
    expect(await eventsOf(targets, 'ranged', [1, 2, 3])).toEqual([start - 30, start - 20, null])
    expect(await targets.runs.readWatermark('ranged')).toBeNull()
    expect(await materializeNow(targets, 'ranged')).toMatchObject({
      reason: 'FIRST_RUN',
      read: 3,
      written: 3,
    })
    // The newer row of key 1 stands there now.
    expect(await materializeNow(targets, 'ranged', { range })).toMatchObject({
      read: 2,
      written: 1,
      older: 1,
    })
  })

  it('keeps the parts of composite keys apart, and null values', async () => {
    const keys = [
      ['a', 1],
      ['a,1', 1],
      ['', 1],
      ['a', 11],
    ]
    const rows = keys.map((key, index) => ({
      ...row(key, start - index, 0),
      values: [index, index ? 'x' : null],
    }))
    await targets.offline.insertRows(viewOf('device_risk'), rows)
    expect(await materializeNow(targets, 'device_risk')).toMatchObject({ read: 4, written: 4 })
    expect(await eventsOf(targets, 'device_risk', keys)).toEqual([start, start - 1, start - 2, start - 3])
    await targets.offline.insertRows(viewOf('device_risk'), [
      { ...row(['a', 11], start, 0), values: [1, null] },
    ])
    expect(await materializeNow(targets, 'device_risk')).toMatchObject({ scope: 'ARRIVED', read: 1 })
    expect(await eventsOf(targets, 'device_risk', keys)).toEqual([start, start - 1, start - 2, start])
  })

  it('counts rows past ttl and margin, and does not send them', async () => {
    const hour = 3_600 * second
    await targets.offline.insertRows(viewOf('short_lived'), [
      row(1, start - 2 * hour, 1),
      row(2, start - hour, 2),
    ])
    expect(await materializeNow(targets, 'short_lived')).toMatchObject({
      read: 2,
      written: 1,
      expired: 1,
      older: 0,
    })
    expect(await eventsOf(targets, 'short_lived', [1, 2])).toEqual([null, start - hour])
  })

  it('tries a failed write again, and gives up without moving the watermark', async () => {
    const flaky = (failures: number): MaterializeTargets => {
      let left = failures
      const writeMany: OnlineStore['writeMany'] = async (writes, expiry) => {
        left -= 1
        if (left >= 0) throw new StoreFailed('no luck')
        return targets.online.writeMany(writes, expiry)
      }
      return { ...targets, online: { ...targets.online, writeMany } }
    }
    await targets.offline.insertRows(viewOf('flaky'), [row(1, start, 1)])
    const failing = materializeNow(flaky(100), 'flaky')
    await expect(failing).rejects.toThrow(StoreFailed)
    await expect(failing).rejects.toThrow(/"flaky".*no luck.*watermark has not moved/)
    expect(await targets.runs.readWatermark('flaky')).toBeNull()
    expect(await materializeNow(flaky(3), 'flaky')).toMatchObject({ reason: 'FIRST_RUN', written: 1 })
    const filter = { kind: null, view: 'flaky', since: null, first: 10, after: null }
    const runs = await targets.runs.runs(filter)
    expect(runs.map(({ state }) => state).sort()).toEqual(['FAILED', 'SUCCEEDED'])
    expect(runs.find(({ state }) => state === 'FAILED')?.error).toContain('no luck')
    expect(runs.find(({ state }) => state === 'SUCCEEDED')).toMatchObject({
      ...{ kind: 'MATERIALIZE', rowsRead: 1, rowsWritten: 1, startedAt: start, finishedAt: start },
    })
  })

  it('lets a second run of the view wait for the first', async () => {
    const rows = Array.from({ length: 5_000 }, (_, index) => row(index, start - index, index))
    await targets.offline.insertRows(viewOf('twice'), rows)
    const events: string[] = []
    const noted = (which: MaterializeTargets, name: string): MaterializeTargets => ({
      ...which,
      online: {
        ...which.online,
        readMarker: (marker) => {
          events.push(`${name} begins`)
          return which.online.readMarker(marker)
        },
        writeMarker: async (marker, value) => {
          await sleep(50)
          await which.online.writeMarker(marker, value)
          events.push(`${name} ends`)
        },
      },
    })
    let waited = 0
    const onWait = () => {
      waited += 1
    }
    const both = await Promise.all([
      materializeNow(noted(targets, 'a'), 'twice', { onWait }),
      materializeNow(noted(setup.others, 'b'), 'twice', { onWait }),
    ])
    expect(both.map(({ read }) => read).sort()).toEqual([0, 5_000])
    expect(waited).toBe(1)
    expect(events.map((event) => event.slice(2))).toEqual(['begins', 'ends', 'begins', 'ends'])
  })

  it('loses nothing to pushes of the same keys meanwhile, nor they to it', async () => {
    const view = viewOf('pushed')
    const keys = Array.from({ length: 600 }, (_, index) => index)
    await targets.offline.insertRows(
      view,
      keys.map((key) => row(key, start - 1_000, 1)),
    )
    const pushing = (async () => {
      for (let round = 0; round < 6; round += 1) {
        // Some newer, some older than what is there.
        const rows = keys.map((key) => row(key, start - 1_500 + ((key * 7 + round * 331) % 1_200), round))
        await writeRows(setup.others, view, rows)
      }
    })()
    for (let round = 0; round < 4; round += 1) await materializeNow(targets, 'pushed')
    await pushing
    await materializeNow(targets, 'pushed')
    const asked = keys.map((key) => ({ key: [key], asOf: start, knownAt: null }))
    const [newest] = await asOfJoin(targets.offline, { views: [view], rows: asked })
    expect(await eventsOf(targets, 'pushed', keys)).toEqual(newest?.map((found) => found?.eventTimestamp))
  })
})

describe('materialize over Postgres', () => {
  let setup: Setup
  let targets: MaterializeTargets
  beforeAll(async () => {
    const pool = testPool(database.url, 4)
    const online = postgresOnlineStore(pool)
    setup = await realSetup(
      () => ({ ...online, close: async () => {} }),
      async () => {},
    )
    const { close } = setup
    setup = {
      ...setup,
      close: async () => {
        await close()
        await pool.end()
      },
    }
    targets = setup.targets
  })
  afterAll(() => setup?.close())

  it('does not lose a transaction that was open during the run and commits later', async () => {
    const [early, late] = [0, 1].map(() => new pg.Client({ connectionString: database.url }))
    if (!early || !late) throw new Error('two clients')
    await Promise.all([early.connect(), late.connect()])
    try {
      const insert = `insert into features.open (customer_id, event_timestamp, n) values ($1, now() - interval '1 h', 1)`
      await early.query('begin')
      await early.query(insert, [1])
      // A later transaction id, committed before the run: a watermark on the highest one seen would skip the other.
      await late.query(insert, [2])
      expect(await materializeNow(targets, 'open')).toMatchObject({ read: 1 })
      await early.query('commit')
      expect(await materializeNow(targets, 'open')).toMatchObject({ scope: 'ARRIVED', written: 2 })
      expect(await eventsOf(targets, 'open', [1])).not.toEqual([null])
      expect(await materializeNow(targets, 'open')).toMatchObject({ scope: 'ARRIVED', read: 0 })
    } finally {
      await Promise.all([early.end(), late.end()])
    }
  })

  it('reads in full where the watermark is of another database', async () => {
    await targets.offline.insertRows(viewOf('other'), [row(1, start - 1, 1)])
    await materializeNow(targets, 'other')
    await execute(
      database.url,
      `update featuregraph.watermarks set system_identifier = 'x' where view_id = 'other'`,
    )
    expect(await materializeNow(targets, 'other')).toMatchObject({
      scope: 'FULL',
      reason: 'OTHER_DATABASE',
      read: 1,
    })
    expect(await materializeNow(targets, 'other')).toMatchObject({ scope: 'ARRIVED', read: 0 })
  })

  it('reads a mapped source in full every time, rows that no key names left out', async () => {
    const at = (micros: Micros) => `to_timestamp(${(start + micros) / second}::numeric)`
    await execute(
      database.url,
      `insert into tills values ('a', 1, ${at(-20 * second)}, 0.1), ('a', 1, ${at(-10 * second)}, 0.2), ('b', 1, '-infinity', 1),
       (null, 1, ${at(-second)}, 0.3), ('a', 2, ${at(-second)}, 'NaN'), ('a', 3, ${at(second)}, 1)`,
    )
    const expected = { scope: 'FULL', reason: 'MAPPED_SOURCE', read: 2, written: 2 }
    expect(await materializeNow(targets, 'mapped')).toMatchObject(expected)
    expect(await materializeNow(targets, 'mapped')).toMatchObject(expected)
    const events = await eventsOf(targets, 'mapped', [
      ['a', 1],
      ['a', 2],
      ['a', 3],
    ])
    expect(events).toEqual([start - 10 * second, start - second, null])
  })

  it('says how far a view is materialized', async () => {
    const view = viewOf('lost')
    const lag = async () =>
      targets.offline.materializeLag(view, start, await targets.runs.readWatermark(view.name))
    await materializeNow(targets, 'lost')
    expect(await lag()).toMatchObject({ oldestNotMaterialized: null })
    await targets.offline.insertRows(view, [
      row(7, start - 77, 1),
      row(8, start - 7, 1),
      row(9, start + 1, 1),
    ])
    expect(await lag()).toEqual({ newestEventTimestamp: start + 1, oldestNotMaterialized: start - 77 })
  })

  it('has INTERRUPTED for a run whose process is gone, and RUNNING for one that is not', async () => {
    await execute(
      database.url,
      `insert into featuregraph.runs (project, kind, view, state, started_at) values ('default', 'MATERIALIZE', 'gone', 'RUNNING', now())`,
    )
    const stateOf = async (view: string) =>
      (await targets.runs.runs({ kind: null, view, since: null, first: 1, after: null }))[0]?.state
    const seen: unknown[] = []
    await setup.others.runs.withRun(
      { kind: 'BATCH', view: 'there', asOf: start },
      { now: () => start, onWait: () => {} },
      async () => {
        seen.push(await stateOf('gone'), await stateOf('there'))
        return { outcome: { state: 'SUCCEEDED', rowsRead: 1, rowsWritten: 1, error: null }, result: null }
      },
    )
    expect(seen).toEqual(['INTERRUPTED', 'RUNNING'])
    expect(await stateOf('there')).toBe('SUCCEEDED')
  })

  it('pages through runs of equal times, newest first, none twice and none lost', async () => {
    const subject = (view: string) => ({ kind: 'VALIDATE', view, asOf: null }) as const
    const outcome = { state: 'SUCCEEDED', rowsRead: null, rowsWritten: null, error: null } as const
    for (const [index, started] of [1, 2, 2, 2, 3].entries()) {
      const times = { now: () => start + started, onWait: () => {} }
      await targets.runs.withRun(subject(`v${index}`), times, async () => ({ outcome, result: null }))
    }
    const filter = { kind: 'VALIDATE', view: null, since: start + 2, first: 2, after: null } as const
    const first = await targets.runs.runs(filter)
    const after = first.at(-1) ?? null
    const rest = await targets.runs.runs({ ...filter, first: 9, after })
    expect(first).toHaveLength(2)
    const all = [...first, ...rest]
    expect(all.map(({ startedAt }) => startedAt - start)).toEqual([3, 2, 2, 2])
    expect(all.map(({ view }) => view).sort()).toEqual(['v1', 'v2', 'v3', 'v4'])
  })
})

describe('materialize while Redis is killed', () => {
  it('fails, does not move the watermark, and the next run completes', async () => {
    const server = await startRedis()
    const open = (): OnlineStore =>
      redisOnlineStore({ url: server.url, readTimeoutMs: 60_000, onConnectionError: () => {} })
    const setup = await realSetup(open, async () => {})
    const { targets } = setup
    try {
      await targets.offline.insertRows(viewOf('broken'), [row(0, start - 1, 0)])
      await materializeNow(targets, 'broken')
      const before = await targets.runs.readWatermark('broken')
      const keys = Array.from({ length: 12_000 }, (_, index) => index)
      await targets.offline.insertRows(
        viewOf('broken'),
        keys.map((key) => row(key, start, key)),
      )
      let writes = 0
      const writeMany: OnlineStore['writeMany'] = async (rows, expiry) => {
        writes += 1
        if (writes === 3) await server.kill()
        return targets.online.writeMany(rows, expiry)
      }
      const failing = materializeNow({ ...targets, online: { ...targets.online, writeMany } }, 'broken')
      await expect(failing).rejects.toThrow(/watermark has not moved/)
      expect(await targets.runs.readWatermark('broken')).toEqual(before)
      await server.restart()
      await answering(targets.online)
      expect(await materializeNow(targets, 'broken')).toMatchObject({
        ...{ reason: 'ONLINE_STORE_LOST_ROWS', read: 12_000, written: 12_000 },
      })
      expect(new Set(await eventsOf(targets, 'broken', keys))).toEqual(new Set([start]))
      expect(await materializeNow(targets, 'broken')).toMatchObject({ scope: 'ARRIVED', read: 0 })
    } finally {
      await setup.close()
      await server.stop()
    }
  })
})
