import type pg from 'pg'
import { z } from 'zod'
import type {
  AppliedVersion,
  BegunApply,
  NewVersion,
  StoredVersion,
  VersionStore,
} from '../../version-store.ts'
import { microsOf } from '../sql/column-type.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'

/** Where processes listen for new versions; the payload is the project. A poll each second is the rule, this shortens it. */
export const versionsChannel = 'featuregraph_versions'

const shown = `version, digest, ${microsOf('applied_at')} as "appliedAt", applied_by as "appliedBy", message, changes, program`
const stored = `${shown}, format, content::text as content, changed_in as "changedIn"`
const changedIn = z.record(z.string(), z.number())

type Row = Omit<AppliedVersion, 'appliedAt'> & { readonly appliedAt: string }
type StoredRow = Row & Pick<StoredVersion, 'format' | 'content'> & { readonly changedIn: unknown }

/** The registry's versions in `featuregraph.registry_versions`. */
export function postgresVersionStore(pool: pg.Pool, project: string): VersionStore {
  return {
    async newest() {
      const { rows } = await pool
        .query<{ version: number }>(
          'select coalesce(max(version), 0) as version from featuregraph.registry_versions where project = $1',
          [project],
        )
        .catch(storeFailed("reading the registry's version"))
      return rows[0]?.version ?? 0
    },

    async read(version) {
      const { rows } = await pool
        .query<StoredRow>(
          `select ${stored} from featuregraph.registry_versions where project = $1 and version = $2`,
          [project, version],
        )
        .catch(storeFailed('reading a version of the registry'))
      const [row] = rows
      return row
        ? { ...row, appliedAt: Number(row.appliedAt), changedIn: changedIn.parse(row.changedIn) }
        : null
    },

    async list(before, first) {
      const { rows } = await pool
        .query<Row>(
          `select ${shown} from featuregraph.registry_versions
           where project = $1 and ($2::integer is null or version < $2) order by version desc limit $3`,
          [project, before, first],
        )
        .catch(storeFailed("listing the registry's versions"))
      return rows.map((row) => ({ ...row, appliedAt: Number(row.appliedAt) }))
    },

    begun: () => readBegun(pool, project).catch(storeFailed('reading what was begun in the registry')),

    async add(added) {
      return await inTransaction(pool, (client) => addVersion(client, project, added)).catch(
        storeFailed('recording a version of the registry'),
      )
    },
  }
}

const begunColumns = `kind, base, digest, format, content::text as content, begun_by as by, message,
  ${microsOf('begun_at')} as "begunAt", done, ${microsOf('expires_at')} as "expiresAt",
  expires_at > clock_timestamp() as "isHeld"`

export async function readBegun(
  client: pg.Pool | pg.PoolClient,
  project: string,
): Promise<BegunApply | null> {
  type BegunRow = Omit<BegunApply, 'begunAt' | 'expiresAt'> & Record<'begunAt' | 'expiresAt', string>
  const { rows } = await client.query<BegunRow>(
    `select ${begunColumns} from featuregraph.begun_applies where project = $1`,
    [project],
  )
  const [row] = rows
  return row ? { ...row, begunAt: Number(row.begunAt), expiresAt: Number(row.expiresAt) } : null
}

/** On the connection's transaction. See `VersionStore.add`. */
export async function addVersion(
  client: pg.PoolClient,
  project: string,
  added: NewVersion,
): Promise<boolean> {
  await client.query('set local synchronous_commit = on')
  const { version, digest, format, content, changedIn: changed, changes, appliedBy, message, program } = added
  const { rowCount } = await client.query(
    `insert into featuregraph.registry_versions
       (project, version, digest, format, content, changed_in, changes, applied_at, applied_by, message, program)
     values ($1, $2, $3, $4, $5, $6, $7, featuregraph.moment(), $8, $9, $10) on conflict do nothing`,
    [
      project,
      version,
      digest,
      format,
      content,
      JSON.stringify(changed),
      changes,
      appliedBy,
      message,
      program,
    ],
  )
  if (rowCount === 0) return false
  await client.query('select pg_notify($1, $2)', [versionsChannel, project])
  return true
}
