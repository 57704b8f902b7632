import type pg from 'pg'
import type { Logger } from 'pino'
import type { Micros } from '../definitions/timestamp.ts'
import { formatTimestamp } from '../definitions/timestamp.ts'
import { DemoRefused } from '../errors.ts'
import { acceptRow, type OfferedRow } from '../ingest/accept-row.ts'
import { type RowTargets, writeRows } from '../ingest/write-rows.ts'
import type { FeatureView, Registry } from '../registry/registry.ts'
import { microsOf } from '../stores/postgres/column-type.ts'
import { featureSchema, managedTable } from '../stores/postgres/feature-table.ts'
import {
  customerHistory,
  latestRealtime,
  realtimeRow,
  realtimeRows,
  snapshotDelay,
  snapshotRows,
} from './demo-rows.ts'
import { customerCount, dayMicros, firstCustomer } from './transactions.ts'

const seed = 20_260_101
const historyDays = 100
const customersPerBatch = 50
/** A quiet customer's realtime row is written anew before its ttl of an hour is over. */
const renewAfter: Micros = 45 * 60_000_000

export interface DemoWorld {
  /** Continues the world to the clock's now. Two gateways on one database take turns; the second finds nothing to do. */
  readonly bringUpToNow: (progress?: DemoProgress) => Promise<void>
}

/** Told, while the history is written, how many of the customers are done. */
export type DemoProgress = (done: number, total: number) => void

interface DemoOptions {
  readonly project: string
  readonly registry: Registry
  readonly targets: RowTargets
  readonly system: pg.Pool
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
  if (!daily || !realtime) {
    options.log.warn('the definitions have no demo views; no demo data is written')
    return null
  }
  const renewedAt = new Map<number, Micros>()
  return {
    bringUpToNow: (progress = () => {}) => advance(options, { daily, realtime }, renewedAt, progress),
  }
}

interface DemoViews {
  readonly daily: FeatureView
  readonly realtime: FeatureView
}

async function advance(
  { project, targets, system }: DemoOptions,
  views: DemoViews,
  renewedAt: Map<number, Micros>,
  progress: DemoProgress,
): Promise<void> {
  const client = await system.connect()
  try {
    await client.query('select pg_advisory_lock(hashtext($1))', [`featuregraph demo ${project}`])
    const { beginning, seededUntil } = await readMark(client, project)
    const from = seededUntil ?? beginning
    // An interrupted first run left rows of unknown number: the history is written once, as a whole.
    if (seededUntil === null) await emptyTables(client, project, views)
    const to = latestRealtime(targets.clock())
    // Within five minutes of the last run there is nothing new.
    if (seededUntil !== null && to <= from) return
    for (let first = 0; first < customerCount; first += customersPerBatch) {
      const daily: OfferedRow[] = []
      const realtime: OfferedRow[] = []
      for (let index = first; index < first + customersPerBatch; index += 1) {
        const history = customerHistory(seed, firstCustomer + index, { beginning, from, to })
        daily.push(...snapshotRows(history, from - snapshotDelay, to - snapshotDelay))
        const events = realtimeRows(history, from, to)
        realtime.push(...events)
        const last = events.at(-1)?.eventTimestamp ?? renewedAt.get(index) ?? Number.NEGATIVE_INFINITY
        if (last <= to - renewAfter) realtime.push(realtimeRow(history, to))
        renewedAt.set(index, last <= to - renewAfter ? to : last)
      }
      await writeRows(
        targets,
        views.daily,
        daily.map((row) => acceptRow(views.daily, row)),
      )
      await writeRows(
        targets,
        views.realtime,
        realtime.map((row) => acceptRow(views.realtime, row)),
      )
      if (seededUntil === null) progress(Math.min(first + customersPerBatch, customerCount), customerCount)
    }
    await client.query('update featuregraph.demo_projects set seeded_until = $2 where project = $1', [
      project,
      formatTimestamp(to),
    ])
  } finally {
    // Ends the session, and with it the lock, whatever state the connection is in.
    client.release(true)
  }
}

async function readMark(
  client: pg.PoolClient,
  project: string,
): Promise<{ readonly beginning: Micros; readonly seededUntil: Micros | null }> {
  const { rows } = await client.query<{ beginning: string; until: string | null }>(
    `select ${microsOf('history_from')} as beginning, ${microsOf('seeded_until')} as until
     from featuregraph.demo_projects where project = $1`,
    [project],
  )
  const [mark] = rows
  if (!mark) throw new DemoRefused(`project "${project}" does not carry the demo's mark`)
  return { beginning: Number(mark.beginning), seededUntil: mark.until === null ? null : Number(mark.until) }
}

async function emptyTables(client: pg.PoolClient, project: string, views: DemoViews): Promise<void> {
  await client.query(
    `truncate ${managedTable(project, views.daily)}, ${managedTable(project, views.realtime)}`,
  )
}
