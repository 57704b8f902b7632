import type pg from 'pg'
import type { OnlineLeftovers } from '../../online-leftovers.ts'
import { storeFailed } from '../sql/pool.ts'

export function postgresOnlineLeftovers(pool: pg.Pool, project: string): OnlineLeftovers {
  return {
    async list() {
      const { rows } = await pool
        .query<{ key_prefix: string }>(
          `select key_prefix from featuregraph.online_leftovers
           where project = $1 and retired_at < now() - interval '1 minute' order by retired_at`,
          [project],
        )
        .catch(storeFailed('reading the leftovers of the online store'))
      return rows.map((row) => row.key_prefix)
    },
    async forget(prefix) {
      await pool
        .query('delete from featuregraph.online_leftovers where project = $1 and key_prefix = $2', [
          project,
          prefix,
        ])
        .catch(storeFailed('forgetting leftovers of the online store'))
    },
  }
}
