import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { OnlineRead, OnlineStore, OnlineWrite, OnlineWriteOutcome } from '../online-store.ts'
import { guardMarkerName, markerKey, markersFront } from '../online-value/online-key.ts'
import { readRowOrder } from '../online-value/packed-row.ts'
import { mergeSection } from '../online-value/tile-sections.ts'
import { writeChunks } from '../online-value/write-chunks.ts'
import { inTransaction, storeFailed } from './sql/pool.ts'

const writeBatch = 1_000

/** Ordinality keeps request order and gives a null for a missing key; as fast as `= any`, without a map. The guard comes last. */
const readSql = {
  name: 'featuregraph_online_read',
  text: `select o.packed_row
from unnest($1::text[]) with ordinality as k(key, place)
left join featuregraph.online_rows as o on o.key = k.key collate "C" and (o.expires_at is null or o.expires_at > now())
order by k.place`,
}

/** Without the rows where they take more than `$2` bytes together; their sizes are known without reading them. */
const readWithinSql = {
  name: 'featuregraph_online_read_within',
  text: `select case when bytes <= $2 or key = $3 then packed_row end as packed_row, bytes::float8
from (
  select k.key, k.place, o.packed_row,
    coalesce(sum(octet_length(o.packed_row)) filter (where k.key <> $3) over (), 0) as bytes
  from unnest($1::text[]) with ordinality as k(key, place)
  left join featuregraph.online_rows as o on o.key = k.key collate "C" and (o.expires_at is null or o.expires_at > now())
) as rows
order by place`,
}

/** Answers the keys that won. */
const writeSql = `insert into featuregraph.online_rows as o (key, event_micros, created_micros, row_id, expires_at, packed_row)
select * from unnest($1::text[], $2::float8[], $3::float8[], $4::float8[], $5::timestamptz[], $6::bytea[])
on conflict (key) do update
set event_micros = excluded.event_micros, created_micros = excluded.created_micros, row_id = excluded.row_id,
  expires_at = excluded.expires_at, packed_row = excluded.packed_row
where (o.event_micros, o.created_micros, o.row_id) <= (excluded.event_micros, excluded.created_micros, excluded.row_id)
  or o.expires_at <= now()
returning key`

/**
 * Rows that have expired go with later writes, a few at a time, so that no timer is needed. After the write and without
 * waiting for a lock: a sweep that held or wanted rows of another writer could deadlock with it.
 */
const sweepSql = `delete from featuregraph.online_rows
where key = any (array(select key from featuregraph.online_rows where expires_at <= now() limit 500 for update skip locked))`

/** A marker is a row like any other, that never expires: what loses rows loses it too. */
const writeMarkerSql = `insert into featuregraph.online_rows as o (key, event_micros, created_micros, row_id, packed_row)
values ($1, 0, 0, 0, $2)
on conflict (key) do update set packed_row = excluded.packed_row`

const firstMarkerSql = `insert into featuregraph.online_rows (key, event_micros, created_micros, row_id, packed_row)
values ($1, 0, 0, 0, $2) on conflict (key) do nothing`
const moveMarkerSql = 'update featuregraph.online_rows set packed_row = $2 where key = $1 and packed_row = $3'

const removeSql = `delete from featuregraph.online_rows where key = any (array(
select key from featuregraph.online_rows where starts_with(key, $1) limit 5000))`

/**
 * The online store in a Postgres table: for the embedded default and small set-ups. The table is unlogged: Postgres empties
 * it after an unclean end, and a replica has none of it. `close` ends the pool.
 */
