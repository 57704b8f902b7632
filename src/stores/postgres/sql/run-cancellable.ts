import pg from 'pg'
import { StoreFailed } from '../../../errors.ts'
import type { Sql } from './statement.ts'

/**
 * Runs a statement and cancels it in the server when the signal aborts. Rows come as arrays.
 * The connection is kept until the cancel request was answered: given back earlier, it could hit the next statement.
 */
export async function runCancellable(pool: pg.Pool, sql: Sql, signal: AbortSignal): Promise<unknown[][]> {
  if (signal.aborted) throw new StoreFailed('the caller went away')
  const client = await pool.connect()
  let cancelled: Promise<unknown> | null = null
  let broken: Error | undefined
  const cancel = (): void => {
    cancelled = cancelBackend(pool, backendPid(client)).catch((error: Error) => {
      broken = error
    })
  }
  signal.addEventListener('abort', cancel, { once: true })
  try {
    // Aborted while the connection was being made: nothing runs yet that could be cancelled.
    if (signal.aborted) throw new StoreFailed('the caller went away')
    const result = await client.query<unknown[]>({
      text: sql.text,
      values: [...sql.values],
      rowMode: 'array',
    })
    return result.rows
  } catch (error) {
    // A statement that the server cancelled or refused leaves the connection sound; anything else may not.
    if (!(error instanceof pg.DatabaseError))
      broken = error instanceof Error ? error : new Error(String(error))
    throw error
  } finally {
    signal.removeEventListener('abort', cancel)
    await cancelled
    client.release(broken)
  }
}

/** On a connection of its own: those of the pool may all be at work, waiting to be cancelled themselves. */
async function cancelBackend(pool: pg.Pool, pid: number): Promise<void> {
  const client = new pg.Client(pool.options)
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select pg_cancel_backend($1)', [pid])
  } finally {
    await client.end()
  }
}

function backendPid(client: pg.PoolClient): number {
  const pid = (client as unknown as { readonly processID?: unknown }).processID
  return typeof pid === 'number' ? pid : 0
}
