import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** Held by the one gateway of a database. */
export interface GatewayClaim {
  readonly release: () => Promise<void>
}

/** Any constant pair; these spell "feat" and "grap". Advisory locks belong to one database, so it is one gateway each. */
const lockKey = [0x66656174, 0x67726170] as const

const answerMs = 5_000
const retryMs = 500

/**
 * Claims the pool's database for this gateway by a session's advisory lock on one connection of its own, or returns null
 * when another gateway has it. Commands do not claim. The lock ends with the connection, so a killed gateway leaves
 * nothing behind; after a loss of the connection it is taken again. Should another gateway have it by then, `warn` gets a
 * line, and it is taken when that one ends. Rejects with the driver's error when Postgres cannot be reached.
 */
export async function claimGateway(
  pool: pg.Pool,
  { warn }: { readonly warn: (line: string) => void },
): Promise<GatewayClaim | null> {
  const first = await takeLock(pool)
  if (first === null) return null
  const releasing = new AbortController()
  const kept = keepClaim(pool, first, warn, releasing.signal)
  return {
    release: async () => {
      releasing.abort()
      await kept
    },
  }
}

interface LockSession {
  /** Resolves when the connection, and the lock with it, is gone. */
  readonly ended: Promise<void>
  readonly end: () => Promise<void>
}

/** Null: another session has the lock. */
async function takeLock(pool: pg.Pool): Promise<LockSession | null> {
  const client = new pg.Client({
    ...pool.options,
    application_name: 'featuregraph gateway',
    connectionTimeoutMillis: answerMs,
    query_timeout: answerMs,
  })
  const ended = new Promise<void>((resolve) => {
    client.once('end', resolve)
    // Without a listener the loss of an idle connection would end the process; the pools report it better.
    client.on('error', () => resolve())
  })
  const end = (): Promise<void> => client.end().catch(() => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ claimed: boolean }>(
      'select pg_try_advisory_lock($1::int4, $2::int4) as claimed',
      [...lockKey],
    )
    if (rows[0]?.claimed === true) return { ended, end }
  } catch (error) {
    await end()
    throw error
  }
  await end()
  return null
}

/** Until the signal aborts; the lock is let go then. */
async function keepClaim(
  pool: pg.Pool,
  first: LockSession,
  warn: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  let session: LockSession | null = first
  let refusals = 0
  while (!signal.aborted) {
    if (session !== null) {
      await Promise.race([session.ended, aborted])
      if (signal.aborted) break
      await session.end()
      refusals = 0
    }
    try {
      session = await takeLock(pool)
      if (session !== null) continue
      refusals += 1
      // The first may come from our own lost session, whose end the server has not seen yet.
      if (refusals === 2)
        warn('another gateway has claimed the database, which was away for a moment: stop one of the two')
    } catch {
      // The database is away, which the pools report.
      session = null
    }
    await sleep(retryMs, undefined, { signal, ref: false }).catch(() => {})
  }
  await session?.end()
}
