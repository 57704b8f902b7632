import type pg from 'pg'
import { StoreFailed } from '../../../errors.ts'
import type { AsOfSnapshot, AsOfSnapshots } from '../../as-of-snapshot.ts'
import { databaseNow } from '../sql/database-clock.ts'
import { storeFailed } from '../sql/pool.ts'
import { asOfJoinSql } from './as-of-join.ts'
import { readAnswer } from './offline-store.ts'

interface SnapshotOptions {
  readonly project: string
  readonly countNonFinite: (view: string) => void
}

/** Lateral probes gain nothing by either; `set local`, since a pooler gives the connection to others afterwards. */
const settings = ['jit = off', 'enable_memoize = off', 'statement_timeout = 0', `timezone = 'UTC'`]

/**
 * One transaction a connection, all on the snapshot that the first exports: they see the same rows, whatever arrives while
 * they read.
 */
export function postgresAsOfSnapshots(pool: pg.Pool, options: SnapshotOptions): AsOfSnapshots {
  return {
    async open(connections) {
      const clients: pg.PoolClient[] = []
      try {
        return await openSnapshot(pool, connections, clients, options)
      } catch (error) {
        for (const client of clients) client.release(true)
        return storeFailed('taking a snapshot')(error)
      }
    },
  }
}

async function openSnapshot(
  pool: pg.Pool,
  connections: number,
  clients: pg.PoolClient[],
  { project, countNonFinite }: SnapshotOptions,
): Promise<AsOfSnapshot> {
  const begin = async (snapshot: string | null): Promise<pg.PoolClient> => {
    const client = await pool.connect()
    clients.push(client)
    await client.query('begin isolation level repeatable read')
    if (snapshot !== null) await client.query(`set transaction snapshot '${snapshot}'`)
    for (const setting of settings) await client.query(`set local ${setting}`)
    return client
  }
  const first = await begin(null)
  const { rows } = await first.query<{ snapshot: string }>('select pg_export_snapshot() as snapshot')
  const takenAt = await databaseNow(first)
  for (let count = 1; count < connections; count += 1) await begin(rows[0]?.snapshot ?? null)
  /** Of each connection the join that it does. */
  const turns = clients.map((): Promise<unknown> => Promise.resolve())
  let next = 0
  let isClosed = false
  return {
    takenAt,
    asOfJoin(join) {
      const place = next % clients.length
      next += 1
      const client = clients[place] ?? first
      const turn = (turns[place] ?? Promise.resolve()).then(async () => {
        if (isClosed) throw new StoreFailed('the snapshot is closed')
        if (join.rows.length === 0 || join.views.length === 0) return join.views.map(() => [])
        const sql = asOfJoinSql(project, { ...join, visibleIn: null })
        const query = { text: sql.text, values: [...sql.values], rowMode: 'array' as const }
        const result = await client.query<unknown[]>(query).catch(storeFailed('the as-of join'))
        return readAnswer(join, result.rows, countNonFinite)
      })
      turns[place] = turn.catch(() => {})
      return turn
    },
    async close() {
      isClosed = true
      // A statement under way is ended with its connection.
      for (const client of clients) client.release(true)
    },
  }
}
