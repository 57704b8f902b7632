import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { z } from 'zod'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { EntityKey, KeyValue } from '../../../definitions/value.ts'
import type { DeletionStore, DeletionView, EntityToDelete, OnlineKey } from '../../deletion-store.ts'
import { fromSql, microsOf } from '../sql/column-type.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import type { Sql } from '../sql/statement.ts'
import { deletionDigest, deletionText } from './deletion-digest.ts'
import { eraseStatements, isWider, widerKeysSql } from './erase-rows.ts'
import { removedViews } from './removed-views.ts'

const secretBytes = 32

/**
 * Transactions of this database that have an id and have not ended. One that gets its id later takes its look at the
 * deletions later too, and sees what is committed now; so this must be asked once the deletion is.
 */
const selectWriters = `select l.pid || '/' || l.transactionid as writer
from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted and a.datname = current_database()`

const insertDeletion = `insert into featuregraph.deletions (project, digest, entity, deleted_at, recorded_xid)
values ($1, decode($2, 'hex'), $3, $4, pg_current_xact_id())
on conflict (project, digest, entity) do update
set deleted_at = greatest(deletions.deleted_at, excluded.deleted_at), recorded_xid = excluded.recorded_xid
returning ${microsOf('deleted_at')} as deleted_at`

const markErased = `update featuregraph.deletions set erased_xid = pg_current_xact_id()
where project = $1 and digest = decode($2, 'hex')`

const insertKind = `insert into featuregraph.deleted_kinds (project, entity, join_keys)
values ($1, $2, $3::jsonb) on conflict do nothing`

const insertOnlineKeys = `insert into featuregraph.deletion_online_keys (project, digest, view, key)
select $1, decode($2, 'hex'), $3, key::jsonb from unnest($4::text[]) as k(key)
on conflict do nothing`

const storedKey = z.array(z.union([z.number(), z.string()]))

