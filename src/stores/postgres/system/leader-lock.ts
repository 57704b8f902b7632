import pg from 'pg'
import type { LeaderLock } from '../../leader-lock.ts'
import { storeFailed } from '../sql/pool.ts'

/** A holder whose machine vanishes without a word is found out by the server in about ten seconds. */
const keepAliveSql =
  'set tcp_keepalives_idle = 4; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3'
const answerMs = 5_000

/**
 * A session's advisory lock on a connection of its own, which is kept as long as it lasts; a pooler between must not
 * share sessions.
 */
export function postgresLeaderLock(
  pool: pg.Pool,
  project: string,
  work: 'worker' | 'stream' = 'worker',
): LeaderLock {
  let client: pg.Client | null = null
  let held = false

  const forget = (lost: pg.Client): void => {
    lost.end().catch(() => {})
    if (client !== lost) return
    client = null
    held = false
  }
  const connect = async (): Promise<pg.Client> => {
    const opened = new pg.Client({
      ...pool.options,
      application_name: `featuregraph ${work}`,
      query_timeout: answerMs,
    })
    opened.on('error', () => forget(opened))
    opened.on('end', () => forget(opened))
    client = opened
    await opened.connect()
    await opened.query(keepAliveSql)
    return opened
  }
  const hold = async (): Promise<boolean> => {
    const session = client ?? (await connect())
    if (held) {
      // The lock lives as long as its session.
      await session.query('select 1')
      return held
    }
    const { rows } = await session.query<{ taken: boolean }>(
      'select pg_try_advisory_lock(hashtextextended($1, 0)) as taken',
      [`featuregraph ${work} ${project}`],
    )
    held = client === session && rows[0]?.taken === true
    return held
  }

  return {
    hold: () =>
      hold().catch((error: unknown) => {
        if (client !== null) forget(client)
        return storeFailed(`taking the lock of the ${work}`)(error)
      }),
    async release() {
      const session = client
      client = null
      held = false
      await session?.end().catch(() => {})
    },
  }
}
