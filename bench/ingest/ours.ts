import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Micros } from '../../src/definitions/timestamp.ts'
import { importFile } from '../../src/ingest/files/import-file.ts'
import { importTargets } from '../../src/ingest/files/import-target.ts'
import { materialize } from '../../src/ingest/materialize/materialize-view.ts'
import { computeSnapshots } from '../../src/ingest/snapshots/compute-snapshots.ts'
import { openRowLayouts } from '../../src/online/row-layouts.ts'
import { arrowFiles } from '../../src/stores/duckdb/arrow-files.ts'
import { expandPattern } from '../../src/stores/duckdb/duckdb-files.ts'
import { parquetFiles } from '../../src/stores/duckdb/parquet-file.ts'
import { csvFiles } from '../../src/stores/files/csv-file.ts'
import { jsonFiles } from '../../src/stores/files/json-file.ts'
import { localFiles } from '../../src/stores/files/local-files.ts'
import { ndjsonFiles } from '../../src/stores/files/ndjson-file.ts'
import { postgresOfflineStore } from '../../src/stores/postgres/features/offline-store.ts'
import { postgresImportStore } from '../../src/stores/postgres/imports/import-store.ts'
import { createPool } from '../../src/stores/postgres/sql/pool.ts'
import { postgresGuardRecord } from '../../src/stores/postgres/system/guard-record.ts'
import { postgresRegistryStore } from '../../src/stores/postgres/system/registry-store.ts'
import { postgresRunStore } from '../../src/stores/postgres/system/run-store.ts'
import { postgresViolationStore } from '../../src/stores/postgres/system/violation-store.ts'
import { postgresSnapshotStore } from '../../src/stores/postgres/windows/snapshot-store.ts'
import { redisOnlineStore } from '../../src/stores/redis/online-store.ts'
import { openWorld } from './world.ts'

/** One piece of work for a process of its own, on a database whose tables are made. */
export type Order = { readonly databaseUrl: string; readonly project: string } & (
  | { readonly kind: 'IMPORT'; readonly file: string }
  | { readonly kind: 'BATCH'; readonly times: readonly Micros[] }
  | { readonly kind: 'MATERIALIZE'; readonly redisUrl: string }
)

export interface Done {
  /** Of the work alone: opening the stores is not in it, connecting to Postgres is. */
  readonly seconds: number
  /** Imported events, snapshot rows, or rows written online. */
  readonly rows: number
  /** The most that the process was ever resident; null off Linux. */
  readonly peakBytes: number | null
}

export type Report =
  | { readonly kind: 'DONE'; readonly done: Done }
  | { readonly kind: 'FAILED'; readonly message: string }

const clock = (): Micros => Date.now() * 1_000
const halfAnHour = 1_800_000_000
const onlineTimeoutMs = 10_000

/** The same parts as `open-stores.ts` composes for a command, as far as they are needed. */
async function obey(order: Order): Promise<Done> {
  const { registry, view, source } = openWorld()
  const poolOf = (statementTimeoutMs: number | null, maxConnections: number) =>
    createPool({
      url: order.databaseUrl,
      applicationName: 'featuregraph bench',
      statementTimeoutMs,
      maxConnections,
      onConnectionError: () => {},
    })
  const system = poolOf(null, 3)
  const shared = {
    runs: postgresRunStore(system, order.project),
    violations: postgresViolationStore(system, order.project),
    clock,
  }
  switch (order.kind) {
    case 'IMPORT': {
      const files = localFiles({
        readers: {
          parquet: parquetFiles,
          csv: csvFiles,
          ndjson: ndjsonFiles,
          json: jsonFiles,
          arrow: arrowFiles,
        },
        expand: expandPattern,
      })
      const stores = { ...shared, files, imports: postgresImportStore(system, order.project) }
      const target = { name: source.name, targets: importTargets(registry, source.name) }
      return await timed(async () => {
        const imported = await importFile(stores, target, order.file, {
          dryRun: false,
          onError: 'quarantine',
          assumeUtc: true,
          maxQuarantined: { kind: 'SHARE', share: 1 },
          format: null,
          onWarning: () => {},
          onWait: () => {},
          onProgress: () => {},
        })
        return imported.reduce((rows, { stored }) => rows + stored, 0)
      })
    }
    case 'BATCH': {
      const stores = { ...shared, snapshots: postgresSnapshotStore(system, order.project) }
      return await timed(async () => {
        const scope = { kind: 'TIMES', times: order.times } as const
        const options = { createdAfterMicros: halfAnHour, onWait: () => {}, onProgress: () => {} }
        return (await computeSnapshots(stores, view, scope, options)).written
      })
    }
    case 'MATERIALIZE': {
      const offline = postgresOfflineStore(poolOf(30_000, 8), {
        project: order.project,
        unboundedPool: system,
        countNonFinite: () => {},
      })
      const online = redisOnlineStore({
        url: order.redisUrl,
        readTimeoutMs: onlineTimeoutMs,
        onConnectionError: () => {},
      })
      // The client refuses what comes before it is connected.
      const answers = (): Promise<boolean> =>
        online.ping().then(
          () => true,
          () => false,
        )
      while (!(await answers())) await sleep(10)
      const layouts = await openRowLayouts(
        order.project,
        registry,
        postgresRegistryStore(system, order.project),
        postgresGuardRecord(system, order.project),
      )
      return await timed(async () => {
        const result = await materialize({ ...shared, ...layouts, offline, online }, view, {
          range: null,
          newMarker: randomUUID,
          sleep,
          onWait: () => {},
          onProgress: () => {},
        })
        return result.written
      })
    }
  }
}

async function timed(work: () => Promise<number>): Promise<Done> {
  const started = performance.now()
  const rows = await work()
  const seconds = (performance.now() - started) / 1_000
  return { seconds, rows, peakBytes: peakBytes() }
}

/** Not of `resourceUsage`, which begins with the memory of the process that started this one. */
function peakBytes(): number | null {
  if (process.platform !== 'linux') return null
  const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return kilobytes === undefined ? null : Number(kilobytes) * 1_024
}

// One order, then the end; it ends also when the process that started it does.
process.on('message', async (order) => {
  const report: Report = await obey(order as Order).then(
    (done) => ({ kind: 'DONE', done }),
    (error: unknown) => ({
      kind: 'FAILED',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }),
  )
  process.send?.(report)
})
process.on('disconnect', () => process.exit())
