import { readConfig, readEnvironment } from '../config/read-config.ts'
import { openPostgres } from '../gateway/open-postgres.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { copyVersions } from '../registry/versions/copy-versions.ts'
import { servedVersion } from '../registry/versions/served-version.ts'
import { postgresOfflineStore } from '../stores/postgres/features/offline-store.ts'
import { postgresVersionArchive } from '../stores/postgres/system/version-archive.ts'
import { openRegistryFile } from '../stores/sqlite/version-store.ts'
import type { VersionArchive } from '../stores/version-archive.ts'
import { commandLog } from './command-log.ts'

/** `featuregraph registry export`: all versions into a file, or those that it lacks. */
export async function exportRegistry(file: string): Promise<void> {
  await withBoth(file, 'WRITE', async ({ ofProject, ofFile, project }) => {
    const { copied, newest } = await copyVersions(ofProject, ofFile, { from: project, to: file })
    process.stdout.write(`${file}: ${shown(copied)} written; it ends at version ${newest}\n`)
  })
}

/** `featuregraph registry import`: versions that the project lacks, with their numbers; the newest is current then. */
export async function importRegistry(file: string): Promise<void> {
  await withBoth(file, 'READ', async ({ ofProject, ofFile, project }) => {
    const { copied, newest } = await copyVersions(ofFile, ofProject, { from: file, to: project })
    process.stdout.write(`${project}: ${shown(copied)} imported; version ${newest} is current\n`)
  })
}

function shown(count: number): string {
  return count === 1 ? '1 version' : `${count} versions`
}

interface Homes {
  readonly ofProject: VersionArchive
  readonly ofFile: VersionArchive
  /** What messages call it. */
  readonly project: string
}

async function withBoth(
  file: string,
  mode: 'READ' | 'WRITE',
  work: (homes: Homes) => Promise<void>,
): Promise<void> {
  const config = readConfig(readEnvironment())
  const { versions: ofFile, close: closeFile } = openRegistryFile(file, mode, systemClock)
  try {
    const { system, close } = await openPostgres(config, commandLog(config.logLevel))
    try {
      const archive = postgresVersionArchive(system, config.project)
      const tables = postgresOfflineStore(system, {
        ...{ project: config.project, unboundedPool: system, countNonFinite: () => {} },
      })
      const ofProject: VersionArchive = {
        ...archive,
        async restore(versions) {
          // What the newest one needs is there before it is current.
          const newest = versions.at(-1)
          if (newest) {
            const { registry } = servedVersion(newest)
            await tables.ensureTables(registry.views, registry.eventSources)
          }
          return await archive.restore(versions)
        },
      }
      await work({ ofProject, ofFile, project: `project ${config.project}` })
    } finally {
      await close()
    }
  } finally {
    closeFile()
  }
}