export function postgresOnlineStore(pool: pg.Pool, project = 'default'): OnlineStore {
  const guardName = guardMarkerName(project)
  const guardKey = markerKey(guardName)
  return {
    name: 'postgres',
    guardName,
    losesTail: false,
    writeConnection: () => 0,
    async readMany(keys) {
      const result = await pool
        .query<[Buffer | null]>({ ...readSql, values: [[...keys, guardKey]], rowMode: 'array' })
        .catch(storeFailed('an online read'))
      return guarded(result.rows.map(([row]) => row))
    },
    async readWithin(keys, mostBytes) {
      const result = await pool
        .query<[Buffer | null, number]>({
          ...readWithinSql,
          values: [[...keys, guardKey], mostBytes, guardKey],
          rowMode: 'array',
        })
        .catch(storeFailed('an online read'))
      const bytesStored = result.rows[0]?.[1] ?? 0
      if (bytesStored > mostBytes) return { bytesStored }
      return guarded(result.rows.map(([row]) => row))
    },
    async writeMany(writes, expireAfterMicros) {
      const outcomes: OnlineWriteOutcome[] = []
      for (const chunk of writeChunks(writes, writeBatch)) {
        outcomes.push(
          ...(await writeChunk(pool, chunk, expireAfterMicros).catch(storeFailed('an online write'))),
        )
      }
      return outcomes
    },
    async writeSections(writes, expireAt) {
      const outcomes: OnlineWriteOutcome[] = []
      for (const chunk of writeChunks(writes, writeBatch))
        outcomes.push(...(await mergeChunk(pool, chunk, expireAt).catch(storeFailed('an online write'))))
      return outcomes
    },
    async readMarker(name) {
      const result = await pool
        .query<{ packed_row: Buffer }>('select packed_row from featuregraph.online_rows where key = $1', [
          markerKey(name),
        ])
        .catch(storeFailed('reading a marker'))
      return result.rows[0]?.packed_row.toString('utf8') ?? null
    },
    async writeMarker(name, value) {
      await pool
        .query(writeMarkerSql, [markerKey(name), Buffer.from(value, 'utf8')])
        .catch(storeFailed('writing a marker'))
    },
    async moveMarker(name, from, to) {
      const [key, value] = [markerKey(name), Buffer.from(to, 'utf8')]
      const { rowCount } = await (from === null
        ? pool.query(firstMarkerSql, [key, value])
        : pool.query(moveMarkerSql, [key, value, Buffer.from(from, 'utf8')])
      ).catch(storeFailed('writing a marker'))
      return rowCount === 1
    },
    async removeRows(prefix) {
      const failed = storeFailed('removing online rows')
      for (const front of [prefix, markersFront(prefix)]) {
        for (;;) {
          const { rowCount } = await pool.query(removeSql, [front]).catch(failed)
          if (rowCount === 0) break
        }
      }
      await pool
        .query('delete from featuregraph.online_rows where key = $1', [markerKey(prefix)])
        .catch(failed)
    },
    async ping() {
      await pool.query('select 1').catch(storeFailed('answering'))
    },
    async close() {
      await pool.end()
    },
  }
}

/** The guard comes last. */
function guarded(rows: (Buffer | null)[]): OnlineRead {
  const guard = rows.pop()?.toString('utf8') ?? null
  return { rows, guard, connection: 0 }
}

/** Makes the rows that are missing, empty, so that there is one to lock; in key order against deadlocks. */
const lockSql = `insert into featuregraph.online_rows (key, event_micros, created_micros, row_id, packed_row)
select key, 0, 0, 0, '' from unnest($1::text[]) as key
on conflict (key) do nothing`
const lockedSql = `select key, case when expires_at <= now() then '' else packed_row end as packed_row
from featuregraph.online_rows
where key = any ($1::text[]) order by key collate "C" for update`
const mergedSql = `update featuregraph.online_rows as o set packed_row = w.packed_row, expires_at = $3
from unnest($1::text[], $2::bytea[]) as w(key, packed_row) where o.key = w.key`

async function mergeChunk(
  pool: pg.Pool,
  chunk: readonly OnlineWrite[],
  expireAt: Micros | null,
): Promise<OnlineWriteOutcome[]> {
  const keys = chunk.map((write) => write.key).sort()
  const merged = await inTransaction(pool, async (client) => {
    await client.query('set local synchronous_commit = off')
    await client.query(lockSql, [keys])
    const { rows } = await client.query<{ key: string; packed_row: Buffer }>(lockedSql, [keys])
    const stored = new Map(rows.map((row) => [row.key, row.packed_row]))
    const written = new Map<string, Buffer>()
    for (const { key, row } of chunk) {
      const value = mergeSection(stored.get(key) ?? null, row)
      if (value) written.set(key, value)
    }
    const expiresAt = expireAt === null ? null : formatTimestamp(expireAt)
    await client.query(mergedSql, [[...written.keys()], [...written.values()], expiresAt])
    await client.query(sweepSql)
    return written
  })
  return chunk.map(({ key }) => (merged.has(key) ? 'WRITTEN' : 'OLDER'))
}

async function writeChunk(
  pool: pg.Pool,
  chunk: readonly OnlineWrite[],
  expireAfterMicros: number | null,
): Promise<OnlineWriteOutcome[]> {
  // In key order, so that two writers of the same keys cannot wait for each other.
  const sorted = [...chunk].sort((left, right) => (left.key < right.key ? -1 : 1))
  const orders = sorted.map((write) => readRowOrder(write.row) ?? [0, 0, 0])
  const won = await inTransaction(pool, async (client) => {
    // What a crash may lose here is materialized again by materialize; the offline store has it.
    await client.query('set local synchronous_commit = off')
    const result = await client.query<{ key: string }>(writeSql, [
      sorted.map((write) => write.key),
      orders.map((order) => order[0]),
      orders.map((order) => order[1]),
      orders.map((order) => order[2]),
      orders.map((order) =>
        expireAfterMicros === null ? null : formatTimestamp(order[0] + expireAfterMicros),
      ),
      sorted.map((write) => write.row),
    ])
    await client.query(sweepSql)
    return result
  })
  const winners = new Set(won.rows.map((row) => row.key))
  return chunk.map((write) => (winners.has(write.key) ? 'WRITTEN' : 'OLDER'))
}
