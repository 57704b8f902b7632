import pg from 'pg'
import { z } from 'zod'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import { Cancelled, messageOf, StoreFailed } from '../../../errors.ts'
import { type Run, type RunFilter, type RunStore, runKinds, runStates } from '../../run-store.ts'
import { microsOf } from '../sql/column-type.ts'
import { storeFailed } from '../sql/pool.ts'

/** Of the lock that stands for a run as long as its process lives: `r` is its row. */
const lockOf = `hashtextextended('featuregraph run ' || r.project || ' ' || r.kind || ' ' || coalesce(r.view, ''), 0)`

/**
 * The lock is looked at live, the row in a snapshot; a run that ends in between is not hit, since an update looks at
 * the newest version of a row that another has changed.
 */
const interruptSql = `update featuregraph.runs as r set state = 'INTERRUPTED', error = 'its process ended before it did'
where r.project = $1 and r.state = 'RUNNING' and not exists (
  select from pg_locks as l where l.locktype = 'advisory' and l.granted and l.objsubid = 1
    and l.database = (select oid from pg_database where datname = current_database())
    and (l.classid::bigint << 32 | l.objid::bigint) = ${lockOf}
)`

/** Under the lock no other run of the kind and view can be running. */
const takeOverSql = `update featuregraph.runs set state = 'INTERRUPTED', error = 'its process ended before it did'
where project = $1 and kind = $2 and view is not distinct from $3 and state = 'RUNNING'`

const progressMs = 1_000

const runRow = z.object({
  id: z.string(),
  kind: z.enum(runKinds),
  view: z.string().nullable(),
  asOf: z.coerce.number().nullable(),
  state: z.enum(runStates),
  startedAt: z.coerce.number(),
  finishedAt: z.coerce.number().nullable(),
  rowsRead: z.coerce.number().nullable(),
  rowsWritten: z.coerce.number().nullable(),
  error: z.string().nullable(),
})

/**
 * Runs and watermarks in the system tables. A run holds a session's advisory lock on a connection of its own, so that
 * the server frees it when the process ends, however that ends; a pooler between must not share sessions.
 */
