import type pg from 'pg'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { GenerationState, TileGenerations } from '../../tile-generations.ts'
import { microsOf } from '../sql/column-type.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'

interface Row {
  readonly view_id: string
  readonly fingerprint: string
  readonly generation: number
  readonly state: GenerationState
  readonly changed_at: string
  readonly level_at: string | null
  readonly caught_up_epoch: string | null
  readonly correction: string
}

/** Generations of one project's tiles, in the system tables. */
export function postgresTileGenerations(pool: pg.Pool, project: string): TileGenerations {
  return {
    async list() {
      const { rows } = await pool
        .query<Row>(
          `select view_id, fingerprint, generation, state, ${microsOf('changed_at')} as changed_at, ${microsOf('level_at')} as level_at,
             caught_up_epoch, correction
           from featuregraph.tile_generations where project = $1 order by view_id, fingerprint, generation`,
          [project],
        )
        .catch(storeFailed('reading the generations of tiles'))
      return rows.map((row) => ({
        viewId: row.view_id,
        fingerprint: Number(row.fingerprint),
        generation: row.generation,
        state: row.state,
        changedAt: Number(row.changed_at),
        watermark: row.level_at === null ? null : Number(row.level_at),
        caughtUpEpoch: row.caught_up_epoch === null ? null : Number(row.caught_up_epoch),
        correction: Number(row.correction),
      }))
    },
    async begin({ viewId, fingerprint }, generation, at) {
      await pool
        .query(
          `insert into featuregraph.tile_generations (project, view_id, fingerprint, generation, state, changed_at, correction)
           select $1, $2, $3, $4, 'BUILDING', $5, coalesce(max(c.id), 0)
           from featuregraph.clock_corrections as c where c.project = $1
           on conflict do nothing`,
          [project, viewId, fingerprint, generation, formatTimestamp(at)],
        )
        .catch(storeFailed('beginning a generation of tiles'))
    },
    async goLive({ viewId, fingerprint }, generation, at) {
      const own = [project, viewId, fingerprint, generation, formatTimestamp(at)]
      await inTransaction(pool, async (client) => {
        const { rowCount } = await client.query(
          `select from featuregraph.tile_generations
           where project = $1 and view_id = $2 and fingerprint = $3 and generation = $4 and state = 'BUILDING' for update`,
          own.slice(0, 4),
        )
        if (rowCount === 0) return
        await client.query(
          `update featuregraph.tile_generations set state = 'RETIRED', changed_at = $5
           where project = $1 and view_id = $2 and fingerprint = $3 and generation <> $4 and state = 'LIVE'`,
          own,
        )
        await client.query(
          `update featuregraph.tile_generations set state = 'LIVE', changed_at = $5
           where project = $1 and view_id = $2 and fingerprint = $3 and generation = $4`,
          own,
        )
      }).catch(storeFailed('switching to a generation of tiles'))
    },
    async retireOthers(viewIds, at) {
      await pool
        .query(
          `update featuregraph.tile_generations set state = 'RETIRED', changed_at = $3
           where project = $1 and view_id <> all ($2::text[]) and state <> 'RETIRED'`,
          [project, viewIds, formatTimestamp(at)],
        )
        .catch(storeFailed('retiring tiles of removed views'))
    },
    async forget({ viewId, fingerprint }, generation, keyPrefix) {
      await pool
        .query(
          `with gone as (
             delete from featuregraph.tile_generations
             where project = $1 and view_id = $2 and fingerprint = $3 and generation = $4 and state = 'RETIRED' returning 1)
           insert into featuregraph.online_leftovers (project, key_prefix) select $1, $5 from gone on conflict do nothing`,
          [project, viewId, fingerprint, generation, keyPrefix],
        )
        .catch(storeFailed('forgetting a generation of tiles'))
    },
    async recordWatermarks(watermarks) {
      if (watermarks.length === 0) return
      await pool
        .query(
          `update featuregraph.tile_generations as g set level_at = greatest(g.level_at, l.at),
             caught_up_epoch = greatest(g.caught_up_epoch, l.epoch), caught_up_check = greatest(g.caught_up_check, l.check_number)
           from unnest($2::text[], $3::bigint[], $4::int[], $5::timestamptz[], $6::bigint[], $7::bigint[])
             as l(view_id, fingerprint, generation, at, epoch, check_number)
           where g.project = $1 and g.view_id = l.view_id and g.fingerprint = l.fingerprint and g.generation = l.generation`,
          [
            project,
            watermarks.map(({ viewId }) => viewId),
            watermarks.map(({ fingerprint }) => fingerprint),
            watermarks.map(({ generation }) => generation),
            watermarks.map(({ at }) => (at === null ? null : formatTimestamp(at))),
            watermarks.map(({ caughtUpIn }) => caughtUpIn?.epoch ?? null),
            watermarks.map(({ caughtUpIn }) => caughtUpIn?.check ?? null),
          ],
        )
        .catch(storeFailed('recording how far the tiles are caught up'))
    },
  }
}
