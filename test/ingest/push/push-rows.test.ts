import { entity, featureView, postgresSource } from 'featuregraph'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import { BadUserInput, InvalidRow, StoreFailed } from '../../../src/errors.ts'
import { acceptIdempotencyKey } from '../../../src/ingest/push/idempotency-key.ts'
import {
  type PushedRow,
  type PushOptions,
  type PushTargets,
  pushRows,
} from '../../../src/ingest/push/push-rows.ts'
import { openRowLayouts, type RowLayouts } from '../../../src/online/row-layouts.ts'
import { viewReader } from '../../../src/online/view-reader.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { Registry, StoredView } from '../../../src/registry/registry.ts'
import { memoryOnlineStore } from '../../../src/stores/memory/online-store.ts'
import type { OfflineStore } from '../../../src/stores/offline-store.ts'
import type { OnlineStore } from '../../../src/stores/online-store.ts'
import { onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'
import { redisOnlineStore } from '../../../src/stores/redis/online-store.ts'
import type { ViolationStore } from '../../../src/stores/violation-store.ts'
import { asOfJoin } from '../../contract/offline-store.ts'
import { at, day, memoryRegistryStore, second, viewNamed } from '../../graph/run-operation.ts'
import { wholeGuardRecord } from '../../oracle/memory-guard-record.ts'
import { memoryOfflineStore } from '../../oracle/memory-offline-store.ts'
import { memoryViolationStore } from '../../oracle/memory-violation-store.ts'
import { newProject } from '../../server/start-test-gateway.ts'
import { createTestDatabase } from '../../services/test-database.ts'
import { testOfflineStore } from '../../services/test-pool.ts'
import { untilWorks } from '../../services/wait-until.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const definitions = [
  customer,
  featureView('profile', { entity: customer, features: { n: 'int64', share: 'float32', name: 'string' } }),
  featureView('spending', {
    entity: customer,
    features: {
      total: { type: 'float64', expect: { max: 10_000 } },
      mean: { type: 'float64', expect: { min: 0, action: 'quarantine' } },
      count: { type: 'int64', expect: { notNull: true, maxAge: '2d', action: 'reject' } },
    },
  }),
  featureView('segment', { entity: customer, online: false, features: { name: 'string' } }),
  featureView('orders', {
    entity: customer,
    online: false,
    source: postgresSource('shop_orders', { table: 'shop.orders', eventTimestamp: 'ordered_at' }),
    features: { total: 'float64' },
  }),
]

interface Backends {
  readonly offline: OfflineStore
  readonly online: OnlineStore
  readonly close: () => Promise<void>
}

const backends: Readonly<Record<string, () => Promise<Backends>>> = {
  memory: async () => ({
    offline: memoryOfflineStore(),
    online: memoryOnlineStore(() => at('2026-11-23T12:00:00Z')),
    close: async () => {},
  }),
  'Postgres and Redis': async () => {
    const database = await createTestDatabase()
    const offline = testOfflineStore(database.url)
    const online = redisOnlineStore({
      url: inject('redisUrl'),
      readTimeoutMs: 60_000,
      onConnectionError: () => {},
    })
    await untilWorks(() => online.ping())
    return {
      offline,
      online,
      close: async () => {
        await Promise.all([offline.close(), online.close()])
        await database.drop()
      },
    }
  },
}

const both = { to: 'BOTH', idempotencyKey: null } as const

