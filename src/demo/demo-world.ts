import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Clock, Micros } from '../definitions/timestamp.ts'
import { formatTimestamp } from '../definitions/timestamp.ts'
import { DemoRefused } from '../errors.ts'
import { computeSnapshots, snapshotTimes } from '../ingest/batch.ts'
import { importFile } from '../ingest/import-file.ts'
import { importTargets } from '../ingest/import-target.ts'
import { materialize } from '../ingest/materialize.ts'
import type { RowLayouts } from '../online/row-layouts.ts'
import type { Stores } from '../open-stores.ts'
import type { BatchView, PlainView, Registry } from '../registry/registry.ts'
import { microsOf } from '../stores/postgres/column-type.ts'
import { featureSchema } from '../stores/postgres/feature-table.ts'
import { type DemoSpan, writeDemoFiles } from './demo-files.ts'
import { latestRealtime, snapshotDelay } from './demo-rows.ts'
import { dayMicros } from './transactions.ts'

const seed = 20_260_101
const historyDays = 100

export interface DemoWorld {
  /** Continues the world to the clock's now. Two gateways on one database take turns; the second finds nothing to do. */
  readonly bringUpToNow: (progress?: DemoProgress) => Promise<void>
}

/** Told, while the history is written, which of how many steps are done. */
export type DemoProgress = (done: number, total: number) => void

type DemoStores = Pick<
  Stores,
  'offline' | 'online' | 'runs' | 'snapshots' | 'violations' | 'files' | 'imports' | 'system'
>

