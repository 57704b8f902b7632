import type pg from 'pg'

/** Whom a session waits for, as `process 4711 ("psql" of role "ann", idle in transaction since 2026-01-31T09:30:00Z)`. */
const blockersSql = `select 'process ' || pid || ' (' || concat_ws(', ',
    case when application_name = '' then null else to_json(application_name)::text end,
    'role ' || to_json(usename)::text,
    case when xact_start is null then state
      else coalesce(state, 'at work') || ' since ' ||
        to_char(xact_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end) || ')' as text
from pg_stat_activity where pid = any (pg_blocking_pids($1)) order by pid`

export interface BlockerWatch {
  /** Those that were found last, together; null: none was. */
  readonly last: () => string | null
  /** Resolves when no question is under way. */
  readonly end: () => Promise<void>
}

/**
 * Asks, on another connection, now and then whom the session waits for. A question that fails is passed over: this only
 * explains what happens.
 */
export function watchBlockers(
  pool: pg.Pool,
  pid: number,
  everyMs: number,
  onBlocked: (blockers: string) => void = () => {},
): BlockerWatch {
  let last: string | null = null
  let asking: Promise<void> = Promise.resolve()
  const ask = async (): Promise<void> => {
    const { rows } = await pool.query<{ text: string }>(blockersSql, [pid])
    if (rows.length === 0) return
    const found = rows.map(({ text }) => text).join(', ')
    if (found !== last) onBlocked(found)
    last = found
  }
  const timer = setInterval(() => {
    asking = asking.then(ask).catch(() => {})
  }, everyMs)
  return {
    last: () => last,
    end: () => {
      clearInterval(timer)
      return asking
    },
  }
}

export async function backendPid(client: pg.PoolClient): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid ?? 0
}
