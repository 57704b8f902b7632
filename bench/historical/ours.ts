import { readFileSync } from 'node:fs'
import { readLimit } from '../../src/historical/plan/read-limit.ts'
import { makeTrainingSet } from '../../src/historical/training/make-training-set.ts'
import { parquetFiles } from '../../src/stores/duckdb/parquet-file.ts'
import { duckDbTrainingFiles } from '../../src/stores/duckdb/training-file.ts'
import { postgresAsOfSnapshots } from '../../src/stores/postgres/features/as-of-snapshot.ts'
import { createPool } from '../../src/stores/postgres/sql/pool.ts'
import { openWorld } from './world.ts'

/** One training set, made by a process of its own. */
export interface Order {
  readonly databaseUrl: string
  readonly spine: string
  readonly out: string
}

export interface Done {
  /** From the opened spine to the finished file; connecting is in it, the start of the process is not. */
  readonly seconds: number
  readonly rows: number
  readonly cpuSeconds: number
  /** The most that the process was ever resident; null off Linux. */
  readonly peakBytes: number | null
}

export type Report =
  | { readonly kind: 'DONE'; readonly done: Done }
  | { readonly kind: 'FAILED'; readonly message: string }

async function obey({ databaseUrl, spine, out }: Order): Promise<Done> {
  const { service } = openWorld()
  const pool = createPool({
    url: databaseUrl,
    applicationName: 'featuregraph bench',
    statementTimeoutMs: null,
    maxConnections: 3,
    onConnectionError: () => {},
  })
  const before = process.cpuUsage()
  const started = performance.now()
  const opened = await parquetFiles.open(spine)
  const made = await makeTrainingSet(
    {
      snapshots: postgresAsOfSnapshots(pool, { project: 'default', countNonFinite: () => {} }),
      trainingFiles: duckDbTrainingFiles,
      onDemand: { folder: 'schema', onFailure: () => {} },
    },
    {
      service,
      spine: { path: spine, opened, map: new Map(), time: null, timezone: null, timeUnit: null },
      ...{ rows: null, knownAt: { kind: 'ALL' }, visibleIn: null, files: [], out, format: 'parquet' },
      ...{
        vector: false,
        statuses: false,
        limit: readLimit(Number.POSITIVE_INFINITY, ''),
        onProgress: () => {},
        signal: new AbortController().signal,
      },
    },
  )
  const seconds = (performance.now() - started) / 1_000
  const { user, system } = process.cpuUsage(before)
  await opened.close()
  await pool.end()
  return { seconds, rows: made.spine.rows, cpuSeconds: (user + system) / 1e6, peakBytes: peakBytes() }
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
