import type pg from 'pg'
import { z } from 'zod'
import {
  type BegunJob,
  type ClaimedJob,
  jobLeaseMs,
  type MadePart,
  maxAttempts,
  type TrainingJobQueue,
} from '../../training-job-queue.ts'
import { microsOf } from '../sql/column-type.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { readSet, setColumns } from './training-set-row.ts'

const leaseEnd = `clock_timestamp() + interval '${jobLeaseMs} milliseconds'`
/** Of a job's own attempt: one that took over has written another holder. */
const own = `project = $1 and id = $2 and holder = $3 and state = 'RUNNING'`

const givenUp = `its process ended ${maxAttempts} times before a part was finished; the log of the gateway has more, and TRAINING_SET_PART_ROWS makes smaller parts`

/** Two gateways never wait for each other: a row that one is about to take is passed over. */
const waiting = `select id, attempts from featuregraph.training_sets
where project = $1 and (state = 'QUEUED' or state = 'RUNNING' and held_until < clock_timestamp())
order by created_at, id limit 1 for update skip locked`

export function postgresTrainingJobQueue(pool: pg.Pool, project: string): TrainingJobQueue {
  const ours = ({ id, holder }: ClaimedJob): readonly unknown[] => [project, id, holder]

  return {
    async claim(holder) {
      return await inTransaction(pool, async (client) => {
        for (;;) {
          const { rows } = await client.query<{ id: string; attempts: number }>(waiting, [project])
          const [found] = rows
          if (!found) return null
          if (found.attempts < maxAttempts) {
            await client.query(
              `update featuregraph.training_sets set state = 'RUNNING', holder = $3, held_until = ${leaseEnd},
                 attempts = attempts + 1, started_at = coalesce(started_at, featuregraph.moment())
               where project = $1 and id = $2`,
              [project, found.id, holder],
            )
            return { id: found.id, holder }
          }
          await end(client, [project, found.id], 'UNAVAILABLE', givenUp)
        }
      }).catch(storeFailed('claiming a training set'))
    },

    async begin(job, { partRows, storedSince }) {
      return await inTransaction(pool, async (client) => {
        const { rowCount } = await client.query(
          `update featuregraph.training_sets set held_until = ${leaseEnd},
             visible = coalesce(visible, pg_current_snapshot()::text),
             taken_at = coalesce(taken_at, featuregraph.moment()), part_rows = coalesce(part_rows, $4),
             stored_since = coalesce(stored_since, $5)
           where ${own}`,
          [...ours(job), partRows, JSON.stringify([...storedSince])],
        )
        return rowCount === 1 ? await readBegun(client, project, job.id) : null
      }).catch(storeFailed('beginning a training set'))
    },

    async renew(job, progress) {
      const { rowCount } = await pool
        .query(
          `update featuregraph.training_sets set held_until = ${leaseEnd}, progress = greatest(progress, $4) where ${own}`,
          [...ours(job), progress],
        )
        .catch(storeFailed('recording how far a training set is'))
      return rowCount === 1
    },

    async addPart(job, { part, file, rows, bytes, sha256, made }) {
      return await inTransaction(pool, async (client) => {
        const { rowCount } = await client.query(
          `update featuregraph.training_sets set held_until = ${leaseEnd}, attempts = 0 where ${own}`,
          [...ours(job)],
        )
        if (rowCount !== 1) return false
        await client.query(
          `insert into featuregraph.training_set_parts (project, set_id, part, file, row_count, bytes, sha256, made)
           values ($1, $2, $3, $4, $5, $6, $7, $8)
           on conflict (project, set_id, part) do update set file = excluded.file, row_count = excluded.row_count,
             bytes = excluded.bytes, sha256 = excluded.sha256, made = excluded.made`,
          [project, job.id, part, file, rows, bytes, sha256, JSON.stringify(made)],
        )
        return true
      }).catch(storeFailed('recording a part of a training set'))
    },

    async succeed(job, { bytes, sha256 }) {
      return await inTransaction(pool, async (client) => {
        const { rowCount } = await client.query(
          `update featuregraph.training_sets set state = 'SUCCEEDED', progress = 1, finished_at = featuregraph.moment(),
             held_until = null, card_bytes = $4, card_sha256 = $5
           where ${own}`,
          [...ours(job), bytes, sha256],
        )
        if (rowCount === 1) await addRun(client, project, job.id)
        return rowCount === 1
      }).catch(storeFailed('recording that a training set is done'))
    },

    async fail(job, code, message) {
      return await inTransaction(pool, async (client) => {
        const { rowCount } = await client.query(
          `select from featuregraph.training_sets where ${own} for update`,
          [...ours(job)],
        )
        if (rowCount === 1) await end(client, [project, job.id], code, message)
        return rowCount === 1
      }).catch(storeFailed('recording that a training set failed'))
    },

    async release(job) {
      await pool
        .query(
          `update featuregraph.training_sets set state = 'QUEUED', holder = null, held_until = null,
             attempts = greatest(attempts - 1, 0)
           where ${own}`,
          [...ours(job)],
        )
        .catch(storeFailed('releasing a training set'))
    },
  }
}

async function end(
  client: pg.PoolClient,
  [project, id]: readonly [project: string, id: string],
  code: string,
  message: string,
): Promise<void> {
  await client.query(
    `update featuregraph.training_sets set state = 'FAILED', finished_at = featuregraph.moment(), held_until = null,
       error_code = $3, error = $4
     where project = $1 and id = $2`,
    [project, id, code, message],
  )
  await addRun(client, project, id)
  await client.query('delete from featuregraph.training_set_parts where project = $1 and set_id = $2', [
    project,
    id,
  ])
}

/** A run is recorded once it has ended: while it runs, the set itself says how far it is. */
async function addRun(client: pg.PoolClient, project: string, id: string): Promise<void> {
  await client.query(
    `insert into featuregraph.runs
       (project, kind, view, as_of, state, started_at, finished_at, rows_read, rows_written, error)
     select project, 'TRAINING_SET', null, taken_at, state, started_at, finished_at,
       (spine->>'rows')::bigint, (select sum(row_count) from featuregraph.training_set_parts as p
         where p.project = s.project and p.set_id = s.id), error
     from featuregraph.training_sets as s where project = $1 and id = $2`,
    [project, id],
  )
}

const storedSince = z.array(z.tuple([z.string(), z.number()]))

async function readBegun(client: pg.PoolClient, project: string, id: string): Promise<BegunJob | null> {
  const { rows } = await client.query(
    `select ${setColumns}, s.visible, ${microsOf('s.taken_at')} as "takenAt", s.part_rows as "partRows",
       s.stored_since as "storedSince"
     from featuregraph.training_sets as s where s.project = $1 and s.id = $2`,
    [project, id],
  )
  const made = await client.query<{ part: number; made: unknown }>(
    'select part, made from featuregraph.training_set_parts where project = $1 and set_id = $2 order by part',
    [project, id],
  )
  const [row] = rows
  if (row === undefined) return null
  const set = readSet(row)
  const parts = set.parts.map((one): MadePart => {
    const found = made.rows.find(({ part }) => part === one.part)
    return { ...one, made: found?.made }
  })
  return {
    ...{ set, parts, visible: String(row.visible) },
    ...{ takenAt: Number(row.takenAt), partRows: Number(row.partRows) },
    storedSince: new Map(storedSince.parse(row.storedSince)),
  }
}
