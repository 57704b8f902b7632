import type pg from 'pg'
import { StoreFailed } from '../../../errors.ts'
import type { AsOfColumns, AsOfSnapshot, AsOfSnapshots, SnapshotRequest } from '../../as-of-snapshot.ts'
import type { Part } from '../../entity-rows.ts'
import type { TableEstimate } from '../../table-estimate.ts'
import { databaseNow } from '../sql/database-clock.ts'
import { storeFailed } from '../sql/pool.ts'
import { systemIdentifier } from '../sql/system-identifier.ts'
import { mergedWindowsStatement } from '../windows/merged-windows.ts'
import { asOfJoinSql } from './as-of-join.ts'
import { entityTable, mayMakeTables } from './entity-table.ts'
import { type GrowingColumns, noRows } from './growing-columns.ts'
import { isPlain, isStored, isStreamed, joinWays } from './join-ways.ts'
import { storedColumnsSql } from './stored-columns.ts'
import { scatteredStatement } from './streamed-scatter.ts'
import { tableEstimate } from './table-estimate.ts'

export interface SnapshotOptions {
  readonly project: string
  readonly countNonFinite: (view: string) => void
  /** See `arrayRows`. */
  readonly arrayRows?: number
}

/**
 * Lateral probes gain nothing by the first three: two thirds of the time with jit, half of the memory without memoize.
 * `set local`, since a pooler gives the connection to others afterwards.
 */
const settings = [
  'jit = off',
  'enable_memoize = off',
  'max_parallel_workers_per_gather = 0',
  'statement_timeout = 0',
  `timezone = 'UTC'`,
]

/** Up to here nothing is faster than arrays of parameters; a temporary table costs four round trips. */
const usualArrayRows = 1_000
/** Fewer are not worth a connection more. */
const leastRowsOfPart = 4_000

/**
 * One transaction a connection, all on the snapshot that the first exports: they see the same rows, whatever arrives while
 * they read.
 */
export function postgresAsOfSnapshots(pool: pg.Pool, options: SnapshotOptions): AsOfSnapshots {
  return {
    async open(request) {
      const clients: pg.PoolClient[] = []
      try {
        return await openSnapshot(pool, request, clients, options)
      } catch (error) {
        for (const client of clients) client.release(true)
        return storeFailed('taking a snapshot')(error)
      }
    },
  }
}

