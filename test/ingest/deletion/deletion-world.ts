import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  batch,
  count,
  entity,
  eventSource,
  featureView,
  postgresSource,
  sum,
  windowedView,
} from 'featuregraph'
import type pg from 'pg'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { EntityKey } from '../../../src/definitions/value.ts'
import {
  type DeletionOptions,
  type DeletionTargets,
  deleteEntity,
} from '../../../src/ingest/deletion/delete-entity.ts'
import type { DeletionReceipt } from '../../../src/ingest/deletion/deletion-receipt.ts'
import { type MaterializeTargets, materialize } from '../../../src/ingest/materialize/materialize-view.ts'
import type { PushOutcome, PushTarget } from '../../../src/ingest/push/push-outcome.ts'
import { type PushTargets, pushRows } from '../../../src/ingest/push/push-rows.ts'
import { type BatchTargets, computeSnapshots } from '../../../src/ingest/snapshots/compute-snapshots.ts'
import { openRowLayouts } from '../../../src/online/row-layouts.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { Entity, EventSource, StoredView } from '../../../src/registry/registry.ts'
import type { OnlineStore } from '../../../src/stores/online-store.ts'
import { onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'
import { packedRowKind } from '../../../src/stores/online-value/packed-row.ts'
import { postgresDeletionStore } from '../../../src/stores/postgres/deletion/deletion-store.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { postgresGuardRecord } from '../../../src/stores/postgres/system/guard-record.ts'
import { postgresRegistryStore } from '../../../src/stores/postgres/system/registry-store.ts'
import { postgresRunStore } from '../../../src/stores/postgres/system/run-store.ts'
import { postgresTileGenerations } from '../../../src/stores/postgres/system/tile-generations.ts'
import { postgresTombstoneLog } from '../../../src/stores/postgres/system/tombstone-log.ts'
import { postgresViolationStore } from '../../../src/stores/postgres/system/violation-store.ts'
import { postgresSnapshotStore } from '../../../src/stores/postgres/windows/snapshot-store.ts'
import { redisOnlineStore } from '../../../src/stores/redis/online-store.ts'
import { asOfJoin } from '../../contract/offline-store.ts'
import { storeEvents } from '../../oracle/store-events.ts'
import { execute } from '../../services/postgres.ts'
import { type RedisServer, startRedis } from '../../services/redis.ts'
import { createTestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'
import { untilWorks } from '../../services/wait-until.ts'

export const hour = 3_600_000_000
export const day = 24 * hour

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const shop = entity('shop', { joinKeys: { shop: 'string' } })
const regular = entity('regular', { joinKeys: { shop: 'string', customer_id: 'int64' } })
const fields = { customer_id: 'int64', shop: 'string', amount: 'float64' } as const
const sales = eventSource('sales', { topic: 'sales', eventTimestamp: 'at', fields })
const ledger = eventSource('ledger', {
  table: 'bank.ledger',
  eventTimestamp: 'booked',
  fields,
  columns: { customer_id: 'buyer' },
})
const windows = { n: count('3d', { hop: '1d' }), total: sum('amount', '3d', { hop: '1d' }) }
const compute = batch({ every: '1d' })
const definitions = [
  customer,
  shop,
  regular,
  sales,
  ledger,
  featureView('profile', {
    entity: customer,
    features: {
      n: { type: 'int64', expect: { max: 1_000, action: 'quarantine' } },
      m: { type: 'int64', expect: { max: 5 } },
    },
  }),
  featureView('loyalty', { entity: regular, features: { n: 'int64' } }),
  featureView('shop_size', { entity: shop, features: { n: 'int64' } }),
  windowedView('daily', { entity: customer, source: sales, compute, features: windows }),
  windowedView('shop_daily', { entity: shop, source: sales, compute, features: windows }),
  windowedView('booked', { entity: customer, source: ledger, compute, features: windows }),
  featureView('tabs', {
    entity: regular,
    source: postgresSource('bar_tabs', {
      query: 'select place, who, opened, owed from bank.tabs',
      eventTimestamp: 'opened',
      columns: { shop: 'place', customer_id: 'who', n: 'owed' },
    }),
    features: { n: 'int64' },
  }),
]
const registry = buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))

function named<Item extends { readonly name: string }>(items: readonly Item[], name: string): Item {
  const found = items.find((item) => item.name === name)
  if (!found) throw new Error(`there is no ${name}`)
  return found
}
export const viewOf = (name: string): StoredView =>
  named(
    registry.views.filter((view) => view.kind !== 'STREAM'),
    name,
  )
const entityOf = (name: string): Entity => named(registry.entities, name)
const sourceOf = (name: string): EventSource => named(registry.eventSources, name)

