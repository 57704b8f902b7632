import type { Logger } from 'pino'
import { TablesDiffer } from '../errors.ts'
import type { Registry } from '../registry/registry.ts'
import type { OfflineStore } from '../stores/offline-store.ts'

/**
 * Checks that the tables are as the registry needs them, and changes nothing; columns that no definition names get one log
 * line. @throws TablesDiffer
 */
export async function checkTables(
  offline: Pick<OfflineStore, 'ensureTables'>,
  { views, eventSources }: Pick<Registry, 'views' | 'eventSources'>,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  const { missingColumns, ignoredColumns } = await offline.ensureTables(views, eventSources, 'CHECK')
  if (missingColumns.length > 0)
    throw new TablesDiffer(
      missingColumns.map((column) => ({
        path: column,
        message: 'the column is missing; `featuregraph apply` adds it',
      })),
    )
  if (ignoredColumns.length > 0)
    log.warn(`columns without a definition are ignored: ${ignoredColumns.join('. ')}`)
}
