import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { batch, count, entity, eventSource, featureView, last, stream, sum, windowedView } from 'featuregraph'
import { Redis } from 'ioredis'
import { formatTimestamp, type Micros } from '../../../src/definitions/timestamp.ts'
import { messageOf } from '../../../src/errors.ts'
import { eventAcceptor } from '../../../src/ingest/accept/accept-event.ts'
import { deleteEntity } from '../../../src/ingest/deletion/delete-entity.ts'
import { type ImportedFile, type ImportOptions, importFile } from '../../../src/ingest/files/import-file.ts'
import { importTargets } from '../../../src/ingest/files/import-target.ts'
import { defaultQuarantineLimit } from '../../../src/ingest/files/quarantine-limit.ts'
import { materialize } from '../../../src/ingest/materialize/materialize-view.ts'
import { type EventOutcome, eventPusher } from '../../../src/ingest/push/push-events.ts'
import type { PushOutcome } from '../../../src/ingest/push/push-outcome.ts'
import { pushRows } from '../../../src/ingest/push/push-rows.ts'
import { type RetriedEntries, retryQuarantine } from '../../../src/ingest/quarantine/retry-quarantine.ts'
import { retryTarget } from '../../../src/ingest/quarantine/retry-target.ts'
import { holdGuard } from '../../../src/ingest/refill/hold-guard.ts'
import { verifyView } from '../../../src/ingest/refill/verify-view.ts'
import {
  type BatchComputed,
  type BatchOptions,
  computeSnapshots,
} from '../../../src/ingest/snapshots/compute-snapshots.ts'
import type { BatchScope } from '../../../src/ingest/snapshots/plan-run.ts'
import { followedSources } from '../../../src/ingest/tiles/followed-sources.ts'
import { rebuildTiles } from '../../../src/ingest/tiles/rebuild-tiles.ts'
import { rememberingEventStore } from '../../../src/ingest/tiles/recent-events.ts'
import { tileLeader } from '../../../src/ingest/tiles/tile-leader.ts'
import { expireEvents, expires } from '../../../src/ingest/worker/expire-events.ts'
import { onlineGuard } from '../../../src/online/guard.ts'
import { liveTiles } from '../../../src/online/live-tiles.ts'
import { openRowLayouts } from '../../../src/online/row-layouts.ts'
import { viewReader } from '../../../src/online/view-reader.ts'
import { rowValue, type ViewRow } from '../../../src/online/view-row.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { BatchView, Entity, EventSource, PlainView, StreamView } from '../../../src/registry/registry.ts'
import type { ProcessedOutcomes } from '../../../src/stores/event-log.ts'
import { csvFiles } from '../../../src/stores/files/csv-file.ts'
import { jsonFiles } from '../../../src/stores/files/json-file.ts'
import { localFiles } from '../../../src/stores/files/local-files.ts'
import { ndjsonFiles } from '../../../src/stores/files/ndjson-file.ts'
import type { ImportedRows, ImportStore } from '../../../src/stores/import-store.ts'
import { onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'
import { postgresDeletionStore } from '../../../src/stores/postgres/deletion/deletion-store.ts'
import {
  postgresEventRetention,
  readStoredSince,
} from '../../../src/stores/postgres/events/event-retention.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { postgresImportStore } from '../../../src/stores/postgres/imports/import-store.ts'
import { postgresQuarantineStore } from '../../../src/stores/postgres/quarantine/quarantine-store.ts'
import { postgresGuardLease } from '../../../src/stores/postgres/system/guard-lease.ts'
import { postgresGuardRecord } from '../../../src/stores/postgres/system/guard-record.ts'
import { postgresOnlineLeftovers } from '../../../src/stores/postgres/system/online-leftovers.ts'
import { postgresRegistryStore } from '../../../src/stores/postgres/system/registry-store.ts'
import { postgresRunStore } from '../../../src/stores/postgres/system/run-store.ts'
import { postgresTileGenerations } from '../../../src/stores/postgres/system/tile-generations.ts'
import { postgresTombstoneLog } from '../../../src/stores/postgres/system/tombstone-log.ts'
import { postgresViolationStore } from '../../../src/stores/postgres/system/violation-store.ts'
import { postgresSnapshotStore } from '../../../src/stores/postgres/windows/snapshot-store.ts'
import { redisOnlineStore } from '../../../src/stores/redis/online-store.ts'
import { neverAborted } from '../../contract/offline-store.ts'
import { createTestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'
import { waitUntil } from '../../services/wait-until.ts'
import type { RulesAnswer } from './rules-oracle.ts'

const second = 1_000_000
export const minute = 60 * second
export const hour = 60 * minute
export const day = 24 * hour

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const payments = eventSource('payments', {
  ...{ eventTimestamp: 'at', createdTimestamp: 'loaded', eventId: 'id', retention: '3d' },
  fields: { customer_id: 'int64', amount: 'int64' },
})
const profile = featureView('profile', { entity: customer, ttl: '2d', features: { score: 'int64' } })
const hourly = windowedView('hourly', {
  ...{ entity: customer, source: payments, compute: batch({ every: '1h' }), ttl: '3h' },
  features: { n: count('2d'), total: sum('amount', '1d') },
})
const recent = windowedView('recent', {
  ...{ entity: customer, source: payments, compute: stream() },
  features: { n: count('2d'), total: sum('amount', '2d'), latest: last('amount', '3h') },
})

export interface OfferedPayment {
  readonly id: string | null
  readonly key: number
  readonly at: Micros
  readonly amount: number
  /** In files; null: known from when it happened. */
  readonly loaded?: Micros | null
}

export interface OfferedMessage extends OfferedPayment {
  readonly partition: number
  readonly offset: number
}

export type RowView = 'profile' | 'hourly'
export type RulesAnswers = Readonly<Record<RowView | 'recent', RulesAnswer>>

export const messageTopic = 'payments'
export const logTopicName = 'log:payments'

/** All ways in over a real Postgres, whose clock the test sets, and a Redis of the test's own, which loses what it holds. */
export type RulesWorld = Awaited<ReturnType<typeof openRulesWorld>>

export async function openRulesWorld(redisUrl: string, start: Micros) {
  const [database, folder] = await Promise.all([
    createTestDatabase(),
    mkdtemp(join(tmpdir(), 'featuregraph-rules-')),
  ])
  const pool = testPool(database.url, 8, null)
  const offline = testOfflineStore(database.url)
  const redis = new Redis(redisUrl)
  await redis.flushall()
  const time = { now: start, leader: start }
  const clock = (): Micros => time.now
  async function setClock(now: Micros): Promise<void> {
    time.now = now
    await pool.query('update public.test_clock set now = $1', [formatTimestamp(now)])
  }
  await pool.query(
    `create table public.test_clock (now timestamptz);
     insert into public.test_clock values ('${formatTimestamp(start)}');
     create or replace function featuregraph.moment() returns timestamptz language sql volatile as
       $$ select now from public.test_clock $$`,
  )
  const registry = buildRegistry(
    [customer, payments, profile, hourly, recent].map((value) => ({ path: 'here', value })),
  )
  const [source] = registry.eventSources as readonly [EventSource]
  const [deleted] = registry.entities as readonly [Entity]
  const plainView = registry.views.find((view): view is PlainView => view.kind === 'PLAIN')
  const batchView = registry.views.find((view): view is BatchView => view.kind === 'BATCH')
  const streamView = registry.views.find((view): view is StreamView => view.kind === 'STREAM')
  if (!plainView || !batchView || !streamView) throw new TypeError('a view is missing')
  const rowViews = { profile: plainView, hourly: batchView }
  await offline.ensureTables(registry.views, registry.eventSources)

  const online = redisOnlineStore({
    ...{ url: redisUrl, readTimeoutMs: 60_000, evictionDeclared: true },
    onConnectionError: () => {},
  })
  await waitUntil(() => online.writeConnection() !== null, 'Redis is connected')
  const guardRecord = postgresGuardRecord(pool, 'default')
  const layouts = await openRowLayouts(
    'default',
    registry,
    postgresRegistryStore(pool, 'default'),
    guardRecord,
  )
  const events = rememberingEventStore(postgresEventStore(pool, 'default'), 10_000_000)
  const stores = {
    ...{ offline, online, guardRecord, events },
    guardLease: postgresGuardLease(pool, 'default'),
    generations: postgresTileGenerations(pool, 'default'),
    imports: postgresImportStore(pool, 'default'),
    runs: postgresRunStore(pool, 'default'),
    violations: postgresViolationStore(pool, 'default'),
    deletions: postgresDeletionStore(pool, 'default'),
    snapshots: postgresSnapshotStore(pool, 'default'),
    quarantine: postgresQuarantineStore(pool, 'default'),
    tombstones: postgresTombstoneLog(pool, 'default'),
    leftovers: postgresOnlineLeftovers(pool, 'default'),
    retention: postgresEventRetention(pool, 'default'),
  }
  const targets = { ...stores, ...layouts, clock }
  const files = localFiles({
    readers: { parquet: csvFiles, csv: csvFiles, ndjson: ndjsonFiles, json: jsonFiles, arrow: csvFiles },
    expand: async () => [],
  })
  const quiet = { onWait: () => {}, onProgress: () => {} }
  const fail = (store: string, error: Error): never => {
    throw new Error(`the ${store} store failed: ${messageOf(error)}`, { cause: error })
  }
  let markers = 0
  const newMarker = (): string => {
    markers += 1
    return `marker ${markers}`
  }

  // Its own clock: generations are checked in every round, however little the test's has moved.
  const leaderClock = (): Micros => {
    time.leader += second
    return time.leader
  }
  const newLeader = () =>
    tileLeader({ ...targets, clock: leaderClock }, followedSources(registry.views), {
      observe: { applied: () => {}, caughtUp: () => {} },
      log: { info: () => {}, warn: (_, error) => fail('events', error as Error) },
    })
  let leader = newLeader()
  async function follow(): Promise<void> {
    let isCaughtUp = false
    while (!isCaughtUp) isCaughtUp = await leader.round()
  }

  // The guard's holder moves only when the test lets it.
  const stopping = new AbortController()
  let paused: (() => void)[] = []
  function letHolderMove(): void {
    const released = paused
    paused = []
    for (const move of released) move()
  }
  const holder = holdGuard(targets, registry.views, {
    signal: stopping.signal,
    pause: () =>
      stopping.signal.aborted ? Promise.resolve() : new Promise<void>((resolve) => paused.push(resolve)),
    ...{ sleep: async () => {}, newMarker, materializeApart: null, followTiles: follow },
    log: {
      info: () => {},
      warn: (line, error) => {
        if (error !== null) fail(line, error as Error)
      },
    },
  })
  holder.catch(() => {})

  const tiles = liveTiles(layouts, registry.views, stores.generations)
  const guard = onlineGuard(layouts, registry.views, { record: guardRecord, tiles })
  const readers = registry.views.map((view) => viewReader(view, layouts.layout(view), layouts.history))
  const accept = eventAcceptor(source)
  const postEvents = eventPusher({
    ...{ events, violations: stores.violations, clock, observe: { processed: () => {} } },
    ...{ reach: () => 2 * day, storeFailed: fail },
  })
  let fileNumber = 0

  const json = ({ id, key, at, amount }: OfferedPayment) => ({
    ...{ id, at: formatTimestamp(at), customer_id: key, amount },
  })
  const answerOf = (row: ViewRow): RulesAnswer => ({
    status: row.$status,
    values: row.$view.features.map(({ name }) => {
      const value = rowValue(row, name)
      return value === null ? null : Number(value)
    }),
  })
  const byView = (rows: readonly ViewRow[]): RulesAnswers => {
    const of = (name: string): RulesAnswer => {
      const row = rows.find(({ $view }) => $view.name === name)
      if (!row) throw new TypeError(`no row of ${name}`)
      return answerOf(row)
    }
    return { profile: of('profile'), hourly: of('hourly'), recent: of('recent') }
  }

  /** Why online reads are refused now; null: they are answered. */
  async function refusal(): Promise<string | null> {
    await guard.refresh()
    const epoch = guard.epochOf(await online.readMany([]))
    if (typeof epoch !== 'number') return epoch
    for (const view of registry.views) {
      const place = guard.placeOf(view)
      const missing = typeof place === 'string' ? place : guard.missing(view, place, epoch)
      if (missing !== null) return `${view.name} ${missing}`
    }
    return null
  }

  return {
    ...{ clock, views: { profile: plainView, hourly: batchView, recent: streamView }, refusal, follow },
    advance: (micros: Micros) => setClock(time.now + micros),
    /** Another process applies events from here on: nothing is in its memory. */
    changeLeader() {
      leader = newLeader()
    },

    /** As a consumer stores messages of a topic. */
    async deliver(messages: readonly OfferedMessage[]): Promise<ProcessedOutcomes> {
      const judged = messages.map((message) => {
        const value = Buffer.from(JSON.stringify(json(message)))
        return { message, value, verdict: accept(json(message), time.now) }
      })
      const events_ = judged.flatMap(({ message: { partition, offset }, verdict }) =>
        verdict.status === 'ACCEPTED' ? [{ partition, offset, ...verdict.event, violations: [] }] : [],
      )
      const deadLetters = judged.flatMap(({ message: { partition, offset }, value, verdict }) => {
        if (verdict.status === 'ACCEPTED') return []
        const { event, content, message: reason, violations } = verdict
        return [{ partition, offset, key: null, value, event, content, reason, violations }]
      })
      return await events.storeMessages(
        source,
        messageTopic,
        { events: events_, deadLetters },
        await events.now(),
      )
    },
    post: (offered: readonly OfferedPayment[]): Promise<readonly EventOutcome[]> =>
      postEvents(
        source,
        offered.map((one) => ({ json: json(one) })),
      ),
    async file(
      offered: readonly OfferedPayment[],
    ): Promise<{ readonly path: string; readonly topic: string }> {
      fileNumber += 1
      const path = join(folder, `${fileNumber}.ndjson`)
      const lines = offered.map((one) =>
        JSON.stringify({
          ...json(one),
          loaded: typeof one.loaded === 'number' ? formatTimestamp(one.loaded) : null,
        }),
      )
      await writeFile(path, `${lines.join('\n')}\n`)
      return { path, topic: `file:${await files.digest(path)}` }
    },
    /** `chunks`: the process ends when so many chunks of `chunkRows` are stored. */
    async importFile(path: string, chunks: number | null): Promise<readonly ImportedFile[] | null> {
      const imports = chunks === null ? stores.imports : endingAfter(stores.imports, chunks)
      const options = {
        ...{ dryRun: false, onError: 'stop', assumeUtc: false, format: null },
        ...{ maxQuarantined: defaultQuarantineLimit, onWarning: () => {}, ...quiet },
      } satisfies ImportOptions
      const named = { name: 'payments', targets: importTargets(registry, 'payments') }
      try {
        return await importFile({ ...targets, files, imports }, named, path, options)
      } catch (error) {
        if (error instanceof ImportEnded) return null
        throw error
      }
    },
    async retry(): Promise<RetriedEntries> {
      const target = retryTarget(registry, source.name)
      if (target === null) throw new Error('the source is not of the registry')
      return await retryQuarantine(stores, target, 'message')
    },
    push: (
      view: RowView,
      rows: readonly { readonly key: number; readonly at: Micros; readonly values: readonly number[] }[],
    ): Promise<readonly PushOutcome[]> =>
      pushRows(
        { ...targets, storeFailed: fail },
        rowViews[view],
        rows.map(({ key, at, values }) => ({
          key: { customer_id: key },
          values: Object.fromEntries(
            rowViews[view].features.map(({ name }, index) => [name, values[index] ?? null]),
          ),
          eventTimestamp: at,
        })),
        { to: 'BOTH', idempotencyKey: null },
      ),
    async delete(key: number): Promise<Micros> {
      const options = { sleep: async () => {}, waitMs: null, onWait: () => {} }
      const { deletedAt } = await deleteEntity(targets, registry, deleted, [key], options)
      return deletedAt
    },
    /** Since when events are stored, after those past their retention are dropped. */
    async expire(): Promise<Micros | null> {
      if (!expires(source)) throw new TypeError('the source has no retention')
      await expireEvents(targets, source)
      return await readStoredSince(pool, 'default', source.name)
    },
    rebuild: (): Promise<void> =>
      rebuildTiles({ ...targets, eventSources: [], stream: null }, streamView, {
        ...{ follow, pause: async () => {}, signal: neverAborted },
        ...{ onWait: () => {}, onAdopted: () => {}, onLive: () => {} },
      }),
    compute: (scope: BatchScope, options: Pick<BatchOptions, 'replacePushed'> = {}): Promise<BatchComputed> =>
      computeSnapshots(targets, batchView, scope, { createdAfterMicros: null, ...quiet, ...options }),
    overridden: async (key: number | null): Promise<readonly Micros[]> =>
      (await stores.snapshots.overrides(batchView, key === null ? null : [key])).map(
        ({ eventTimestamp }) => eventTimestamp,
      ),
    async materialize(view: RowView): Promise<void> {
      await materialize(targets, rowViews[view], { range: null, newMarker, sleep: async () => {}, ...quiet })
    },
    verify: (view: RowView) => verifyView(targets, rowViews[view], quiet),

    /** The online store loses everything. */
    empty: async (): Promise<unknown> => await redis.flushall(),
    /** What the online store holds now, to be set back to. */
    async copy(): Promise<readonly (readonly [key: Buffer, value: Buffer])[]> {
      const keys = await redis.keysBuffer('*')
      return await Promise.all(keys.map(async (key) => [key, await redis.dumpBuffer(key)] as const))
    },
    /** The online store is as it was at the copy; nothing expires, since all lies ahead. */
    async setBack(copied: readonly (readonly [key: Buffer, value: Buffer])[]): Promise<void> {
      await redis.flushall()
      await Promise.all(copied.map(([key, value]) => redis.restore(key, 0, value)))
    },
    /** A single row is evicted, which no guard sees. */
    async evict(view: RowView, key: number): Promise<void> {
      const place = guard.placeOf(rowViews[view])
      if (typeof place !== 'string') await redis.del(place.prefix + onlineKeySuffix([key]))
    },

    /** Resolves when the guard's holder has moved it on, after it has filled what was lost. */
    async settle(): Promise<void> {
      const before = (await online.readMany([])).guard
      let refused: string | null = 'the guard has not moved'
      await waitUntil(
        async () => {
          letHolderMove()
          await follow()
          const moved = (await online.readMany([])).guard !== before
          refused = moved ? await refusal() : 'the guard has not moved'
          return refused === null
        },
        () => `online reads are answered; refused: ${refused}`,
      )
    },
    async online(key: number): Promise<RulesAnswers> {
      const prefixes = registry.views.map((view) => {
        const place = guard.placeOf(view)
        return typeof place === 'string' ? '' : place.prefix
      })
      const { rows } = await online.readMany(prefixes.map((prefix) => prefix + onlineKeySuffix([key])))
      return byView(readers.map((reader, index) => reader.readPacked(rows[index] ?? null, time.now, null)))
    },
    async asOf(
      rows: readonly { readonly key: number; readonly asOf: Micros; readonly knownAt: Micros | null }[],
    ): Promise<readonly RulesAnswers[]> {
      const asked = rows.map(({ key, asOf, knownAt }) => ({ key: [key], asOf, knownAt }))
      const found = await offline.asOfJoin(
        { views: registry.views, rows: asked, visibleIn: null },
        neverAborted,
      )
      return rows.map(({ asOf }, index) =>
        byView(readers.map((reader, view) => reader.readOffline(found[view]?.[index] ?? null, asOf, null))),
      )
    },
    async close(): Promise<void> {
      stopping.abort()
      letHolderMove()
      await holder
      redis.disconnect()
      await Promise.all([online.close(), offline.close()])
      await pool.end()
      await Promise.all([database.drop(), rm(folder, { recursive: true, force: true })])
    },
  }
}

export const chunkRows = 3

class ImportEnded extends Error {}

/** Its process ends when so many chunks are stored. */
function endingAfter(imports: ImportStore, chunks: number): ImportStore {
  return {
    ...imports,
    importFile: (table, receipt, work) =>
      imports.importFile(table, receipt, (sink) =>
        work({
          ...sink,
          async write(rows) {
            for (let chunk = 0; chunk < chunks; chunk += 1)
              await sink.write(sliced(rows, chunk * chunkRows, (chunk + 1) * chunkRows), [], [])
            throw new ImportEnded()
          },
        }),
      ),
  }
}

function sliced(rows: ImportedRows, from: number, to: number): ImportedRows {
  return {
    kept: rows.kept.filter((index) => index >= from && index < to).map((index) => index - from),
    rowNumbers: rows.rowNumbers.slice(from, to),
    eventTimestamps: rows.eventTimestamps.slice(from, to),
    createdTimestamps: rows.createdTimestamps.slice(from, to),
    eventIds: rows.eventIds.slice(from, to),
    columns: rows.columns.map((column) => column.slice(from, to)),
  }
}
