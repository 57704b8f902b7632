import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { readConfig, readEnvironment } from '../config/read-config.ts'
import { appliedBy } from '../gateway/applied-by.ts'
import { openPostgres } from '../gateway/open-postgres.ts'
import { parquetRows } from '../gateway/parquet-rows.ts'
import { programVersion } from '../gateway/program-version.ts'
import { routedTableChanges } from '../gateway/route-offline.ts'
import type { ApplyOptions, ApplyTargets } from '../registry/versions/make-current.ts'
import type { AuditAction } from '../stores/audit-store.ts'
import { postgresApplyLease } from '../stores/postgres/system/apply-lease.ts'
import { postgresAuditStore } from '../stores/postgres/system/audit-store.ts'
import { postgresVersionStore } from '../stores/postgres/system/version-store.ts'
import { postgresTableChanges } from '../stores/postgres/tables/table-changes.ts'
import { commandAudit } from './command-audit.ts'
import { commandLog } from './command-log.ts'

export interface RegistryWorld {
  readonly config: Config
  readonly log: Logger
  readonly targets: ApplyTargets
  /** With this message; progress is logged. */
  readonly options: (message: string | undefined) => ApplyOptions
  /** Records a change that was made, by the settings: the version that it made. */
  readonly audit: (action: AuditAction, version: number) => void
}

/** The registry's database by the settings, closed again whatever happens; beside a running gateway its own is joined. */
export async function withRegistry(work: (world: RegistryWorld) => Promise<void>): Promise<void> {
  const config = readConfig(readEnvironment())
  const log = commandLog(config.logLevel)
  const { system, close } = await openPostgres(config, log)
  const audit = commandAudit(config, postgresAuditStore(system, config.project), log)
  const parquet = parquetRows({ config, database: noDatabase, countNonFinite: () => {} })
  try {
    await work({
      ...{ config, log },
      audit: (action, version) => audit.done(action, `version ${version}`),
      targets: {
        versions: postgresVersionStore(system, config.project),
        applies: postgresApplyLease(system, config.project),
        tables: routedTableChanges(postgresTableChanges(system, config.project), parquet),
      },
      options: (message) => ({
        ...{ by: appliedBy(config), message: message ?? null, program: programVersion() },
        report: (line) => log.info(line),
      }),
    })
  } finally {
    await audit.close()
    await parquet.close()
    await close()
  }
}

/** Files are checked here, and no rows read. */
const noDatabase = { deletedRows: async () => [], now: async () => 0 }
