import pg from 'pg'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { StoredEventSource } from '../../stored-event-source.ts'
import { inTransaction } from '../sql/pool.ts'
import { createEventMonth } from '../tables/event-table.ts'

/**
 * Someone may be waiting for our own transaction with a lock that the new month would have to queue behind, for ever. Our
 * own transaction passes them; the month is then seen by others when it commits.
 */
const monthLockTimeout = '1s'
const lockNotAvailable = '55P03'

/** Months of event time by number, so that each is asked for once. */
export function monthOf(instant: Micros): number {
  const date = new Date(instant / 1_000)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

/** On a connection of its own where that is possible: the month stays even if the events do not. */
export async function makeEventMonth(
  pool: pg.Pool,
  own: pg.ClientBase | pg.Pool,
  project: string,
  source: StoredEventSource,
  instant: Micros,
): Promise<void> {
  const make = createEventMonth(project, source, instant)
  await inTransaction(pool, async (other) => {
    await other.query(`set local lock_timeout = '${monthLockTimeout}'`)
    await other.query(`select pg_advisory_xact_lock(hashtext('featuregraph event months'))`)
    await other.query(make)
  }).catch(async (error: unknown) => {
    if (!(error instanceof pg.DatabaseError) || error.code !== lockNotAvailable) throw error
    await own.query(make)
  })
}
