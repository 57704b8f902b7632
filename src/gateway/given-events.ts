import { BadUserInput } from '../errors.ts'
import { manifestFile, readManifest, successFile } from '../ingest/export/manifest.ts'
import { type GivenEvents, usedFields } from '../ingest/snapshots/engine-events.ts'
import type { BatchView } from '../registry/registry.ts'
import { duckDbEventFiles } from '../stores/duckdb/event-files.ts'
import { isObjectUrl, type LakeAccess } from '../stores/lake-access.ts'
import { exportFolder } from './export-folder.ts'

/**
 * Events that a folder has for a view: one of `featuregraph export` says which and of when they are, also that there are none. Of an address that only
 * the engine can reach nothing is checked: it is taken for such an export.
 * @throws BadUserInput where the folder is no whole export of the view's source, nor Parquet with its fields.
 */
export async function givenEvents(folder: string, view: BatchView, lake: LakeAccess): Promise<GivenEvents> {
  const unknown = { kind: 'FOLDER', folder, isEmpty: false, readAt: null, from: null, to: null } as const
  if (folder.includes('://') && !isObjectUrl(folder)) return { ...unknown, form: 'EXPORTED' }
  const formOf = () => duckDbEventFiles(lake).formOf(folder, usedFields(view))
  const opened = exportFolder(folder, lake)
  const files = await opened.list()
  const manifest = files.includes(manifestFile) ? await readManifest(opened) : null
  if (manifest === null) return { ...unknown, form: await formOf() }
  if (manifest.kind !== 'EVENTS' || manifest.id !== view.events.name)
    throw new BadUserInput(
      `${folder} holds the ${manifest.kind === 'EVENTS' ? 'events of source' : 'rows of feature view'} "${manifest.id}"; feature view "${view.name}" is computed from the events of source "${view.events.name}"`,
    )
  if (!files.includes(successFile))
    throw new BadUserInput(
      `${folder} has no ${successFile}: an export is under way there, or has not ended; \`featuregraph export ${manifest.id} ${folder}\` completes it`,
    )
  const { point, database, range, parts } = manifest
  const isEmpty = parts.length === 0
  return {
    ...{ ...unknown, ...range, isEmpty, form: isEmpty ? 'EXPORTED' : await formOf() },
    readAt:
      point === null
        ? null
        : {
            // Of `xmin:xmax:xip`.
            snapshotXmin: point.visible.split(':')[0] ?? '0',
            systemIdentifier: database.systemIdentifier,
          },
  }
}
