import { loadDefinitions } from '../../src/registry/load.ts'
import { applyDefinitions } from '../../src/registry/versions/apply.ts'
import type { ServedVersion } from '../../src/registry/versions/served-version.ts'
import { postgresApplyLease } from '../../src/stores/postgres/system/apply-lease.ts'
import { postgresVersionStore } from '../../src/stores/postgres/system/version-store.ts'
import { postgresTableChanges } from '../../src/stores/postgres/tables/table-changes.ts'
import { testPool } from './test-pool.ts'

export interface ApplySettings {
  /** Of a database that has the migrations. */
  readonly OFFLINE_URL: string
  readonly PROJECT: string
  /** A folder is read once a run: other definitions need another one. */
  readonly SCHEMA: string
}

/** Makes a folder's definitions the project's newest version, as `featuregraph apply` does with these settings. */
export async function applyFolder({
  OFFLINE_URL: offlineUrl,
  PROJECT: project,
  SCHEMA,
}: ApplySettings): Promise<ServedVersion> {
  const { definitions, unloaded } = await loadDefinitions(SCHEMA)
  if (unloaded.length > 0) throw new Error(unloaded.map(({ message }) => message).join('\n'))
  const pool = testPool(offlineUrl, 2, null)
  try {
    const options = { by: 'test', message: null, program: 'test' }
    return await applyDefinitions(
      {
        versions: postgresVersionStore(pool, project),
        applies: postgresApplyLease(pool, project),
        tables: postgresTableChanges(pool, project),
      },
      definitions,
      { ...options, allowBreaking: true },
    )
  } finally {
    await pool.end()
  }
}
