import type { Micros } from '../definitions/timestamp.ts'
import { OtherDatabase, OtherDefinitions } from '../errors.ts'
import { dayOf, startOfDay } from '../ingest/export/day.ts'
import { exportSubject } from '../ingest/export/export-subject.ts'
import { readManifest } from '../ingest/export/manifest.ts'
import type { EventSource } from '../registry/registry.ts'
import { duckDbPartFiles } from '../stores/duckdb/part-files.ts'
import { postgresLaterChanges } from '../stores/postgres/deletion/later-changes.ts'
import { postgresRowsToExport } from '../stores/postgres/export/rows-to-export.ts'
import type { EngineWorld } from './engine-targets.ts'
import { exportFolder } from './export-folder.ts'

/**
 * Brings an export of a source up to date that holds all stored events from a time on; answers its folder, null where none are
 * in it. One of another database or definition is made anew, since it is nobody's but ours.
 */
export async function exportStoredEvents(
  { config, stores, clock, log }: EngineWorld,
  path: string,
  source: EventSource,
  since: Micros,
): Promise<string | null> {
  const { project, lake } = config
  const held = await readManifest(exportFolder(path, lake)).catch(() => null)
  const isHeld = held !== null && (held.range.from === null || held.range.from <= since)
  const exportStores = {
    ...{
      runs: stores.runs,
      clock,
      openFolder: (folder: string) => exportFolder(folder, lake),
      partFiles: duckDbPartFiles(lake),
    },
    changes: postgresLaterChanges(stores.system, project),
    rowsToExport: postgresRowsToExport(stores.system, {
      project,
      countNonFinite: (table) =>
        log.warn(`${table}: values that are no finite number of their type are null in the export`),
    }),
  }
  const request = {
    ...{ project, subject: { kind: 'EVENTS', source } as const, definition: null, path },
    from: isHeld ? undefined : startOfDay(dayOf(since)),
    to: undefined,
    onWait: () => log.info(`${source.name}: another export is under way; waiting for its end`),
    onProgress: () => {},
  }
  const exported = await exportSubject(exportStores, { ...request, rebuild: false }).catch(
    (error: unknown) => {
      if (!(error instanceof OtherDefinitions || error instanceof OtherDatabase)) throw error
      log.info(`${source.name}: ${error.message}; it is written again`)
      return exportSubject(exportStores, { ...request, rebuild: true })
    },
  )
  return exported.parts.length === 0 ? null : path
}