export function postgresRunStore(pool: pg.Pool, project: string): RunStore {
  return {
    async withRun(subject, { now, onWait }, work) {
      const { kind, view, asOf } = subject
      const lock = await takeLock(pool, { project, kind, view }, onWait).catch(storeFailed('locking a run'))
      try {
        await pool.query(takeOverSql, [project, kind, view]).catch(storeFailed('recording a run'))
        const { rows } = await pool
          .query<{ id: string }>(
            `insert into featuregraph.runs (project, kind, view, as_of, state, started_at)
             values ($1, $2, $3, $4, 'RUNNING', $5) returning id`,
            [project, kind, view, timestamp(asOf), timestamp(now())],
          )
          .catch(storeFailed('recording a run'))
        let reportedAt = performance.now()
        const finish = (state: string, read: number | null, written: number | null, error: string | null) =>
          pool
            .query(
              `update featuregraph.runs set state = $2, finished_at = $3, rows_read = $4, rows_written = $5, error = $6
               where id = $1`,
              [rows[0]?.id, state, timestamp(now()), read, written, error],
            )
            .catch(storeFailed("recording a run's outcome"))
        const progress = (rowsRead: number): void => {
          if (performance.now() - reportedAt < progressMs) return
          reportedAt = performance.now()
          // The next one says more.
          pool
            .query('update featuregraph.runs set rows_read = $2 where id = $1 and state = $3', [
              rows[0]?.id,
              rowsRead,
              'RUNNING',
            ])
            .catch(() => {})
        }
        const { outcome, result } = await work(progress).catch(async (error: unknown) => {
          const state = error instanceof Cancelled ? 'CANCELLED' : 'FAILED'
          await finish(state, null, null, messageOf(error)).catch(() => {})
          throw error
        })
        await finish(outcome.state, outcome.rowsRead, outcome.rowsWritten, outcome.error)
        return result
      } finally {
        await lock.end().catch(() => {})
      }
    },

    async runs(filter) {
      await pool.query(interruptSql, [project]).catch(storeFailed('recording interrupted runs'))
      return readRuns(pool, project, filter).catch(storeFailed('reading runs'))
    },

    async readWatermark(view) {
      const { rows } = await pool
        .query<WatermarkRow>(
          `select w.snapshot_xmin::text, ${microsOf('w.carried_until')} as carried_until, w.system_identifier, w.marker,
             w.definition, w.filling, w.files
           from featuregraph.watermarks as w
           join featuregraph.views as v on v.project = w.project and v.id = w.view_id
           where w.project = $1 and v.name = $2`,
          [project, view],
        )
        .catch(storeFailed('reading a watermark'))
      const row = rows[0]
      if (!row) return null
      return {
        snapshotXmin: row.snapshot_xmin,
        materializedUntil: Number(row.carried_until),
        systemIdentifier: row.system_identifier,
        marker: row.marker,
        definition: row.definition,
        filling: row.filling,
        files: row.files,
      }
    },

    async announceMarker(view, marker) {
      await pool
        .query(
          `update featuregraph.watermarks as w set next_marker = $3 from featuregraph.views as v
           where w.project = $1 and v.project = w.project and v.id = w.view_id and v.name = $2`,
          [project, view, marker],
        )
        .catch(storeFailed('announcing a marker'))
    },

    async beginFilling(view, definition) {
      await pool
        .query(
          `update featuregraph.watermarks as w set filling = $3 from featuregraph.views as v
           where w.project = $1 and v.project = w.project and v.id = w.view_id and v.name = $2`,
          [project, view, definition],
        )
        .catch(storeFailed('recording a definition'))
    },

    async moveWatermark(view, watermark) {
      const { rowCount } = await pool
        .query(
          `insert into featuregraph.watermarks (project, view_id, snapshot_xmin, carried_until, system_identifier, marker,
             definition, filling, files)
           select v.project, v.id, $3::xid8, $4::timestamptz, $5, $6, $7, $8, $9::text[] from featuregraph.views as v
           where v.project = $1 and v.name = $2
           on conflict (project, view_id) do update set snapshot_xmin = excluded.snapshot_xmin,
             carried_until = excluded.carried_until, system_identifier = excluded.system_identifier, marker = excluded.marker,
             next_marker = null, definition = excluded.definition, filling = excluded.filling, files = excluded.files`,
          [
            project,
            view,
            watermark.snapshotXmin,
            timestamp(watermark.materializedUntil),
            watermark.systemIdentifier,
            watermark.marker,
            watermark.definition,
            watermark.filling,
            watermark.files,
          ],
        )
        .catch(storeFailed('moving a watermark'))
      if (rowCount !== 1) throw new StoreFailed(`feature view ${view} has not been recorded`)
    },
  }
}

interface WatermarkRow {
  readonly snapshot_xmin: string
  readonly carried_until: string
  readonly system_identifier: string
  readonly marker: string
  readonly definition: string | null
  readonly filling: string | null
  readonly files: readonly string[] | null
}

interface LockSubject {
  readonly project: string
  readonly kind: string
  readonly view: string | null
}

async function takeLock(
  pool: pg.Pool,
  { project, kind, view }: LockSubject,
  onWait: () => void,
): Promise<pg.Client> {
  const client = new pg.Client(pool.options)
  client.on('error', () => {})
  try {
    await client.connect()
    const from = 'from (values ($1::text, $2::text, $3::text)) as r(project, kind, view)'
    const values = [project, kind, view]
    const { rows } = await client.query<{ taken: boolean }>(
      `select pg_try_advisory_lock(${lockOf}) as taken ${from}`,
      values,
    )
    if (rows[0]?.taken !== true) {
      onWait()
      await client.query(`select pg_advisory_lock(${lockOf}) ${from}`, values)
    }
    return client
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
}

async function readRuns(
  pool: pg.Pool,
  project: string,
  { kind, view, since, first, after }: RunFilter,
): Promise<readonly Run[]> {
  const { rows } = await pool.query(
    `select id, kind, view, ${microsOf('as_of')} as "asOf", state, ${microsOf('started_at')} as "startedAt",
       ${microsOf('finished_at')} as "finishedAt", rows_read as "rowsRead", rows_written as "rowsWritten", error
     from featuregraph.runs
     where project = $1 and ($2::text is null or kind = $2) and ($3::text is null or view = $3)
       and ($4::timestamptz is null or started_at >= $4)
       and ($5::timestamptz is null or (started_at, id) < ($5, $6::uuid))
     order by started_at desc, id desc
     limit $7`,
    [project, kind, view, timestamp(since), timestamp(after?.startedAt ?? null), after?.id ?? null, first],
  )
  return rows.map((row) => runRow.parse(row))
}

function timestamp(micros: Micros | null): string | null {
  return micros === null ? null : formatTimestamp(micros)
}
