import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { EntityKey, Value } from '../../../src/definitions/value.ts'
import { deleteEntity } from '../../../src/ingest/deletion/delete-entity.ts'
import { materialize } from '../../../src/ingest/materialize/materialize-view.ts'
import { writeOnline } from '../../../src/ingest/materialize/write-online.ts'
import { computeSnapshots } from '../../../src/ingest/snapshots/compute-snapshots.ts'
import { openRowLayouts, type RowLayouts } from '../../../src/online/row-layouts.ts'
import { viewReader } from '../../../src/online/view-reader.ts'
import { rowValue, type ViewRow } from '../../../src/online/view-row.ts'
import type { Registry, StoredView } from '../../../src/registry/registry.ts'
import { nextContent } from '../../../src/registry/versions/resolve-identities.ts'
import { registryOf, type VersionContent } from '../../../src/registry/versions/version-content.ts'
import { onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'
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
import { neverAborted } from '../../contract/offline-store.ts'
import { startRedis } from '../../services/redis.ts'
import { createTestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'
import { untilWorks } from '../../services/wait-until.ts'

export type EvolvingWorld = Awaited<ReturnType<typeof openEvolvingWorld>>

/** A Postgres database and a Redis whose definitions change, version by version, under rows that stay. */
export async function openEvolvingWorld() {
  const [database, redis] = await Promise.all([createTestDatabase(), startRedis()])
  const pool: pg.Pool = testPool(database.url, 8, null)
  const outOfRange: string[] = []
  const offline = testOfflineStore(database.url, { countNonFinite: (view) => outOfRange.push(view) })
  const online = redisOnlineStore({ url: redis.url, readTimeoutMs: 60_000, onConnectionError: () => {} })
  await untilWorks(() => online.ping())
  const time = { now: Date.UTC(2026, 10, 20, 12) * 1_000 }
  const stores = {
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
  let content: VersionContent | null = null
  let registry: Registry
  let layouts: RowLayouts

  function viewOf(name: string): StoredView {
    const view = registry.views.find((one) => one.name === name)
    if (!view || view.kind === 'STREAM') throw new Error(`no feature view ${name} with rows`)
    return view
  }

  /** The values by the features' names; the status where there are none. */
  function shown(
    view: StoredView,
    row: ViewRow | undefined,
  ): Readonly<Record<string, Value | null>> | string {
    if (row?.$status !== 'PRESENT') return row?.$status ?? 'nothing'
    return Object.fromEntries(
      view.features.map(({ name, graphqlName }) => [name, rowValue(row, graphqlName)]),
    )
  }

  const reader = (view: StoredView) => viewReader(view, layouts.layout(view), layouts.history)

  return {
    pool,
    time,
    stores,
    /** Views of which a value was out of its feature's range. */
    outOfRange,
    viewOf,
    registry: () => registry,
    /** Makes them the next version; rows are written and read by it from then on. */
    async apply(...definitions: readonly unknown[]) {
      content = nextContent(
        content,
        definitions.map((value, index) => ({ path: `${index}`, value })),
      )
      registry = registryOf(content)
      await offline.ensureTables(registry.views, registry.eventSources)
      const registered = postgresRegistryStore(pool, 'default')
      layouts = await openRowLayouts('default', registry, registered, postgresGuardRecord(pool, 'default'))
    },
    forget() {
      content = null
    },
    /** One row: offline, then the newest of its key online. Whether it was stored. */
    async push(name: string, key: EntityKey, at: Micros, values: readonly (Value | null)[]) {
      const view = viewOf(name)
      const row = { key, eventTimestamp: at, createdTimestamp: time.now, values }
      const { rowIds, newest } = await offline.insertRows(view, [row], time.now)
      await writeOnline({ ...stores, ...layouts }, view, newest)
      return rowIds[0] !== null
    },
    async asOf(name: string, moments: readonly { readonly key: EntityKey; readonly asOf: Micros }[]) {
      const view = viewOf(name)
      const rows = moments.map((one) => ({ ...one, knownAt: null }))
      const [answers = []] = await offline.asOfJoin({ views: [view], rows, visibleIn: null }, neverAborted)
      const read = reader(view)
      return answers.map((one, index) => shown(view, read.readOffline(one, moments[index]?.asOf ?? 0, null)))
    },
    async online(name: string, keys: readonly EntityKey[]) {
      const view = viewOf(name)
      const prefix = await layouts.rowPrefix(view)
      const { rows } = await online.readMany(keys.map((key) => prefix + onlineKeySuffix(key)))
      const read = reader(view)
      return rows.map((bytes) => shown(view, read.readPacked(bytes, time.now, null)))
    },
    async remove(name: string, key: EntityKey) {
      const entity = registry.entities.find((one) => one.name === name)
      if (!entity) throw new Error(`no entity ${name}`)
      return await deleteEntity({ ...stores, ...layouts }, registry, entity, key, { ...quick, waitMs: null })
    },
    async compute(name: string, ...times: readonly Micros[]) {
      const view = viewOf(name)
      if (view.kind !== 'BATCH') throw new Error(`${name} is no batch view`)
      const options = { createdAfterMicros: 3_600_000_000, onWait: () => {}, onProgress: () => {} }
      await computeSnapshots(stores, view, { kind: 'TIMES', times }, options)
    },
    materialize: (name: string) =>
      materialize({ ...stores, ...layouts }, viewOf(name), { ...quick, range: null, newMarker: randomUUID }),
    async close() {
      await Promise.all([offline.close(), online.close(), pool.end()])
      await Promise.all([database.drop(), redis.stop()])
    },
  }
}
