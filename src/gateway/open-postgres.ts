import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { startEmbeddedPostgres } from '../embedded/embedded-postgres.ts'
import { checkSessions } from '../stores/postgres/sql/check-sessions.ts'
import { createPool } from '../stores/postgres/sql/pool.ts'
import { migrate } from '../stores/postgres/tables/migrate.ts'

export interface OpenPostgres {
  /** Of the offline database. */
  readonly url: string
  /** For migrations, tables and the demo's mark: few connections, no statement timeout. */
  readonly system: pg.Pool
  /** Another pool, which the caller closes. */
  readonly pool: (url: string, purpose: string, statementTimeoutMs: number | null) => pg.Pool
  readonly close: () => Promise<void>
}

const maxConnections = 8

/** Where the SQL files stand, from the sources and from the built package alike. */
const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url))

/**
 * The offline database, with the migrations that it lacked; without an offline URL the embedded Postgres, started or joined.
 * @throws StoreFailed when Postgres does not answer; StoreUnsuitable when it cannot be used; EmbeddedPostgresFailed;
 * MigrationFailed.
 */
export async function openPostgres(
  config: Pick<Config, 'offlineUrl' | 'dataFolder'>,
  log: Logger,
): Promise<OpenPostgres> {
  const embedded =
    config.offlineUrl === null
      ? await startEmbeddedPostgres(config.dataFolder, { log: (line) => log.info(line) })
      : null
  const url = embedded?.url ?? config.offlineUrl ?? ''
  const pool: OpenPostgres['pool'] = (poolUrl, purpose, statementTimeoutMs) =>
    createPool({
      url: poolUrl,
      applicationName: `featuregraph ${purpose}`,
      statementTimeoutMs,
      maxConnections,
      onConnectionError: (error) => log.warn({ reason: error.message }, `a connection to Postgres broke`),
    })
  const system = pool(url, 'system', null)
  const close = async (): Promise<void> => {
    await system.end()
    await embedded?.stop()
  }
  try {
    if (embedded === null) await checkSessions(system)
    const applied = await migrate(system, migrationsFolder)
    if (applied.length > 0) log.info({ applied }, 'migrations applied')
  } catch (error) {
    await close()
    throw error
  }
  return { url, system, pool, close }
}