/** `pool` has no statement timeout: deleting may have to read whole tables. */
export function postgresDeletionStore(pool: pg.Pool, project: string): DeletionStore {
  return {
    async record(deletion, deletedAt) {
      const { entity } = deletion
      const failed = storeFailed(`recording a deletion of ${entity.name}`)
      const stands = await inTransaction(pool, async (client) => {
        await client.query(
          `insert into featuregraph.deletion_secrets as s (project, secret, marks) values ($1, $2, 1)
           on conflict (project) do update set marks = s.marks + 1`,
          [project, randomBytes(secretBytes)],
        )
        const joinKeys = entity.joinKeys.map(({ name, type }) => ({ name, type }))
        await client.query(insertKind, [project, entity.id, JSON.stringify(joinKeys)])
        const { rows } = await client.query<{ deleted_at: string }>(insertDeletion, [
          project,
          await digestOf(client, project, deletion),
          entity.id,
          formatTimestamp(deletedAt),
        ])
        return Number(rows[0]?.deleted_at)
      }).catch(failed)
      const { rows } = await pool.query<{ writer: string }>(selectWriters).catch(failed)
      return { deletedAt: stands, unaware: rows.map(({ writer }) => writer) }
    },

    async haveEnded(unaware) {
      const { rows } = await pool
        .query<{ writer: string }>(selectWriters)
        .catch(storeFailed('waiting for other transactions'))
      return !rows.some(({ writer }) => unaware.includes(writer))
    },

    async erase(deletion, deletedAt) {
      return await inTransaction(pool, async (client) => {
        const digest = await digestOf(client, project, deletion)
        const counts = new Map<string, number>()
        const removed = await removedViews(client, project, deletion)
        const whole = { ...deletion, views: [...deletion.views, ...removed] }
        for (const { place, sql, keysOf, returned } of eraseStatements(project, whole, deletedAt)) {
          const { rows, rowCount } = await client.query<unknown[]>(inArrays(sql))
          const erased =
            keysOf.length === 0
              ? (rowCount ?? 0)
              : rows.reduce((sum, columns) => sum + Number(columns[returned.length]), 0)
          counts.set(place, (counts.get(place) ?? 0) + erased)
          for (const view of keysOf) {
            const places = view.entity.joinKeys.map(({ name }) => returned.indexOf(name))
            const found = rows
              .map((columns) => places.map((one) => columns[one]))
              // Events may be older than the view, and without one of its join keys.
              .filter((columns) => !columns.includes(null))
            const keys = [...new Set(found.map((columns) => JSON.stringify(readKey(view, columns))))]
            if (keys.length > 0) await client.query(insertOnlineKeys, [project, digest, view.id, keys])
          }
        }
        // What was made of them cannot be made again.
        if ([...counts.values()].some((rows) => rows > 0)) await client.query(markErased, [project, digest])
        // Events of before may have been read again since the deletion was recorded.
        await client.query('update featuregraph.deletion_secrets set marks = marks + 1 where project = $1', [
          project,
        ])
        return [...counts].map(([place, rows]) => ({ place, rows }))
      }).catch(storeFailed(`deleting of ${deletion.entity.name}`))
    },

    async onlineKeys(deletion) {
      const failed = storeFailed(`reading the keys of ${deletion.entity.name}`)
      const remembered = await pool
        .query<{ view: string; key: unknown }>(
          `select view, key from featuregraph.deletion_online_keys where project = $1 and digest = decode($2, 'hex')`,
          [project, await digestOf(pool, project, deletion).catch(failed)],
        )
        .catch(failed)
      const standing = await standingKeys(pool, project, deletion).catch(failed)
      const all = [
        ...remembered.rows.map(({ view, key }) => ({ view, key: storedKey.parse(key) })),
        ...standing,
      ]
      return [...new Map(all.map((one) => [JSON.stringify([one.view, one.key]), one])).values()]
    },

    async removedViews(deletion) {
      const found = await removedViews(pool, project, deletion).catch(
        storeFailed(`reading which tables have rows of ${deletion.entity.name}`),
      )
      return found.map(({ id }) => id)
    },

    async forgetOnlineKeys(deletion, keys) {
      const failed = storeFailed(`deleting of ${deletion.entity.name}`)
      await pool
        .query(
          `delete from featuregraph.deletion_online_keys as o using unnest($3::text[], $4::text[]) as k(view, key)
           where o.project = $1 and o.digest = decode($2, 'hex') and o.view = k.view and o.key = k.key::jsonb`,
          [
            project,
            await digestOf(pool, project, deletion).catch(failed),
            keys.map(({ view }) => view),
            keys.map(({ key }) => JSON.stringify(key)),
          ],
        )
        .catch(failed)
    },
  }
}

/** In hex; of nothing while the project has no secret, and so no deletion. */
async function digestOf(
  client: Pick<pg.Pool, 'query'> | Pick<pg.ClientBase, 'query'>,
  project: string,
  { entity, key }: EntityToDelete,
): Promise<string> {
  const { rows } = await client.query<{ secret: Buffer }>(
    'select secret from featuregraph.deletion_secrets where project = $1',
    [project],
  )
  const [row] = rows
  return row === undefined ? '' : deletionDigest(row.secret, deletionText(entity.joinKeys, key) ?? '')
}

function inArrays({ text, values }: Sql): pg.QueryArrayConfig<unknown[]> {
  return { text, values: [...values], rowMode: 'array' }
}

function readKey(view: DeletionView, columns: readonly unknown[]): EntityKey {
  const key = view.entity.joinKeys.map(({ type }, place) => fromSql(type, columns[place], () => {}))
  return key as readonly KeyValue[]
}

async function standingKeys(
  pool: pg.Pool,
  project: string,
  deletion: EntityToDelete,
): Promise<readonly OnlineKey[]> {
  const found: OnlineKey[] = []
  for (const view of deletion.views) {
    if (!isWider(view, deletion)) continue
    const { rows } = await pool.query<unknown[]>(inArrays(widerKeysSql(project, view, deletion)))
    for (const columns of rows) found.push({ view: view.id, key: readKey(view, columns) })
  }
  return found
}
