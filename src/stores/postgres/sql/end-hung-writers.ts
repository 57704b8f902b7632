import type pg from 'pg'

const lookEveryMs = 5_000

/** Those who block a session, and have waited for their own client since the last poll at least. */
const endBlockers = `select pg_terminate_backend(b.pid) from unnest(pg_blocking_pids($1)) as b(pid)
join pg_stat_activity as a on a.pid = b.pid
where a.wait_event = 'ClientRead' and a.state_change < now() - interval '${lookEveryMs} milliseconds'`

/**
 * Awaits the work on a connection. A process that hangs, or whose machine has vanished, in the middle of a transaction that
 * the work waits for loses its connection after five seconds, so that it holds up nobody: also in the middle of a COPY,
 * which no timeout of the server's own ends.
 */
export async function endingHungWriters<Result>(
  pool: pg.Pool,
  client: pg.PoolClient,
  work: Promise<Result>,
): Promise<Result> {
  const { processID } = client as pg.PoolClient & { readonly processID: number }
  // A poll that fails is made up for by the next one.
  const timer = setInterval(() => pool.query(endBlockers, [processID]).catch(() => {}), lookEveryMs)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}
