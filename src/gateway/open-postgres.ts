import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
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
  /** Where the offline database is; the embedded one may move. */
  readonly url: () => string
  readonly close: () => Promise<void>
}

/** What is there already, for another thread of the process that opened it. */
export interface AttachedPostgres extends OpenPostgres {
  /** Later connections go there. */
  readonly moveTo: (url: string) => void
}

const maxConnections = 8
/** Of each pool of a thread, of which there are several. */
const maxConnectionsOfThread = 4

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
  const pools = offlinePools(config.offlineUrl ?? '', maxConnections, log)
  const embedded =
    config.offlineUrl === null
      ? await startEmbeddedPostgres(config.dataFolder, {
          log: { info: (line) => log.info(line), warn: (line) => log.warn(line) },
          onMoved: pools.moveTo,
        })
      : null
  if (embedded !== null) pools.moveTo(embedded.url)
  const { pool, url } = pools
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
  return { system, pool, url, close }
}

/** The offline database at this URL: it runs, and has its migrations. */
export function attachPostgres(url: string, log: Logger): AttachedPostgres {
  const pools = offlinePools(url, maxConnectionsOfThread, log)
  const system = pools.pool('system', null)
  return { ...pools, system, close: () => system.end() }
}

function offlinePools(
  first: string,
  connections: number,
  log: Logger,
): Pick<AttachedPostgres, 'pool' | 'url' | 'moveTo'> {
  let current = first
  const made: pg.Pool[] = []
  const isNews = atMostEvery(brokenLineMs)
  return {
    url: () => current,
    moveTo(moved) {
      current = moved
      // A pool reads it for each new connection.
      for (const { options } of made) options.connectionString = moved
    },
    pool(purpose, statementTimeoutMs, url) {
      const created = createPool({
        url: url ?? current,
        applicationName: `featuregraph ${purpose}`,
        statementTimeoutMs,
        maxConnections: connections,
        onConnectionError: ({ message: reason }) => {
          if (isNews(reason)) log.warn({ reason }, `a connection to Postgres broke`)
        },
      })
      if (url === undefined) made.push(created)
      return created
    },
  }
}
