import { rm } from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../config/config.ts'
import { successFile } from '../ingest/export/manifest.ts'
import type { EngineTargets } from '../ingest/snapshots/compute-by-engine.ts'
import { openFolderSnapshots } from '../ingest/snapshots/folder-snapshots.ts'
import type { BatchView } from '../registry/registry.ts'
import { duckDbHeldSnapshots } from '../stores/duckdb/lake/held-snapshots.ts'
import { duckDbPartFiles } from '../stores/duckdb/part-files.ts'
import { duckDbSnapshotFiles } from '../stores/duckdb/snapshot-files.ts'
import { isLocal } from '../stores/engine-run/output-folder.ts'
import type { ExportFolder } from '../stores/export-files.ts'
import { resultFolders } from '../stores/files/result-folders.ts'
import { isObjectUrl } from '../stores/lake-access.ts'
import { exportFolder } from './export-folder.ts'
import { systemClock } from './system-clock.ts'

type FolderSettings = Pick<Config, 'lake' | 'duckDbMemory'>
type Given = Pick<EngineTargets, 'engine' | 'events' | 'violations'> & {
  readonly storedSince: EngineTargets['snapshots']['storedSince']
}

/** The folder, where this process reaches it and not the engine alone; else null. */
export function reachedFolder(place: string, { lake }: FolderSettings): ExportFolder | null {
  return isLocal(place) || isObjectUrl(place) ? exportFolder(place, lake) : null
}

/** Whether snapshots stand there: their whole runs, to which others are added. */
export async function holdsSnapshots(folder: ExportFolder): Promise<boolean> {
  return (await folder.list()).includes(successFile)
}

/** In the folder itself, which the engine's machines reach under this path; readers pass over it. */
const computedFolder = '_computed'

/**
 * What adds an engine's snapshots to those of a folder; `close` at its end.
 * @throws BadUserInput, OtherDefinitions for a folder that holds something else.
 */
export async function folderTargets(
  folder: ExportFolder,
  view: BatchView,
  { lake, duckDbMemory: memoryLimit }: FolderSettings,
  { storedSince, ...given }: Given,
): Promise<EngineTargets & { readonly close: () => Promise<void> }> {
  const held = duckDbHeldSnapshots({ memoryLimit, lake })
  const close = async (): Promise<void> => {
    await held.close()
    await folder.close()
  }
  try {
    const parts = { folder, held, partFiles: duckDbPartFiles(lake), clock: systemClock }
    const { snapshots, clock } = await openFolderSnapshots({ ...parts, violations: given.violations }, view)
    return {
      ...{ ...given, clock, close },
      // A folder knows of no arrivals: none of its snapshots is ever stale.
      snapshots: {
        ...{ ...snapshots, storedSince },
        arrivals: async () => ({ snapshotXmin: '0', systemIdentifier: '' }),
      },
      runs: { withRun: async (_subject, _options, work) => (await work(() => {})).result },
      files: duckDbSnapshotFiles({ memoryLimit, lake }),
      results: resultsIn(folder),
    }
  } catch (error) {
    await close()
    throw error
  }
}

function resultsIn(folder: ExportFolder): EngineTargets['results'] {
  if (isLocal(folder.path)) {
    const { fresh } = resultFolders(folder.path)
    return {
      fresh: () => fresh(computedFolder),
      remove: () => rm(path.join(folder.path, computedFolder), { recursive: true, force: true }),
    }
  }
  const remove = async (): Promise<void> => {
    const files = await folder.list()
    await folder.remove(files.filter((file) => file.startsWith(`${computedFolder}/`)))
  }
  return {
    async fresh() {
      await remove()
      return `${folder.path}/${computedFolder}`
    },
    remove,
  }
}
