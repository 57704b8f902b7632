import type pg from 'pg'
import { StoreFailed } from '../../../errors.ts'

/** A file's events up to there are stored by this transaction. */
export async function recordPosition(
  client: pg.ClientBase,
  project: string,
  source: string,
  topicId: number,
  nextOffset: number,
): Promise<void> {
  await advancePositions(client, project, source, topicId, [{ partition: 0, offset: nextOffset - 1 }])
}

/**
 * Moves each partition behind its last message, and locks it until the transaction ends; answers by partition where it
 * stood before, 0 for new ones. Rejects with `StoreFailed` when two make a partition at the same
 * moment: the second then finds it made.
 */
export async function advancePositions(
  client: pg.ClientBase,
  project: string,
  source: string,
  topicId: number,
  messages: readonly { readonly partition: number; readonly offset: number }[],
): Promise<ReadonlyMap<number, number>> {
  const ends = new Map<number, number>()
  for (const { partition, offset } of messages)
    ends.set(partition, Math.max(ends.get(partition) ?? 0, offset + 1))
  const { rows } = await client.query<{ partition: number; next_offset: string | null; is_new: boolean }>(
    `with before as (
       select partition, next_offset from featuregraph.event_positions
       where project = $1 and source = $2 and topic_id = $3 and partition = any($4::int[])
       order by partition for update
     ), moved as (
       insert into featuregraph.event_positions (project, source, topic_id, partition, next_offset)
       select $1, $2, $3, e.partition, e.next_offset
       from unnest($4::int[], $5::bigint[]) as e(partition, next_offset)
       where (select count(*) from before) >= 0
       order by e.partition
       on conflict (project, source, topic_id, partition) do update
       set next_offset = greatest(event_positions.next_offset, excluded.next_offset)
       returning partition, xmax = 0 as is_new
     )
     select m.partition, b.next_offset, m.is_new from moved as m left join before as b on b.partition = m.partition`,
    [project, source, topicId, [...ends.keys()], [...ends.values()]],
  )
  if (rows.some(({ next_offset, is_new }) => next_offset === null && !is_new))
    throw new StoreFailed(`partitions of ${source} were made by another process at the same moment`)
  return new Map(rows.map(({ partition, next_offset }) => [partition, Number(next_offset ?? 0)]))
}

/** So many places at the end of partition 0, locked until the transaction ends; answers the first. */
export async function reservePlaces(
  client: pg.ClientBase,
  project: string,
  source: string,
  topicId: number,
  count: number,
): Promise<number> {
  const { rows } = await client.query<{ next_offset: string }>(
    `insert into featuregraph.event_positions (project, source, topic_id, partition, next_offset)
     values ($1, $2, $3, 0, $4)
     on conflict (project, source, topic_id, partition) do update set next_offset = event_positions.next_offset + $4
     returning next_offset`,
    [project, source, topicId, count],
  )
  return Number(rows[0]?.next_offset ?? 0) - count
}
