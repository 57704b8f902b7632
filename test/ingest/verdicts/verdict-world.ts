import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, entity, eventSource, stream, windowedView } from 'featuregraph'
import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../../src/definitions/timestamp.ts'
import { systemClock } from '../../../src/gateway/system-clock.ts'
import { deleteEntity } from '../../../src/ingest/deletion/delete-entity.ts'
import { type ImportedFile, type ImportOptions, importFile } from '../../../src/ingest/files/import-file.ts'
import { importTargets } from '../../../src/ingest/files/import-target.ts'
import { followEvents } from '../../../src/ingest/tiles/follow-events.ts'
import { liveTiles } from '../../../src/online/live-tiles.ts'
import { openRowLayouts } from '../../../src/online/row-layouts.ts'
import { viewReader } from '../../../src/online/view-reader.ts'
import { rowValue } from '../../../src/online/view-row.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { Entity, EventSource, Registry, StreamView } from '../../../src/registry/registry.ts'
import type { EventStore } from '../../../src/stores/event-store.ts'
import { csvFiles } from '../../../src/stores/files/csv-file.ts'
import { jsonFiles } from '../../../src/stores/files/json-file.ts'
import { localFiles } from '../../../src/stores/files/local-files.ts'
import { ndjsonFiles } from '../../../src/stores/files/ndjson-file.ts'
import type { ImportStore } from '../../../src/stores/import-store.ts'
import { memoryOnlineStore } from '../../../src/stores/memory/online-store.ts'
import type { OfflineStore } from '../../../src/stores/offline-store.ts'
import { onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'
import { postgresDeletionStore } from '../../../src/stores/postgres/deletion/deletion-store.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { postgresImportStore } from '../../../src/stores/postgres/imports/import-store.ts'
import { postgresGuardRecord } from '../../../src/stores/postgres/system/guard-record.ts'
import { postgresRegistryStore } from '../../../src/stores/postgres/system/registry-store.ts'
import { postgresRunStore } from '../../../src/stores/postgres/system/run-store.ts'
import { postgresTileGenerations } from '../../../src/stores/postgres/system/tile-generations.ts'
import { postgresTombstoneLog } from '../../../src/stores/postgres/system/tombstone-log.ts'
import { postgresViolationStore } from '../../../src/stores/postgres/system/violation-store.ts'
import { asOfJoin, neverAborted } from '../../contract/offline-store.ts'
import { createTestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'

export const minute = 60_000_000
export const hour = 60 * minute
export const day = 24 * hour

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const payments = eventSource('payments', {
  ...{ eventTimestamp: 'at', createdTimestamp: 'loaded', eventId: 'id', retention: '400d' },
  fields: { customer_id: 'int64' },
})
const shared = { entity: customer, source: payments, compute: stream() }
const recent = windowedView('recent', { ...shared, features: { n: count('60d') } })
const today = windowedView('today', { ...shared, features: { n: count('1d') } })

export interface TestPayment {
  readonly id: string | null
  readonly at: Micros
  readonly customer?: number
}

export interface VerdictWorld {
  readonly pool: pg.Pool
  readonly offline: OfflineStore
  readonly events: EventStore
  readonly imports: ImportStore
  readonly registry: Registry
  readonly source: EventSource
  /** Pushes into the gateway's log, in one transaction. */
  readonly live: (
    payments: readonly TestPayment[],
    store?: EventStore,
  ) => Promise<readonly (string | undefined)[]>
  /** Writes a file of payments, with created timestamps where `loaded` is given, and answers its path. */
  readonly file: (payments: readonly TestPayment[], loaded?: Micros) => Promise<string>
  readonly importFile: (path: string, options?: Partial<ImportOptions>) => Promise<readonly ImportedFile[]>
  readonly deleteCustomer: (customer: number) => Promise<void>
  /** Applies all that is stored; `events` instead of the world's. */
  readonly follow: (events?: EventStore) => Promise<void>
  /** How many events of a customer count online, at the present. */
  readonly online: (customer?: number, view?: string) => Promise<number>
  readonly asOf: (asOf: Micros, knownAt?: Micros | null, customer?: number, view?: string) => Promise<number>
  /** Both clocks after all that is stored was applied. */
  readonly bothClocks: (
    customer?: number,
    view?: string,
  ) => Promise<readonly [online: number, offline: number]>
  readonly close: () => Promise<void>
}

/** A source with ids and a streaming view of it, with all ways in, by real clocks. */
export async function openVerdictWorld(): Promise<VerdictWorld> {
  const [database, folder] = await Promise.all([
    createTestDatabase(),
    mkdtemp(join(tmpdir(), 'featuregraph-verdicts-')),
  ])
  const pool = testPool(database.url, 8, null)
  const offline = testOfflineStore(database.url)
  const registry = buildRegistry(
    [customer, payments, recent, today].map((value) => ({ path: 'here', value })),
  )
  const [source] = registry.eventSources as readonly [EventSource]
  const views = registry.views.filter((view): view is StreamView => view.kind === 'STREAM')
  const viewOf = (name: string): StreamView => {
    const found = views.find((view) => view.name === name)
    if (!found) throw new Error(`no view ${name}`)
    return found
  }
  await offline.ensureTables(registry.views, registry.eventSources)
  const online = memoryOnlineStore(systemClock)
  const guardRecord = postgresGuardRecord(pool, 'default')
  const layouts = await openRowLayouts(
    'default',
    registry,
    postgresRegistryStore(pool, 'default'),
    guardRecord,
  )
  const generations = postgresTileGenerations(pool, 'default')
  const events = postgresEventStore(pool, 'default')
  const imports = postgresImportStore(pool, 'default')
  const runs = postgresRunStore(pool, 'default')
  const violations = postgresViolationStore(pool, 'default')
  const deletions = postgresDeletionStore(pool, 'default')
  const files = localFiles({
    readers: { parquet: csvFiles, csv: csvFiles, ndjson: ndjsonFiles, json: jsonFiles, arrow: csvFiles },
    expand: async () => [],
  })
  const streamLock = { hold: async () => true, release: async () => {} }
  const tombstones = postgresTombstoneLog(pool, 'default')
  const targets = {
    guardRecord,
    tombstones,
    ...layouts,
    events,
    online,
    generations,
    streamLock,
    clock: systemClock,
  }
  const tiles = liveTiles(layouts, registry.views, generations)
  let fileNumber = 0

  const world: VerdictWorld = {
    ...{ pool, offline, events, imports, registry, source },
    live: async (made, store = events) =>
      await store.append(
        source,
        'log:payments',
        made.map(({ id, at, customer: of = 1 }) => ({ eventTimestamp: at, eventId: id, values: [of] })),
        await events.now(),
      ),
    async file(made, loaded) {
      fileNumber += 1
      const path = join(folder, `${fileNumber}.ndjson`)
      const lines = made.map(({ id, at, customer: of = 1 }) =>
        JSON.stringify({
          ...{ id, at: formatTimestamp(at), customer_id: of },
          loaded: loaded === undefined ? null : formatTimestamp(loaded),
        }),
      )
      await writeFile(path, `${lines.join('\n')}\n`)
      return path
    },
    importFile: (path, options = {}) =>
      importFile(
        { files, imports, runs, violations, clock: systemClock },
        { name: 'payments', targets: importTargets(registry, 'payments') },
        path,
        {
          ...{ dryRun: false, onError: 'quarantine', assumeUtc: false, format: null },
          ...{ maxQuarantined: { kind: 'SHARE', share: 1 }, onWarning: () => {}, onWait: () => {} },
          ...{ onProgress: () => {}, ...options },
        },
      ),
    async deleteCustomer(key) {
      const [found] = registry.entities as readonly [Entity]
      const options = { sleep: async () => {}, waitMs: null, onWait: () => {} }
      await deleteEntity({ ...targets, deletions }, registry, found, [key], options)
    },
    follow: async (from = events) =>
      await followEvents({ ...targets, events: from }, registry.views, {
        ...{ once: true, signal: neverAborted, pause: async () => {} },
        ...{ observe: { applied: () => {}, caughtUp: () => {} }, log: { info: () => {}, warn: () => {} } },
      }),
    async online(of = 1, name = 'recent') {
      const view = viewOf(name)
      const reader = viewReader(view, layouts.layout(view), layouts.history)
      await tiles.refresh()
      const live = tiles.find(view)
      if (!live) throw new Error('no tiles')
      const [value = null] = (await online.readMany([live.prefix + onlineKeySuffix([of])])).rows
      return Number(rowValue(reader.readPacked(value, systemClock(), null), 'n'))
    },
    async asOf(asOf, knownAt = null, of = 1, name = 'recent') {
      const [rows] = await asOfJoin(offline, { views: [viewOf(name)], rows: [{ key: [of], asOf, knownAt }] })
      return Number(rows?.[0]?.values[0] ?? 0)
    },
    async bothClocks(of = 1, name = 'recent') {
      await world.follow()
      return [await world.online(of, name), await world.asOf(systemClock(), null, of, name)]
    },
    async close() {
      await offline.close()
      await pool.end()
      await Promise.all([database.drop(), rm(folder, { recursive: true, force: true })])
    },
  }
  return world
}