describe.each(Object.entries(backends))('pushRows into %s', (_, open) => {
  let stores: Backends
  let registry: Registry
  let layouts: RowLayouts
  let profile: StoredView
  let clock: Micros = at('2026-11-23T12:00:00Z')
  let ids = 0
  const now = (): Micros => clock
  const failures: string[] = []

  beforeAll(async () => {
    stores = await open()
    registry = buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))
    layouts = await openRowLayouts(newProject(), registry, memoryRegistryStore(), wholeGuardRecord())
    await stores.offline.ensureTables(
      registry.views.filter((view) => view.source === null),
      [],
    )
    profile = viewNamed(registry, 'profile')
  })
  afterAll(async () => {
    await stores?.close()
  })

  const targets = (replaced: Partial<PushTargets> = {}): PushTargets => ({
    offline: { ...stores.offline, now: async () => clock },
    online: stores.online,
    ...layouts,
    clock: now,
    storeFailed: (store) => failures.push(store),
    violations: memoryViolationStore(),
    ...replaced,
  })
  const push = (rows: readonly (PushedRow | InvalidRow)[], options: PushOptions = both) =>
    pushRows(targets(), profile, rows, options)
  const newId = (): number => {
    ids += 1
    return ids
  }
  const row = (id: unknown, eventTimestamp: Micros, values: PushedRow['values'] = {}): PushedRow => ({
    key: { customer_id: id },
    eventTimestamp,
    values,
  })
  /** What both clocks say, `n` and the two timestamps. */
  const stored = async (id: number, asOf: Micros = clock, knownAt: Micros | null = null) => {
    const [answers] = await asOfJoin(stores.offline, {
      views: [profile],
      rows: [{ key: [id], asOf, knownAt }],
    })
    const found = answers?.[0] ?? null
    return found && [found.values[0], found.eventTimestamp, found.createdTimestamp]
  }
  const online = async (id: number) => {
    const [bytes] = (await stores.online.readMany([layouts.keyPrefix(profile, 0) + onlineKeySuffix([id])]))
      .rows
    if (!bytes) return null
    const read = viewReader(profile, layouts.layout(profile), layouts.history)
    return Object(read.readPacked(bytes, clock, null))['n']
  }

  it("takes the arrival, and what is due, from the database's clock, not from the gateway's", async () => {
    const ahead = targets({ clock: () => clock + day })
    const [a, b] = [newId(), newId()]
    const rows = [row(a, clock - 1, { n: 1 }), row(b, clock + 1, { n: 2 })]
    expect(await pushRows(ahead, profile, rows, both)).toEqual([
      { accepted: true, online: 'WRITTEN' },
      { accepted: true, online: 'NOT_YET' },
    ])
    expect([await stored(a), await stored(b, clock + 1)]).toEqual([
      [1, clock - 1, clock],
      [2, clock + 1, clock],
    ])
  })

  it('returns one outcome per row, in order, and keeps what fits on both clocks, created at its arrival', async () => {
    const [a, b, c] = [newId(), newId(), newId()]
    const outcomes = await push([
      row(a, clock, { n: 1, share: 0.1, name: 'x' }),
      row('1.5', clock, { n: 'x', share: 1e300, name: 'a\0', other: 1 }),
      row(b, clock - day, { n: 2 }),
      new InvalidRow('the line is not JSON in UTF-8'),
      row(c, clock + 1, { n: 3 }),
      row(b, Number.NaN),
    ])
    expect(outcomes).toEqual([
      { accepted: true, online: 'WRITTEN' },
      {
        accepted: false,
        online: 'NOT_ASKED',
        code: 'INVALID_ROW',
        message: expect.stringMatching(/customer_id: .*n: .*share: .*name: .*other: /),
      },
      { accepted: true, online: 'WRITTEN' },
      { accepted: false, online: 'NOT_ASKED', code: 'INVALID_ROW', message: 'the line is not JSON in UTF-8' },
      { accepted: true, online: 'NOT_YET' },
      { accepted: false, online: 'NOT_ASKED', code: 'INVALID_ROW', message: expect.any(String) },
    ])
    expect(await stored(a)).toEqual([1, clock, clock])
    expect(await stored(b)).toEqual([2, clock - day, clock])
    expect(await stored(c)).toBeNull()
    expect(await stored(c, clock + 1)).toEqual([3, clock + 1, clock])
    expect([await online(a), await online(b), await online(c)]).toEqual([1, 2, null])
    expect(await stored(b, clock, clock - 1)).toBeNull()
    expect(await stored(b, clock, clock)).toEqual([2, clock - day, clock])
  })

  it('puts the newest row of a key online, of equal ones the later; the others and older ones are OLDER', async () => {
    const [a, b] = [newId(), newId()]
    const outcomes = await push([
      row(a, clock - 2, { n: 1 }),
      row(a, clock - 1, { n: 2 }),
      row(b, clock - 5, { n: 9 }),
      row(a, clock - 1, { n: 3 }),
      row(a, clock + day, { n: 4 }),
      row(a, clock - 3, { n: 5 }),
    ])
    expect(outcomes.map((outcome) => outcome.online)).toEqual([
      'OLDER',
      'OLDER',
      'WRITTEN',
      'WRITTEN',
      'NOT_YET',
      'OLDER',
    ])
    expect([await online(a), await stored(a)]).toEqual([3, [3, clock - 1, clock]])
    expect((await push([row(a, clock - 10, { n: 6 })]))[0]?.online).toBe('OLDER')
    // The same event timestamp again is a correction: it arrived later.
    clock += second
    const corrected = clock - second - 1
    expect((await push([row(a, corrected, { n: 7 })]))[0]?.online).toBe('WRITTEN')
    expect([await online(a), await stored(a), await stored(a, clock, clock - 1)]).toEqual([
      7,
      [7, corrected, clock],
      [3, corrected, clock - second],
    ])
  })

  it('puts the newest stored row online where the online store lacks it, never an older one that was pushed', async () => {
    const a = newId()
    await push([row(a, clock - 1, { n: 1 })], { ...both, to: 'OFFLINE' })
    expect(await online(a)).toBeNull()
    expect((await push([row(a, clock - 2, { n: 2 })]))[0]?.online).toBe('OLDER')
    expect(await online(a)).toBe(1)
  })

  it('does not ask the online store to OFFLINE, or for a view that is not online', async () => {
    const a = newId()
    expect(await push([row(a, clock, { n: 1 })], { ...both, to: 'OFFLINE' })).toEqual([
      { accepted: true, online: 'NOT_ASKED' },
    ])
    expect([await online(a), await stored(a)]).toEqual([null, [1, clock, clock]])
    const segment = viewNamed(registry, 'segment')
    expect(await pushRows(targets(), segment, [row(a, clock, { name: 'a' })], both)).toEqual([
      { accepted: true, online: 'NOT_ASKED' },
    ])
  })

  it('refuses a view with a source', async () => {
    await expect(pushRows(targets(), viewNamed(registry, 'orders'), [], both)).rejects.toThrow(
      /"orders" come from the source "shop_orders"/,
    )
  })

  it('writes once under an idempotency key and answers a retry alike, also when both come at once', async () => {
    const [a, b] = [newId(), newId()]
    const rows = [row(a, clock - 1, { n: 1 }), row('x', clock), row(b, clock + day, { n: 2 })]
    const options = { to: 'BOTH', idempotencyKey: `once ${a}` } as const
    const first = await push(rows, options)
    expect(first.map((outcome) => outcome.online)).toEqual(['WRITTEN', 'NOT_ASKED', 'NOT_YET'])
    const arrival = clock
    clock += second
    expect(await push(rows, options)).toEqual(first)
    // A second writing would have a later created timestamp.
    expect(await stored(a)).toEqual([1, arrival - 1, arrival])
    expect(await online(a)).toBe(1)

    const c = newId()
    const calls: string[] = []
    const counted: OfflineStore = {
      ...stores.offline,
      insertRowsOnce: async (...asked) => {
        const inserted = await stores.offline.insertRowsOnce(...asked)
        calls.push(inserted.status)
        return inserted
      },
    }
    const together = await Promise.all(
      [1, 2, 3].map(() =>
        pushRows(targets({ offline: counted }), profile, [row(c, clock, { n: 1 })], {
          ...both,
          idempotencyKey: `together ${c}`,
        }),
      ),
    )
    expect(together).toEqual(Array(3).fill([{ accepted: true, online: 'WRITTEN' }]))
    expect(calls.sort()).toEqual(['INSERTED', 'REPEATED', 'REPEATED'])
  })

  it('refuses other rows, another order and another target under one key, and writes none of them', async () => {
    const a = newId()
    const rows = [row(a, clock - 2, { n: 1 }), row(a, clock - 3, { n: 2 })]
    const options = { to: 'BOTH', idempotencyKey: `other ${a}` } as const
    await push(rows, options)
    for (const [other, to] of [
      [[row(a, clock - 1, { n: 8 })], 'BOTH'],
      [[...rows].reverse(), 'BOTH'],
      [[...rows, row('x', clock)], 'BOTH'],
      [rows, 'OFFLINE'],
    ] as const) {
      await expect(push(other, { ...options, to })).rejects.toThrow(BadUserInput)
    }
    expect([await stored(a), await online(a)]).toEqual([[1, clock - 2, clock], 1])
  })

  it('keeps rows offline when the online store fails; a retry under the key writes them', async () => {
    const [a, b] = [newId(), newId()]
    const broken: OnlineStore = {
      ...stores.online,
      writeMany: async () => {
        throw new StoreFailed('away')
      },
    }
    const options = { to: 'BOTH', idempotencyKey: `broken ${a}` } as const
    const rows = [row(a, clock, { n: 1 }), row('x', clock), row(b, clock, { n: 2 })]
    failures.length = 0
    const outcomes = await pushRows(targets({ online: broken }), profile, rows, options)
    expect(outcomes.map(({ accepted, online: outcome }) => [accepted, outcome])).toEqual([
      [true, 'UNAVAILABLE'],
      [false, 'NOT_ASKED'],
      [true, 'UNAVAILABLE'],
    ])
    expect(failures).toEqual(['online'])
    expect([await stored(a), await stored(b), await online(a)]).toEqual([
      [1, clock, clock],
      [2, clock, clock],
      null,
    ])
    const arrival = clock
    clock += second
    expect((await push(rows, options)).map((outcome) => outcome.online)).toEqual([
      'WRITTEN',
      'NOT_ASKED',
      'WRITTEN',
    ])
    expect([await online(a), await online(b)]).toEqual([1, 2])
    // The row is the one that stands offline: a created timestamp of the retry would outrank later corrections.
    const [bytes] = (await stores.online.readMany([layouts.keyPrefix(profile, 0) + onlineKeySuffix([a])]))
      .rows
    expect(bytes?.readDoubleLE(16)).toBe(arrival)
  })

  it('says UNAVAILABLE for each row that the offline store did not take, and puts none online', async () => {
    const a = newId()
    const broken: OfflineStore = {
      ...stores.offline,
      insertRows: async () => {
        throw new StoreFailed('secret host')
      },
    }
    const outcomes = await pushRows(
      targets({ offline: broken }),
      profile,
      [row(a, clock, { n: 1 }), row('x', clock)],
      both,
    )
    expect(outcomes.map((outcome) => outcome.accepted || outcome.code)).toEqual([
      'UNAVAILABLE',
      'INVALID_ROW',
    ])
    expect(JSON.stringify(outcomes)).not.toContain('secret')
    expect([await online(a), await stored(a)]).toEqual([null, null])
  })

  describe('of a view with expectations', () => {
    const everything = { view: null, since: null, after: null, first: 100 }
    const values = { total: 5, mean: 1, count: 2 }

    async function pushSpending(
      rows: readonly PushedRow[],
      options: PushOptions,
      violations: ViolationStore,
    ) {
      const spending = viewNamed(registry, 'spending')
      const outcomes = await pushRows(targets({ violations }), spending, rows, options)
      const asked = rows.map(({ key }) => ({ key: [Number(key['customer_id'])], asOf: clock, knownAt: null }))
      const signal = new AbortController().signal
      const [kept] = await stores.offline.asOfJoin(
        { views: [spending], rows: asked, visibleIn: null },
        signal,
      )
      const keys = asked.map(({ key }) => layouts.keyPrefix(spending, 0) + onlineKeySuffix(key))
      const isOnline = (await stores.online.readMany(keys)).rows
      return { outcomes, kept: kept?.map(Boolean), isOnline: isOnline.map(Boolean) }
    }

    it('warns of a row, keeps one out of both stores, refuses one, each by the strictest action', async () => {
      const violations = memoryViolationStore()
      const [fine, warned, quarantined, refused, old] = [newId(), newId(), newId(), newId(), newId()]
      const answer = await pushSpending(
        [
          row(fine, clock, values),
          row(warned, clock, { ...values, total: 12_000 }),
          row(quarantined, clock, { ...values, total: 12_000, mean: -1 }),
          row(refused, clock, { ...values, mean: -1, count: null }),
          row(old, clock - 2 * day - 1, values),
        ],
        both,
        violations,
      )
      const tooHigh = {
        ...{ feature: 'total', rule: 'MAX', value: '12000', bound: '10000' },
        message: 'Value 12000 above maximum 10000',
      }
      const tooLow = { feature: 'mean', rule: 'MIN', value: '-1', bound: '0' }
      expect(answer).toEqual({
        outcomes: [
          { accepted: true, online: 'WRITTEN' },
          { accepted: true, online: 'WRITTEN', violations: [tooHigh] },
          {
            ...{ accepted: false, online: 'NOT_ASKED', code: 'QUARANTINED' },
            message: 'total: Value 12000 above maximum 10000; mean: Value -1 below minimum 0',
            violations: [tooHigh, { ...tooLow, message: 'Value -1 below minimum 0' }],
          },
          {
            ...{ accepted: false, online: 'NOT_ASKED', code: 'EXPECTATION_FAILED' },
            message: 'mean: Value -1 below minimum 0; count: Value is null',
            violations: [expect.objectContaining(tooLow), expect.objectContaining({ rule: 'NOT_NULL' })],
          },
          {
            ...{ accepted: false, online: 'NOT_ASKED', code: 'EXPECTATION_FAILED' },
            message: expect.stringMatching(/^count: Event timestamp \S+ is older than 2d$/),
            violations: [expect.objectContaining({ feature: 'count', rule: 'MAX_AGE', bound: '2d' })],
          },
        ],
        kept: [true, true, false, false, false],
        isOnline: [true, true, false, false, false],
      })
      const reported = await violations.page(everything)
      expect(
        reported.map(({ key, feature, rule, action }) => [key, feature, rule, action]).reverse(),
      ).toEqual([
        [[String(warned)], 'total', 'MAX', 'warn'],
        [[String(quarantined)], 'total', 'MAX', 'warn'],
        [[String(quarantined)], 'mean', 'MIN', 'quarantine'],
        [[String(refused)], 'mean', 'MIN', 'quarantine'],
        [[String(refused)], 'count', 'NOT_NULL', 'reject'],
        [[String(old)], 'count', 'MAX_AGE', 'reject'],
      ])
    })

    it('records a violation once, however often the push is retried under its key', async () => {
      const violations = memoryViolationStore()
      const rows = [row(newId(), clock, { ...values, total: 12_000 })]
      const options = { to: 'BOTH', idempotencyKey: `key ${newId()}` } as const
      const first = await pushSpending(rows, options, violations)
      expect(await pushSpending(rows, options, violations)).toEqual(first)
      clock += second
      expect(await pushSpending(rows, options, violations)).toEqual(first)
      expect(await violations.page(everything)).toHaveLength(1)
    })

    it('reports a row that could be stored nowhere, not even in quarantine', async () => {
      const failing: ViolationStore = {
        ...memoryViolationStore(),
        record: async () => {
          throw new StoreFailed('secret host')
        },
      }
      const { outcomes } = await pushSpending([row(newId(), clock, { ...values, mean: -1 })], both, failing)
      expect(outcomes).toMatchObject([{ accepted: false, code: 'UNAVAILABLE' }])
      expect(JSON.stringify(outcomes)).not.toContain('secret')
    })
  })

  it('takes no rows at all', async () => {
    expect(await push([])).toEqual([])
  })
})

describe('an idempotency key', () => {
  it('is 1 to 255 characters that Postgres keeps', () => {
    expect([acceptIdempotencyKey(null), acceptIdempotencyKey(undefined)]).toEqual([null, null])
    for (const key of ['a', 'ä'.repeat(255), ' ', "'"]) expect(acceptIdempotencyKey(key)).toBe(key)
    for (const key of ['', 'a'.repeat(256), 'a\0', '\ud800'])
      expect(() => acceptIdempotencyKey(key)).toThrow(BadUserInput)
  })
})
