import type pg from 'pg'
import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import { DemoRefused } from '../errors.ts'
import { microsOf } from '../stores/postgres/sql/column-type.ts'
import { featureSchema } from '../stores/postgres/tables/feature-table.ts'
import { dayMicros } from './transactions.ts'

export const demoSeed = 20_260_101
/** So long that the last two months began within it. */
const historyDays = 70

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
    [project, demoSeed, formatTimestamp(Math.floor(now / dayMicros) * dayMicros - historyDays * dayMicros)],
  )
}

/** How far the demo's transactions are made. */
export interface DemoMark {
  readonly beginning: Micros
  readonly seededUntil: Micros | null
  /** Later than `seededUntil` while a span is being made, and after that was interrupted. */
  readonly seedingUntil: Micros | null
}

export async function readMark(client: pg.ClientBase, project: string): Promise<DemoMark> {
  const { rows } = await client.query<{ beginning: string; seeded: string | null; seeding: string | null }>(
    `select ${microsOf('history_from')} as beginning, ${microsOf('seeded_until')} as seeded,
       ${microsOf('seeding_until')} as seeding
     from featuregraph.demo_projects where project = $1`,
    [project],
  )
  const [mark] = rows
  if (!mark) throw new DemoRefused(`project "${project}" does not have the demo's mark`)
  const micros = (text: string | null): Micros | null => (text === null ? null : Number(text))
  return {
    beginning: Number(mark.beginning),
    seededUntil: micros(mark.seeded),
    seedingUntil: micros(mark.seeding),
  }
}

export async function setMark(
  client: pg.ClientBase,
  project: string,
  column: 'seeding_until' | 'seeded_until',
  time: Micros,
): Promise<void> {
  await client.query(`update featuregraph.demo_projects set ${column} = $2 where project = $1`, [
    project,
    formatTimestamp(time),
  ])
}

/** One gateway of the project at a time does the work; others wait. */
export async function withDemoLock<Result>(
  system: pg.Pool,
  project: string,
  work: 'transactions' | 'snapshots',
  done: (client: pg.ClientBase) => Promise<Result>,
): Promise<Result> {
  const client = await system.connect()
  const lock = [`featuregraph demo ${work} ${project}`]
  try {
    await client.query('select pg_advisory_lock(hashtextextended($1, 0))', lock)
    const result = await done(client)
    await client.query('select pg_advisory_unlock(hashtextextended($1, 0))', lock)
    client.release()
    return result
  } catch (error) {
    // Ends the session, and with it the lock, whatever state the connection is in.
    client.release(true)
    throw error
  }
}
