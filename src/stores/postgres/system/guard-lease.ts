import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import type { GuardLease } from '../../guard-lease.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'

const leaseTime = `interval '5 seconds'`
const isOurs = `project = $1 and holder = $2 and expires_at > now()`

const holdSql = `insert into featuregraph.online_guards as g (project, holder, expires_at, tick)
values ($1, $2, now() + ${leaseTime}, coalesce($3, 0))
on conflict (project) do update
set holder = excluded.holder, expires_at = excluded.expires_at, tick = greatest(g.tick, excluded.tick)
where g.holder = excluded.holder or g.expires_at is null or g.expires_at < now()
returning epoch, tick`

const markedSql = `select w.view_id, coalesce(v.generation, 0) as generation, w.marker, w.next_marker
from featuregraph.watermarks as w
left join featuregraph.online_views as v on v.project = w.project and v.view_id = w.view_id
where w.project = $1`

/** Tiles that no process follows any more stop counting with the next epoch. */
const tilesBehindSql = `select count(*) as behind
from featuregraph.tile_generations as t join featuregraph.online_guards as g on g.project = t.project
where t.project = $1 and t.state = 'LIVE' and t.caught_up_epoch = g.epoch and coalesce(t.caught_up_check, 0) < $2`

const beginEpochSql = `update featuregraph.online_guards set epoch = epoch + 1, tick = greatest(tick, $3) where ${isOurs} returning epoch`

const renewSql = `insert into featuregraph.online_views (project, view_id, generation)
select $1, v.view_id, v.generation from unnest($2::text[], $3::int[]) as v(view_id, generation)
on conflict (project, view_id) do update set generation = excluded.generation`

const leaveOverSql = `insert into featuregraph.online_leftovers (project, key_prefix)
select $1, unnest($2::text[]) on conflict do nothing`

const completeSql = `with done as (
  insert into featuregraph.online_views as o (project, view_id, filled) select $1, unnest($3::text[]), true
  on conflict (project, view_id) do update set filled = true returning view_id, generation
)
insert into featuregraph.online_fills (project, epoch, view_id, generation) select $1, $2, view_id, generation from done`

const keepTilesSql = `update featuregraph.tile_generations set caught_up_epoch = $2
where project = $1 and state = 'LIVE' and caught_up_epoch = $2 - 1 and caught_up_check >= $3`

const renewTilesSql = `update featuregraph.tile_generations set state = 'RETIRED', changed_at = now()
where project = $1 and state <> 'RETIRED'`

/** A lease in a row, so that it needs no session; `holder` is the process's id. */
export function postgresGuardLease(pool: pg.Pool, project: string, holder = randomUUID()): GuardLease {
  return {
    async hold(tick) {
      const { rows } = await pool
        .query<{ epoch: string; tick: string }>(holdSql, [project, holder, tick])
        .catch(storeFailed("taking the guard's lease"))
      const [row] = rows
      return row ? { epoch: Number(row.epoch), tick: Number(row.tick) } : null
    },
    async release() {
      await pool
        .query(
          `update featuregraph.online_guards set holder = null, expires_at = null where project = $1 and holder = $2`,
          [project, holder],
        )
        .catch(storeFailed("releasing the guard's lease"))
    },
    async beginCheck() {
      const { rows } = await pool
        .query<{ check_number: string }>(
          `update featuregraph.online_guards set check_number = check_number + 1 where ${isOurs} returning check_number`,
          [project, holder],
        )
        .catch(storeFailed('beginning a check of the online store'))
      return Number(rows[0]?.check_number ?? 0)
    },
    async markedViews() {
      const { rows } = await pool
        .query<{ view_id: string; generation: number; marker: string; next_marker: string | null }>(
          markedSql,
          [project],
        )
        .catch(storeFailed('reading the markers of views'))
      return rows.map((row) => ({
        viewId: row.view_id,
        generation: row.generation,
        markers: row.next_marker === null ? [row.marker] : [row.marker, row.next_marker],
      }))
    },
    async tilesCaughtUp(check) {
      const { rows } = await pool
        .query<{ behind: string }>(tilesBehindSql, [project, check])
        .catch(storeFailed('reading whether tiles are caught up'))
      return Number(rows[0]?.behind) === 0
    },
    async beginEpoch({ tick, complete, renewed, tiles }) {
      return await inTransaction(pool, async (client) => {
        const { rows } = await client.query<{ epoch: string }>(beginEpochSql, [project, holder, tick])
        const [row] = rows
        if (!row) return null
        const epoch = Number(row.epoch)
        await client.query(renewSql, [
          project,
          renewed.map(({ viewId }) => viewId),
          renewed.map(({ generation }) => generation),
        ])
        await client.query(leaveOverSql, [project, renewed.map(({ oldPrefix }) => oldPrefix)])
        await client.query(completeSql, [project, epoch, complete])
        await client.query('delete from featuregraph.online_fills where project = $1 and epoch < $2', [
          project,
          epoch - 1,
        ])
        if (tiles.kind === 'RENEW') await client.query(renewTilesSql, [project])
        else await client.query(keepTilesSql, [project, epoch, tiles.check])
        return epoch
      }).catch(storeFailed('beginning an epoch of the online store'))
    },
  }
}
