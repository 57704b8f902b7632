import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import type { Clock } from '../definitions/timestamp.ts'
import type { ExportStores } from '../ingest/export/export-subject.ts'
import { duckDbPartFiles } from '../stores/duckdb/part-files.ts'
import { postgresLaterChanges } from '../stores/postgres/deletion/later-changes.ts'
import { postgresRowsToExport } from '../stores/postgres/export/rows-to-export.ts'
import { exportFolder } from './export-folder.ts'
import type { Stores } from './open-stores.ts'

interface ExportParts {
  readonly config: Pick<Config, 'project' | 'lake'>
  readonly stores: Pick<Stores, 'runs' | 'system'>
  readonly clock: Clock
  readonly log: Pick<Logger, 'warn'>
}

/** What an export reads and writes by, for the command and for engines; DuckDB is loaded with it. */
export function exportStores({ config: { project, lake }, stores, clock, log }: ExportParts): ExportStores {
  return {
    ...{ runs: stores.runs, clock },
    openFolder: (folder) => exportFolder(folder, lake),
    partFiles: duckDbPartFiles(lake),
    changes: postgresLaterChanges(stores.system, project),
    rowsToExport: postgresRowsToExport(stores.system, {
      project,
      countNonFinite: (table) =>
        log.warn(`${table}: values that are no finite number of their type are null in the export`),
    }),
  }
}
