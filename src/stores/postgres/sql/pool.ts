import pg from 'pg'
import { errorCode, messageOf, StoreFailed, StoreTimedOut } from '../../../errors.ts'

export interface PoolOptions {
  readonly url: string
  readonly applicationName: string
  /**
   * A statement that takes longer is cancelled by the server, and given up here a fifth of the time later (at most a
   * second), should the server not even do that; null: no bound.
   */
  readonly statementTimeoutMs: number | null
  readonly maxConnections: number
  /** Called when an idle connection breaks. */
  readonly onConnectionError: (error: Error) => void
}

/**
 * Connections whose sessions speak UTC and never compile plans (jit costs more than it gives for short statements).
 * A connection that cannot be had within the statement timeout fails the call.
 */
export function createPool(options: PoolOptions): pg.Pool {
  const { statementTimeoutMs } = options
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.applicationName,
    max: options.maxConnections,
    connectionTimeoutMillis: Math.min(5_000, statementTimeoutMs ?? 5_000),
    idleTimeoutMillis: 60_000,
    ...(statementTimeoutMs === null
      ? {}
      : {
          statement_timeout: statementTimeoutMs,
          query_timeout: statementTimeoutMs + Math.min(1_000, Math.ceil(statementTimeoutMs / 5)),
        }),
    options: '-c TimeZone=UTC -c jit=off',
    keepAlive: true,
    allowExitOnIdle: true,
  })
  pool.on('error', (error) => {
    // `end` does not wait for sockets: a server that stops right after it may still be heard.
    if (!pool.ending) options.onConnectionError(error)
  })
  // A connection that breaks in use rejects its statement and also emits this, which without a listener ends the process.
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

/** Runs the work in one transaction: committed when it resolves, rolled back when it rejects. */
export async function inTransaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    client.release()
    return result
  } catch (error) {
    const rolledBack = await client.query('rollback').then(
      () => true,
      () => false,
    )
    client.release(!rolledBack)
    throw error
  }
}

/** What the driver threw, as the port's error. The cause goes to the log, never to a caller. */
export function storeFailed(doing: string): (cause: unknown) => never {
  return (cause) => {
    if (cause instanceof StoreFailed) throw cause
    const Failure = isTimeout(cause) ? StoreTimedOut : StoreFailed
    throw new Failure(`Postgres failed at ${doing}: ${messageOf(cause)}`, { cause })
  }
}

const driverTimeouts: ReadonlySet<string> = new Set([
  'Query read timeout',
  'timeout exceeded when trying to connect',
  'Connection terminated due to connection timeout',
])

/** A statement that was cancelled, by its timeout or by who asked; the driver's own timeouts have no code. */
function isTimeout(cause: unknown): boolean {
  return errorCode(cause) === '57014' || driverTimeouts.has(messageOf(cause))
}
