import type pg from 'pg'
import { z } from 'zod'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import { fileFormats } from '../../file-reader.ts'
import type { SpineStore } from '../../spine-store.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'

export const spineRow = z.object({
  id: z.string(),
  owner: z.string(),
  format: z.enum(fileFormats),
  rows: z.coerce.number(),
  columns: z.array(z.string()),
  bytes: z.coerce.number(),
  sha256: z.string(),
})

const heldSql = `select
  (select coalesce(sum(bytes), 0) from featuregraph.spines where project = $1 and owner = $2)
  + (select coalesce(sum(p.bytes), 0) from featuregraph.training_set_parts as p
     join featuregraph.training_sets as s on s.project = p.project and s.id = p.set_id
     where s.project = $1 and s.owner = $2) as held`

export function postgresSpineStore(pool: pg.Pool, project: string): SpineStore {
  return {
    async add({ id, owner, format, rows, columns, bytes, sha256 }, maxHeldBytes) {
      return await inTransaction(pool, async (client) => {
        // One after the other, of each owner: what is held is counted with those that were added just before.
        await client.query('select pg_advisory_xact_lock(hashtext($1))', [
          `featuregraph spines ${JSON.stringify([project, owner])}`,
        ])
        const { rowCount } = await client.query(
          `insert into featuregraph.spines (project, owner, id, format, row_count, columns, bytes, sha256, created_at)
           select $1, $2, $3, $4, $5, $6, $7::bigint, $8, featuregraph.moment() from (${heldSql}) as h
           where h.held + $7::bigint <= $9::bigint`,
          [project, owner, id, format, rows, columns, bytes, sha256, maxHeldBytes],
        )
        return rowCount === 1
      }).catch(storeFailed('recording a spine'))
    },

    async find(id) {
      const { rows } = await pool
        .query(
          `select id, owner, format, row_count as rows, columns, bytes, sha256 from featuregraph.spines
           where project = $1 and id = $2`,
          [project, id],
        )
        .catch(storeFailed('reading a spine'))
      return rows[0] === undefined ? null : spineRow.parse(rows[0])
    },

    async heldBytes(owner) {
      const { rows } = await pool
        .query<{ held: string }>(heldSql, [project, owner])
        .catch(storeFailed('counting the bytes of a key'))
      return Number(rows[0]?.held)
    },

    async expire(before) {
      await pool
        .query(
          `delete from featuregraph.spines as p where project = $1 and created_at < $2 and not exists (
             select from featuregraph.training_sets as s
             where s.project = p.project and s.spine_id = p.id and s.state in ('QUEUED', 'RUNNING'))`,
          [project, formatTimestamp(before)],
        )
        .catch(storeFailed('removing old spines'))
    },

    async known(ids) {
      const { rows } = await pool
        .query<{ id: string }>(
          'select id from featuregraph.spines where project = $1 and id = any ($2::uuid[])',
          [project, ids],
        )
        .catch(storeFailed('reading spines'))
      return new Set(rows.map(({ id }) => id))
    },
  }
}
