import type { Logger } from 'pino'
import type { Registry } from '../registry/registry.ts'
import type { OfflineStore } from '../stores/offline-store.ts'

/** Creates the tables and columns of the registry that are missing; columns that no definition names get one log line. */
export async function makeTables(
  offline: Pick<OfflineStore, 'ensureTables'>,
  registry: Registry,
  log: Logger,
): Promise<void> {
  const { ignoredColumns } = await offline.ensureTables(registry.views, registry.eventSources)
  if (ignoredColumns.length > 0)
    log.warn(`columns without a definition are ignored: ${ignoredColumns.join('. ')}`)
}
