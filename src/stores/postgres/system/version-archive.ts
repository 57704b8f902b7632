import type pg from 'pg'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { VersionArchive } from '../../version-archive.ts'
import type { StoredVersion } from '../../version-store.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { postgresVersionStore, versionsChannel } from './version-store.ts'

/** Takes versions into `featuregraph.registry_versions` as another home has them. */
export function postgresVersionArchive(pool: pg.Pool, project: string): VersionArchive {
  const { newest, read } = postgresVersionStore(pool, project)
  return {
    newest,
    read,
    async restore(versions) {
      return await inTransaction(pool, (client) => restoreAll(client, project, versions)).catch((error) => {
        if (error instanceof Taken) return false
        return storeFailed('restoring versions of the registry')(error)
      })
    },
  }
}

class Taken extends Error {}

async function restoreAll(
  client: pg.PoolClient,
  project: string,
  versions: readonly StoredVersion[],
): Promise<boolean> {
  await client.query('set local synchronous_commit = on')
  for (const one of versions) {
    const { rowCount } = await client.query(
      `insert into featuregraph.registry_versions
         (project, version, digest, format, content, changed_in, changes, applied_at, applied_by, message, program)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing`,
      [
        ...[project, one.version, one.digest, one.format, one.content, JSON.stringify(one.changedIn)],
        ...[one.changes, formatTimestamp(one.appliedAt), one.appliedBy, one.message, one.program],
      ],
    )
    if (rowCount === 0) throw new Taken()
  }
  await client.query('select pg_notify($1, $2)', [versionsChannel, project])
  return true
}