interface DemoOptions {
  readonly project: string
  readonly registry: Registry
  readonly stores: DemoStores
  readonly layouts: Pick<RowLayouts, 'keyPrefix' | 'layout'>
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Marks an empty project as the demo's.
 * @throws DemoRefused when the database holds the project already without the mark: those are somebody's data.
 */
export async function markDemo(system: pg.Pool, project: string, now: Micros): Promise<void> {
  const marked = await system.query('select 1 from featuregraph.demo_projects where project = $1', [project])
  if (marked.rows.length > 0) return
  const held = await system.query(
    `select 1 from featuregraph.views where project = $1
     union all select 1 from pg_namespace n join pg_class c on c.relnamespace = n.oid where n.nspname = $2 limit 1`,
    [project, featureSchema(project)],
  )
  if (held.rows.length > 0) {
    throw new DemoRefused(
      `the database holds project "${project}" without the demo's mark, so no demo data is written there; set FEATUREGRAPH_DEMO=false, or another FEATUREGRAPH_PROJECT`,
    )
  }
  await system.query(
    'insert into featuregraph.demo_projects (project, seed, history_from) values ($1, $2, $3) on conflict do nothing',
    [project, seed, formatTimestamp(Math.floor(now / dayMicros) * dayMicros - historyDays * dayMicros)],
  )
}

/** Null when the definitions lack the demo's views: then there is nothing to show. */
export function demoWorld(options: DemoOptions): DemoWorld | null {
  const daily = options.registry.views.find((view) => view.name === 'customer_transaction_features')
  const realtime = options.registry.views.find((view) => view.name === 'customer_realtime_features')
  if (daily?.kind !== 'BATCH' || realtime?.kind !== 'PLAIN' || realtime.files?.name !== sources.realtime) {
    options.log.warn('the definitions have no demo views; no demo data is written')
    return null
  }
  const renewedAt = new Map<number, Micros>()
  return {
    bringUpToNow: (progress = () => {}) => advance(options, { daily, realtime }, renewedAt, progress),
  }
}

const sources = { transactions: 'transactions', realtime: 'customer_realtime' } as const

interface DemoViews {
  readonly daily: BatchView
  readonly realtime: PlainView
}

async function advance(
  options: DemoOptions,
  views: DemoViews,
  renewedAt: Map<number, Micros>,
  progress: DemoProgress,
): Promise<void> {
  const { project, stores } = options
  const client = await stores.system.connect()
  try {
    await client.query('select pg_advisory_lock(hashtext($1))', [`featuregraph demo ${project}`])
    for (;;) {
      const { beginning, seededUntil, seedingUntil } = await readMark(client, project)
      const from = seededUntil ?? beginning
      const interrupted = seedingUntil !== null && seedingUntil > from
      const to = interrupted ? seedingUntil : latestRealtime(options.clock())
      // Within five minutes of the last run there is nothing new.
      if (to <= from) return
      await setMark(client, project, 'seeding_until', to)
      const span = { beginning, from, to }
      await writeSpan(options, views, renewedAt, span, seededUntil === null ? progress : () => {})
      await setMark(client, project, 'seeded_until', to)
    }
  } finally {
    // Ends the session, and with it the lock, whatever state the connection is in.
    client.release(true)
  }
}

/** Files of the span's events and rows, then what one would run by hand: import, batch and materialize. */
async function writeSpan(
  { registry, stores, layouts, clock }: DemoOptions,
  { daily, realtime }: DemoViews,
  renewedAt: Map<number, Micros>,
  span: DemoSpan,
  progress: DemoProgress,
): Promise<void> {
  const targets = { ...stores, ...layouts, clock }
  const steps = 100
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-demo-'))
  try {
    const files = await writeDemoFiles(folder, seed, span, renewedAt, (part) => progress(part * 30, steps))
    const importInto = async (name: string, file: string, begin: number): Promise<void> => {
      const source = { name, targets: importTargets(registry, name) }
      await importFile(targets, source, file, {
        dryRun: false,
        onError: 'stop',
        assumeUtc: false,
        onWait: () => {},
        onProgress: (_target, _rows, done) => progress(begin + done * 20, steps),
      })
    }
    await importInto(sources.transactions, files.transactions, 30)
    await importInto(sources.realtime, files.realtime, 50)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  // Snapshots of the nights whose job would be done by now.
  const times = snapshotTimes(daily, {
    from: span.from - snapshotDelay + 1,
    to: span.to - snapshotDelay,
    everyMicros: daily.everyMicros,
  })
  if (times.length > 0) {
    await computeSnapshots(
      targets,
      daily,
      { kind: 'TIMES', times },
      { createdAfterMicros: snapshotDelay, onWait: () => {}, onProgress: () => {} },
    )
  }
  progress(90, steps)
  for (const view of [daily, realtime]) {
    await materialize(targets, view, {
      range: null,
      newMarker: randomUUID,
      sleep,
      onWait: () => {},
      onProgress: () => {},
    })
  }
  progress(steps, steps)
}

interface DemoMark {
  readonly beginning: Micros
  readonly seededUntil: Micros | null
  readonly seedingUntil: Micros | null
}

async function readMark(client: pg.PoolClient, project: string): Promise<DemoMark> {
  const { rows } = await client.query<{ beginning: string; seeded: string | null; seeding: string | null }>(
    `select ${microsOf('history_from')} as beginning, ${microsOf('seeded_until')} as seeded,
       ${microsOf('seeding_until')} as seeding
     from featuregraph.demo_projects where project = $1`,
    [project],
  )
  const [mark] = rows
  if (!mark) throw new DemoRefused(`project "${project}" does not carry the demo's mark`)
  const micros = (text: string | null): Micros | null => (text === null ? null : Number(text))
  return {
    beginning: Number(mark.beginning),
    seededUntil: micros(mark.seeded),
    seedingUntil: micros(mark.seeding),
  }
}

async function setMark(
  client: pg.PoolClient,
  project: string,
  column: 'seeding_until' | 'seeded_until',
  time: Micros,
): Promise<void> {
  await client.query(`update featuregraph.demo_projects set ${column} = $2 where project = $1`, [
    project,
    formatTimestamp(time),
  ])
}
