import { readConfig, readEnvironment } from '../config/read-config.ts'
import { openPostgres } from '../gateway/open-postgres.ts'
import { systemClock } from '../gateway/system-clock.ts'
import type { EstimateStores } from '../registry/versions/estimate.ts'
import { postgresRunStore } from '../stores/postgres/system/run-store.ts'
import { postgresVersionStore } from '../stores/postgres/system/version-store.ts'
import { postgresStoredAmounts } from '../stores/postgres/windows/stored-amounts.ts'
import type { VersionStore } from '../stores/version-store.ts'
import { commandLog } from './command-log.ts'

export interface OpenVersions {
  readonly versions: VersionStore
  /** What is stored and how fast it was computed; null for a file, which holds definitions alone. */
  readonly estimates: EstimateStores | null
  /** What messages call it, as `project default` or the file's path. */
  readonly called: string
}

/**
 * The registry's versions, of the database that the settings name, or, by `--registry`, of a file that `featuregraph registry
 * export` wrote, without any server; closed again whatever happens.
 */
export async function withVersions<Result>(
  registryFile: string | undefined,
  work: (opened: OpenVersions) => Promise<Result>,
): Promise<Result> {
  if (registryFile !== undefined) {
    const { openRegistryFile } = await import('../stores/sqlite/version-store.ts')
    const { versions, close } = openRegistryFile(registryFile, 'READ', systemClock)
    try {
      return await work({ versions, estimates: null, called: registryFile })
    } finally {
      close()
    }
  }
  const config = readConfig(readEnvironment())
  const { project } = config
  const { system, close } = await openPostgres(config, commandLog(config.logLevel))
  try {
    return await work({
      versions: postgresVersionStore(system, project),
      estimates: {
        amounts: postgresStoredAmounts(system, project),
        runs: postgresRunStore(system, project),
      },
      called: `project ${project}`,
    })
  } finally {
    await close()
  }
}
