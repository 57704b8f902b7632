import type pg from 'pg'
import { type ApplyLease, applyLeaseMs, type BeginOutcome, type NewApply } from '../../apply-lease.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { addVersion, readBegun } from './version-store.ts'

const leaseEnd = `clock_timestamp() + interval '${applyLeaseMs} milliseconds'`
const newestSql =
  'select coalesce(max(version), 0) as newest from featuregraph.registry_versions where project = $1'

/** A begun change to the same content keeps when it was begun, what it has done, and why, unless that is said anew. */
const beginSql = `insert into featuregraph.begun_applies as a
  (project, kind, base, digest, format, content, begun_by, message, begun_at, holder, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, featuregraph.moment(), $9, ${leaseEnd})
on conflict (project) do update set
  (kind, base, digest, format, content, begun_by, message, begun_at, done, holder, expires_at) = (
    select excluded.kind, excluded.base, excluded.digest, excluded.format, excluded.content, excluded.begun_by,
      case when s.same then coalesce(excluded.message, a.message) else excluded.message end,
      case when s.same then a.begun_at else excluded.begun_at end,
      case when s.same then a.done else '{}' end,
      excluded.holder, excluded.expires_at
    from (select a.kind = excluded.kind and a.base = excluded.base and a.digest = excluded.digest as same) as s)
where a.expires_at <= clock_timestamp() returning message`

/** The lease is the row of `featuregraph.begun_applies`. */
export function postgresApplyLease(pool: pg.Pool, project: string): ApplyLease {
  return {
    async begin(apply, holder) {
      for (;;) {
        const outcome = await inTransaction(pool, (client) => begin(client, project, apply, holder)).catch(
          (error: unknown): BeginOutcome => {
            if (error instanceof BaseMoved) return { status: 'MOVED' }
            return storeFailed('beginning an apply')(error)
          },
        )
        if (outcome !== null) return outcome
      }
    },

    async renew(holder, done) {
      const { rowCount } = await pool
        .query(
          `update featuregraph.begun_applies set expires_at = ${leaseEnd},
             done = case when $3::text is null or $3 = any (done) then done else done || $3 end
           where project = $1 and holder = $2`,
          [project, holder, done],
        )
        .catch(storeFailed('recording how far an apply is'))
      return rowCount === 1
    },

    async finish(holder, version) {
      return await inTransaction(pool, async (client) => {
        const { rowCount } = await client.query(
          'delete from featuregraph.begun_applies where project = $1 and holder = $2',
          [project, holder],
        )
        if (rowCount !== 1) return false
        if (version === null || (await addVersion(client, project, version))) return true
        // Its row stays, for the release to judge.
        throw new NumberTaken()
      }).catch((error: unknown) => {
        if (error instanceof NumberTaken) return false
        return storeFailed('recording a version of the registry')(error)
      })
    },

    async release(holder) {
      await inTransaction(pool, async (client) => {
        const ours = [project, holder]
        await client.query(
          `delete from featuregraph.begun_applies where project = $1 and holder = $2 and done = '{}'`,
          ours,
        )
        await client.query(
          'update featuregraph.begun_applies set expires_at = clock_timestamp() where project = $1 and holder = $2',
          ours,
        )
      }).catch(storeFailed('releasing the lease of an apply'))
    },
  }
}

class NumberTaken extends Error {}
class BaseMoved extends Error {}

/** On the connection's transaction, which is undone with what is thrown. Null: the other one has ended meanwhile. @throws BaseMoved */
async function begin(
  client: pg.PoolClient,
  project: string,
  { kind, base, digest, format, content, by, message }: NewApply,
  holder: string,
): Promise<BeginOutcome | null> {
  const began = await client.query<{ message: string | null }>(beginSql, [
    ...[project, kind, base, digest, format, content, by, message, holder],
  ])
  // A statement of its own: the one above may have waited for the end of a change that made a version, which it does not see.
  const { rows } = await client.query<{ newest: number }>(newestSql, [project])
  if (rows[0]?.newest !== base) throw new BaseMoved()
  const [ours] = began.rows
  if (ours) return { status: 'BEGUN', message: ours.message }
  const begun = await readBegun(client, project)
  return begun?.isHeld ? { status: 'BUSY', begun } : null
}
