import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { startEmbeddedPostgres } from '../embedded/embedded-postgres.ts'
import { atMostEvery } from '../rate-limit.ts'
import { checkSessions } from '../stores/postgres/sql/check-sessions.ts'
import { createPool } from '../stores/postgres/sql/pool.ts'
import { migrate } from '../stores/postgres/tables/migrate.ts'
import { withSetting } from './server-of.ts'

export interface OpenPostgres {
  /** For migrations, tables and the demo's mark: few connections, no statement timeout. */
  readonly system: pg.Pool
  /** Another pool, which the caller closes; of the offline database, unless there is a URL. */
  readonly pool: (purpose: string, statementTimeoutMs: number | null, url?: string) => pg.Pool
  readonly close: () => Promise<void>
}

const maxConnections = 8

/** A server that ends breaks many connections at once. */
const brokenLineMs = 1_000

/** Where the SQL files stand, from the sources and from the built package alike. */
const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url))

/**
 * The offline database, with the migrations that it lacked; without an offline URL the embedded Postgres, started or joined,
 * and started again when it ends: its pools connect again, also where it came back on another port.
 * @throws StoreFailed when Postgres does not answer; StoreUnsuitable when it cannot be used; EmbeddedPostgresFailed;
 * MigrationFailed.
 */
export async function openPostgres(
  config: Pick<Config, 'offlineUrl' | 'dataFolder'>,
  log: Logger,
): Promise<OpenPostgres> {
  const offlinePools: pg.Pool[] = []
  const embedded =
    config.offlineUrl === null
      ? await startEmbeddedPostgres(config.dataFolder, {
          log: { info: (line) => log.info(line), warn: (line) => log.warn(line) },
          onMoved: (moved) => {
            // A pool reads it for each new connection.
            for (const { options } of offlinePools) options.connectionString = moved
          },
        })
      : null
  const isNews = atMostEvery(brokenLineMs)
  const pool: OpenPostgres['pool'] = (purpose, statementTimeoutMs, url) => {
    const created = createPool({
      url: url ?? embedded?.url ?? config.offlineUrl ?? '',
      applicationName: `featuregraph ${purpose}`,
      statementTimeoutMs,
      maxConnections,
      onConnectionError: ({ message: reason }) => {
        if (isNews(reason)) log.warn({ reason }, `a connection to Postgres broke`)
      },
    })
    if (url === undefined) offlinePools.push(created)
    return created
  }
  const system = pool('system', null)
  const close = async (): Promise<void> => {
    await system.end()
    await embedded?.stop()
  }
  try {
    if (config.offlineUrl !== null)
      await checkSessions(system).catch(withSetting('FEATUREGRAPH_OFFLINE_URL', config.offlineUrl))
    const applied = await migrate(system, migrationsFolder)
    if (applied.length > 0) log.info({ applied }, 'migrations applied')
  } catch (error) {
    await close()
    throw error
  }
  return { system, pool, close }
}