async function openSnapshot(
  pool: pg.Pool,
  { connections, visibleIn }: SnapshotRequest,
  clients: pg.PoolClient[],
  { project, countNonFinite, arrayRows = usualArrayRows }: SnapshotOptions,
): Promise<AsOfSnapshot> {
  const identifier = await systemIdentifier(pool)
  const connecting = Array.from({ length: connections }, async () => {
    const client = await pool.connect()
    clients.push(client)
    return client
  })
  // All of them: those that there are are given back where one fails.
  await Promise.allSettled(connecting)
  const [first, ...others] = await Promise.all(connecting)
  if (!first) throw new RangeError('a snapshot takes a connection')
  const begin = async (client: pg.PoolClient, snapshot: string | null): Promise<void> => {
    await client.query('begin isolation level repeatable read')
    if (snapshot !== null) await client.query(`set transaction snapshot '${snapshot}'`)
    await client.query(settings.map((setting) => `set local ${setting}`).join('; '))
  }
  await begin(first, null)
  const { rows } = await first.query<{ snapshot: string; visible: string }>(
    'select pg_export_snapshot() as snapshot, pg_current_snapshot()::text as visible',
  )
  const visible = visibleIn ?? rows[0]?.visible ?? ''
  const takenAt = await databaseNow(first)
  await Promise.all(others.map((client) => begin(client, rows[0]?.snapshot ?? null)))
  const mayMake = await mayMakeTables(first)
  /** Of each connection the join that it does. */
  const turns = clients.map((): Promise<unknown> => Promise.resolve())
  let next = 0
  let isClosed = false

  const onConnection = (work: (client: pg.ClientBase) => Promise<void>): Promise<void> => {
    const place = next % clients.length
    next += 1
    const client = clients[place] ?? first
    const turn = (turns[place] ?? Promise.resolve()).then(async () => {
      if (isClosed) throw new StoreFailed('the snapshot is closed')
      await work(client).catch(storeFailed('the as-of join'))
    })
    turns[place] = turn.catch(() => {})
    return turn
  }

  const { byArrays, byTable, byMerge, byScatter } = joinWays({ project, visibleIn, visible, countNonFinite })

  return {
    takenAt,
    visible,
    systemIdentifier: identifier,
    files: () => [],
    async asOfColumns(join) {
      const targets = join.views.map((view) => noRows(view, join.rows.length))
      if (join.rows.length === 0 || join.views.length === 0) return targets
      const all = join.views.map((view, at) => ({ view, way: join.ways[at], target: targets[at] }))
      const merged = all.filter(({ view, way }) => way === 'MERGE' && isStreamed(view))
      const scattered = all.filter(({ view, way }) => way === 'SCATTER' && isPlain(view))
      const probed = all.filter((one) => !merged.includes(one) && !scattered.includes(one))
      const isFew = join.rows.length <= arrayRows || !mayMake
      const tabled = isFew ? [] : probed.filter(({ view }) => isStored(view))
      const others = probed.filter((one) => !tabled.includes(one))
      const targetsOf = (some: typeof all): readonly GrowingColumns[] =>
        some.flatMap(({ target }) => target ?? [])
      const work = parts(join.rows.length, connections).flatMap((part) => [
        // A scan for all parts costs as much as for one.
        ...(part.from > 0 ? [] : scattered).flatMap(({ view, target }) =>
          isPlain(view) ? [onConnection((client) => byScatter(client, view, join.rows, target))] : [],
        ),
        ...merged.flatMap(({ view, target }) =>
          isStreamed(view) ? [onConnection((client) => byMerge(client, view, join.rows, part, target))] : [],
        ),
        ...(tabled.length === 0
          ? []
          : [
              onConnection((client) =>
                byTable(
                  client,
                  { rows: join.rows, views: tabled.flatMap(({ view }) => (isStored(view) ? [view] : [])) },
                  part,
                  targetsOf(tabled),
                ),
              ),
            ]),
        ...(others.length === 0
          ? []
          : [
              onConnection((client) =>
                byArrays(
                  client,
                  { rows: join.rows, views: others.map(({ view }) => view) },
                  part,
                  targetsOf(others),
                ),
              ),
            ]),
      ])
      // All of them: the connections are given back afterwards.
      const failed = (await Promise.allSettled(work)).find(({ status }) => status === 'rejected')
      if (failed?.status === 'rejected') throw failed.reason
      return targets satisfies readonly AsOfColumns[]
    },
    async estimate(view) {
      let found: TableEstimate | null = null
      await onConnection(async (client) => {
        found = await tableEstimate(client, project, view)
      })
      if (found === null) throw new TypeError(`nothing was estimated for ${view.name}`)
      return found
    },
    statement(view, way) {
      if (isStreamed(view))
        return way === 'MERGE'
          ? mergedWindowsStatement({ project, visibleIn }, view)
          : asOfJoinSql(project, { views: [view], rows: [], visibleIn }).text
      if (way === 'SCATTER' && isPlain(view))
        return scatteredStatement({ client: first, project, visibleIn, countNonFinite }, view)
      return storedColumnsSql(project, { views: [view], from: entityTable, visibleIn }).sql.text
    },
    async close() {
      isClosed = true
      // A statement under way is ended with its connection.
      for (const client of clients) client.release(true)
    },
  }
}

/** Neighbours stay together, so that each connection walks through a stretch of the index. */
function parts(rows: number, connections: number): readonly Part[] {
  const count = Math.max(1, Math.min(connections, Math.floor(rows / leastRowsOfPart)))
  const size = Math.ceil(rows / count)
  return Array.from({ length: count }, (_, index) => ({
    from: index * size,
    to: Math.min(rows, (index + 1) * size),
  }))
}
