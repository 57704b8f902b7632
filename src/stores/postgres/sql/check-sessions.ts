import type pg from 'pg'
import { messageOf, StoreUnsuitable } from '../../../errors.ts'
import { storeFailed } from './pool.ts'

const remedy =
  'set FEATUREGRAPH_OFFLINE_URL (and FEATUREGRAPH_ONLINE_URL, where it is the same) to Postgres itself, or to a pool in session mode'

function pooler(reason: string, ways: string, cause?: unknown): StoreUnsuitable {
  return new StoreUnsuitable('pooler', true, `Postgres cannot be used: ${reason}; ${ways}`, { cause })
}

/** So often two connections are compared: a pooler that others use at the time may part them by chance. */
const rounds = 5

/**
 * Checks that a connection of the pool is a session of Postgres with the settings that it asked for: a pooler may
 * refuse or forget them, and one in transaction mode gives the next statement to another session, which has neither the
 * settings nor the locks of the first. Takes two connections at once, and some 30 round trips.
 * @throws StoreUnsuitable with what was found and what to do; StoreFailed when Postgres does not answer.
 */
export async function checkSessions(pool: pg.Pool): Promise<void> {
  const [one, other] = await connectTwo(pool)
  try {
    const zone = await one.query<{ TimeZone: string }>('show timezone')
    await expectOwnSessions(one, other)
    const found = zone.rows[0]?.TimeZone
    if (found !== 'UTC') {
      throw pooler(
        `the session time zone is ${found}, though UTC was asked for: a pooler before it ignores the settings of a connection`,
        `${remedy} that passes on the startup parameter "options"`,
      )
    }
  } catch (error) {
    storeFailed('checking its sessions')(error)
  } finally {
    for (const client of [one, other]) client.release()
  }
}

async function connectTwo(pool: pg.Pool): Promise<readonly [pg.PoolClient, pg.PoolClient]> {
  try {
    const one = await pool.connect()
    try {
      return [one, await pool.connect()]
    } catch (error) {
      one.release()
      throw error
    }
  } catch (error) {
    const refusal = messageOf(error)
    if (!/unsupported startup parameter/.test(refusal)) return storeFailed('answering')(error)
    throw pooler(
      `a pooler before it refuses the settings of a connection ("${refusal}")`,
      `${remedy} that passes on the startup parameter "options"`,
      error,
    )
  }
}

/** While one has a transaction open, the other must have the session that it had before, and not the same one. */
async function expectOwnSessions(one: pg.PoolClient, other: pg.PoolClient): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const before = await sessionOf(one)
    await other.query('begin')
    try {
      // In this order: where all share one session, the second would wait for the end of the transaction.
      if ((await sessionOf(other)) !== before && (await sessionOf(one)) === before) continue
    } finally {
      await other.query('rollback')
    }
    throw pooler(
      'the statements of a connection run in different sessions: a pooler in transaction or statement mode stands before it, by which session locks and settings are lost',
      remedy,
    )
  }
}

async function sessionOf(client: pg.PoolClient): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid
}
