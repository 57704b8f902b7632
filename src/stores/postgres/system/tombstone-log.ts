import type pg from 'pg'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { TombstoneLog } from '../../tombstone-log.ts'
import { microsOf } from '../sql/column-type.ts'
import { storeFailed } from '../sql/pool.ts'

const dropSql = `delete from featuregraph.online_tombstones as t
where t.project = $1 and t.recorded_at < now() - interval '1 hour' and not exists (
  select from featuregraph.watermarks as w
  where w.project = t.project and w.view_id = t.view_id and w.carried_until <= t.recorded_at)`

const recordSql = `insert into featuregraph.online_tombstones as o (project, key, view_id, deleted_at, expire_after_micros)
select distinct on (key) $1, key, view_id, deleted_at, expire_after
from unnest($2::text[], $3::text[], $4::timestamptz[], $5::bigint[]) as t(key, view_id, deleted_at, expire_after)
on conflict (project, key) do update set deleted_at = greatest(o.deleted_at, excluded.deleted_at), recorded_at = now()`

export function postgresTombstoneLog(pool: pg.Pool, project: string): TombstoneLog {
  return {
    async record(tombstones) {
      if (tombstones.length === 0) return
      await pool
        .query(recordSql, [
          project,
          tombstones.map(({ key }) => key),
          tombstones.map(({ viewId }) => viewId),
          tombstones.map(({ deletedAt }) => formatTimestamp(deletedAt)),
          tombstones.map(({ expireAfterMicros }) => expireAfterMicros),
        ])
        .catch(storeFailed('recording tombstones'))
    },
    async dropOld() {
      await pool.query(dropSql, [project]).catch(storeFailed('dropping old tombstones'))
    },
    async list() {
      const { rows } = await pool
        .query<{ key: string; view_id: string; deleted_at: string; expire_after_micros: string | null }>(
          `select key, view_id, ${microsOf('deleted_at')} as deleted_at, expire_after_micros
           from featuregraph.online_tombstones where project = $1`,
          [project],
        )
        .catch(storeFailed('reading tombstones'))
      return rows.map((row) => ({
        key: row.key,
        viewId: row.view_id,
        deletedAt: Number(row.deleted_at),
        expireAfterMicros: row.expire_after_micros === null ? null : Number(row.expire_after_micros),
      }))
    },
  }
}
