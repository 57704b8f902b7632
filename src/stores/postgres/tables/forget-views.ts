import type pg from 'pg'
import { generationKeyPrefix } from '../../online-value/online-key.ts'

/** What is recorded of a view by its id. Its row in `views` stays, and under which keys its online rows are to be written. */
const recorded = [
  'push_receipts',
  'row_layouts',
  'snapshots',
  'superseded_definitions',
  'watermarks',
  'online_fills',
  'view_definitions',
]

/**
 * On the connection's transaction. What is left online stands under keys that are never read again, also when a view of the
 * same id comes: it is written under a new key generation.
 */
export async function forgetViews(
  client: pg.PoolClient,
  project: string,
  viewIds: readonly string[],
): Promise<void> {
  for (const table of recorded)
    await client.query(
      `delete from featuregraph.${table} where project = $1 and view_id = any ($2::text[])`,
      [project, viewIds],
    )
  await client.query(
    `update featuregraph.tile_generations set state = 'RETIRED', changed_at = now()
     where project = $1 and view_id = any ($2::text[]) and state <> 'RETIRED'`,
    [project, viewIds],
  )
  await renewKeys(client, project, viewIds)
}

async function renewKeys(client: pg.PoolClient, project: string, viewIds: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ id: string; generation: number }>(
    `select v.id, coalesce(o.generation, 0) as generation from featuregraph.views as v
     left join featuregraph.online_views as o on o.project = v.project and o.view_id = v.id where v.project = $1`,
    [project],
  )
  // The keys of two views must not meet: a prefix has 24 bits.
  const taken = new Set(rows.map(({ id, generation }) => generationKeyPrefix(project, id, generation)))
  for (const { id, generation } of rows.filter((row) => viewIds.includes(row.id))) {
    let next = generation + 1
    while (taken.has(generationKeyPrefix(project, id, next))) next += 1
    taken.add(generationKeyPrefix(project, id, next))
    await client.query(
      `insert into featuregraph.online_views as o (project, view_id, generation) values ($1, $2, $3)
       on conflict (project, view_id) do update set generation = excluded.generation, filled = false`,
      [project, id, next],
    )
    await client.query(
      'insert into featuregraph.online_leftovers (project, key_prefix) values ($1, $2) on conflict do nothing',
      [project, generationKeyPrefix(project, id, generation)],
    )
  }
}
