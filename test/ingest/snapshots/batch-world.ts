import type pg from 'pg'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { EntityKey } from '../../../src/definitions/value.ts'
import {
  type BatchComputed,
  type BatchOptions,
  type BatchTargets,
  computeSnapshots,
} from '../../../src/ingest/snapshots/compute-snapshots.ts'
import type { BatchScope } from '../../../src/ingest/snapshots/plan-run.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { BatchView, EventSource, Registry } from '../../../src/registry/registry.ts'
import type { AsOfRow } from '../../../src/stores/as-of-reader.ts'
import type { OfflineStore } from '../../../src/stores/offline-store.ts'
import { postgresRegistryStore } from '../../../src/stores/postgres/system/registry-store.ts'
import { postgresRunStore } from '../../../src/stores/postgres/system/run-store.ts'
import { postgresViolationStore } from '../../../src/stores/postgres/system/violation-store.ts'
import { postgresSnapshotStore } from '../../../src/stores/postgres/windows/snapshot-store.ts'
import { asOfJoin, at } from '../../contract/offline-store.ts'
import { storeEvents, type TestEvent } from '../../oracle/store-events.ts'
import { createTestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'

export const minute = 60_000_000
export const hour = 60 * minute
export const day = 24 * hour
export const monday = at('2026-11-16T00:00:00Z')

/** One batch view over a real Postgres, with a clock that tests move. */
export interface BatchWorld {
  readonly registry: Registry
  readonly view: BatchView
  readonly source: EventSource
  readonly targets: BatchTargets
  readonly compute: (scope: BatchScope, options?: Partial<BatchOptions>) => Promise<BatchComputed>
  readonly at: (...times: readonly Micros[]) => Promise<BatchComputed>
  readonly keep: (...events: readonly TestEvent[]) => Promise<void>
  readonly asOf: (key: EntityKey, t: Micros, knownAt?: Micros) => Promise<AsOfRow | null>
  readonly time: { now: Micros }
}

export interface BatchBench {
  readonly pool: pg.Pool
  readonly offline: OfflineStore
  /** Over emptied tables; of the definitions the last is the view. */
  readonly makeWorld: (...definitions: readonly unknown[]) => Promise<BatchWorld>
  readonly close: () => Promise<void>
}

/** A database that one test file has to itself. */
export async function openBatchBench(): Promise<BatchBench> {
  const database = await createTestDatabase()
  const pool = testPool(database.url, 8, null)
  const offline = testOfflineStore(database.url)
  return {
    pool,
    offline,
    makeWorld: (...definitions) => makeWorld(pool, offline, definitions),
    close: async () => {
      await offline.close()
      await pool.end()
      await database.drop()
    },
  }
}

async function makeWorld(
  pool: pg.Pool,
  offline: OfflineStore,
  definitions: readonly unknown[],
): Promise<BatchWorld> {
  const registry = buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))
  const view = registry.views.at(-1)
  if (view?.kind !== 'BATCH') throw new Error('no batch view')
  await pool.query('drop schema if exists features, events, event_partitions cascade')
  await pool.query(
    'truncate featuregraph.views, featuregraph.event_arrivals, featuregraph.event_positions, featuregraph.event_retention cascade',
  )
  await postgresRegistryStore(pool, 'default').ensureViews(registry.views.map(({ name }) => name))
  await offline.ensureTables(registry.views, registry.eventSources)
  const time = { now: monday + 30 * day }
  const targets = {
    snapshots: postgresSnapshotStore(pool, 'default'),
    runs: postgresRunStore(pool, 'default'),
    violations: postgresViolationStore(pool, 'default'),
    clock: () => time.now,
  }
  const compute: BatchWorld['compute'] = (scope, options = {}) =>
    computeSnapshots(targets, view, scope, {
      createdAfterMicros: null,
      onWait: () => {},
      onProgress: () => {},
      ...options,
    })
  return {
    registry,
    view,
    source: view.events,
    time,
    targets,
    compute,
    at: (...times) => compute({ kind: 'TIMES', times }),
    keep: (...events) => storeEvents(pool, view.events, 'test', events),
    asOf: async (key, t, knownAt) => {
      const row = { key, asOf: t, knownAt: knownAt ?? null }
      const [answer] = await asOfJoin(offline, { views: [view], rows: [row] })
      return answer?.[0] ?? null
    },
  }
}

export function sale(customerId: number, time: Micros, fields: TestEvent['fields'] = {}): TestEvent {
  return { at: time, fields: { customer_id: customerId, ...fields } }
}
