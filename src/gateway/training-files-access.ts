import type { Config } from '../config/config.ts'
import { filesFolder } from '../historical/jobs/files-folder.ts'
import { spineReceiver } from '../historical/jobs/receive-spine.ts'
import type { TrainingFilesAccess } from '../server/training-sets-route.ts'
import type { Stores } from './open-stores.ts'

type FilesSettings = Pick<
  Config,
  'filesFolder' | 'project' | 'spineMaxBytes' | 'spineMaxRows' | 'filesMaxBytesPerKey'
>

/** What HTTP has of the folder of spines and training sets; null: the settings name none. */
export function trainingFilesAccess(
  config: FilesSettings,
  { spines, files }: Pick<Stores, 'spines' | 'files'>,
): TrainingFilesAccess | null {
  if (config.filesFolder === null) return null
  const folder = filesFolder(config.filesFolder, config.project)
  return {
    folder,
    receive: spineReceiver({
      ...{ spines, files, folder, maxBytes: config.spineMaxBytes, maxRows: config.spineMaxRows },
      maxHeldBytes: config.filesMaxBytesPerKey,
    }),
  }
}