export interface DeletionWorld {
  readonly pool: pg.Pool
  readonly redis: RedisServer
  readonly time: { now: Micros }
  readonly registry: typeof registry
  readonly stores: DeletionTargets & BatchTargets & MaterializeTargets & PushTargets
  readonly remove: (
    entityName: string,
    key: EntityKey,
    options?: Partial<DeletionOptions>,
  ) => Promise<DeletionReceipt>
  readonly push: (
    view: string,
    rows: readonly (readonly [key: EntityKey, at: Micros, n: number, m?: number])[],
    options?: { readonly idempotencyKey?: string; readonly to?: PushTarget; readonly online?: OnlineStore },
  ) => Promise<readonly PushOutcome[]>
  readonly keep: (
    ...events: readonly (readonly [customer: number, shop: string, at: Micros])[]
  ) => Promise<void>
  readonly book: (customerId: number, at: Micros) => Promise<void>
  readonly compute: (view: string, ...times: readonly Micros[]) => Promise<void>
  readonly materialize: (view: string, online?: OnlineStore) => Promise<void>
  /** Whether a row with values stands online, whether any as-of query finds one. */
  readonly found: (view: string, key: EntityKey) => Promise<readonly [online: boolean, offline: boolean]>
  readonly close: () => Promise<void>
}

/** A database, a Redis and everything that writes into both, with a clock that tests move. */
export async function openWorld(): Promise<DeletionWorld> {
  const [database, redis] = await Promise.all([createTestDatabase(), startRedis()])
  await execute(
    database.url,
    `create schema bank; create table bank.ledger (booked timestamptz, buyer int, shop varchar(9), amount numeric);
     create table bank.tabs (place text, who bigint, opened timestamptz, owed int)`,
  )
  const pool = testPool(database.url, 8, null)
  const offline = testOfflineStore(database.url)
  const online = redisOnlineStore({ url: redis.url, readTimeoutMs: 60_000, onConnectionError: () => {} })
  await untilWorks(() => online.ping())
  const layouts = await openRowLayouts(
    'default',
    registry,
    postgresRegistryStore(pool, 'default'),
    postgresGuardRecord(pool, 'default'),
  )
  await offline.ensureTables(registry.views, registry.eventSources)
  const time = { now: Math.floor(Date.now() / 86_400_000) * day + 12 * hour }
  const stores = {
    ...layouts,
    offline: { ...offline, now: async () => time.now },
    online,
    deletions: postgresDeletionStore(pool, 'default'),
    snapshots: postgresSnapshotStore(pool, 'default'),
    runs: postgresRunStore(pool, 'default'),
    violations: postgresViolationStore(pool, 'default'),
    generations: postgresTileGenerations(pool, 'default'),
    tombstones: postgresTombstoneLog(pool, 'default'),
    events: { ...postgresEventStore(pool, 'default'), now: async () => time.now },
    clock: () => time.now,
    storeFailed: () => {},
  }
  const quick = { sleep: (ms: number) => sleep(Math.min(ms, 20)), onWait: () => {}, onProgress: () => {} }

  return {
    pool,
    redis,
    time,
    registry,
    stores,
    remove: (name, key, options = {}) =>
      deleteEntity(stores, registry, entityOf(name), key, { ...quick, waitMs: null, ...options }),
    push(name, rows, { idempotencyKey = null, to = 'BOTH', online: other = online } = {}) {
      const view = viewOf(name)
      const pushed = rows.map(([key, at, n, m]) => ({
        key: Object.fromEntries(view.entity.joinKeys.map((joinKey, place) => [joinKey.name, key[place]])),
        eventTimestamp: at,
        values: m === undefined ? { n } : { n, m },
      }))
      return pushRows({ ...stores, online: other }, view, pushed, { to, idempotencyKey })
    },
    keep: (...events) =>
      storeEvents(
        pool,
        sourceOf('sales'),
        'sales',
        events.map(([customer_id, where, at]) => ({ at, fields: { customer_id, shop: where, amount: 2 } })),
      ),
    async book(customerId, at) {
      await pool.query('insert into bank.ledger values (to_timestamp($1), $2, $3, 5)', [
        at / 1e6,
        customerId,
        'a',
      ])
    },
    async compute(name, ...times) {
      const view = viewOf(name)
      if (view.kind !== 'BATCH') throw new Error(`${name} is no batch view`)
      const options = { createdAfterMicros: hour, onWait: () => {}, onProgress: () => {} }
      await computeSnapshots(stores, view, { kind: 'TIMES', times }, options)
    },
    async materialize(name, other = online) {
      const options = { ...quick, range: null, newMarker: randomUUID }
      await materialize({ ...stores, online: other }, viewOf(name), options)
    },
    async found(name, key) {
      const view = viewOf(name)
      const [bytes] = (await online.readMany([layouts.keyPrefix(view, 0) + onlineKeySuffix(key)])).rows
      const { now } = time
      const rows = [
        ...[now, now - hour, now - day, now + 400 * day].map((asOf) => ({ key, asOf, knownAt: null })),
        ...[now, now - hour, now - 2 * day].map((knownAt) => ({ key, asOf: now, knownAt })),
      ]
      const [answers] = await asOfJoin(offline, { views: [view], rows })
      const offlineToo = answers?.some((answer) => answer !== null && !answer.closing) ?? false
      return [Boolean(bytes && packedRowKind(bytes) === 'ROW'), offlineToo]
    },
    async close() {
      await Promise.all([offline.close(), online.close(), pool.end()])
      await Promise.all([database.drop(), redis.stop()])
    },
  }
}
