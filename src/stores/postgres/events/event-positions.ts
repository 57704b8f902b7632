import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import { StoreFailed } from '../../../errors.ts'
import { microsOf } from '../sql/column-type.ts'

/** The partitions of one topic of a source, and the moment at which events are stored there. */
export interface PositionsTarget {
  readonly project: string
  readonly source: { readonly name: string }
  readonly topicId: number
  readonly storedAt: Micros
}

/** A file's events up to there are stored by this transaction. */
export async function recordPosition(
  client: pg.ClientBase,
  target: PositionsTarget,
  nextOffset: number,
): Promise<void> {
  await advancePositions(client, target, [{ partition: 0, offset: nextOffset - 1 }])
}

/**
 * Moves each partition behind its last message, and locks it until the transaction ends; answers by partition where it
 * stood before, 0 for new ones, and the latest moment of any, this one included. Rejects with `StoreFailed` when two make a
 * partition at the same moment: the second then finds it made.
 */
export async function advancePositions(
  client: pg.ClientBase,
  { project, source, topicId, storedAt }: PositionsTarget,
  messages: readonly { readonly partition: number; readonly offset: number }[],
): Promise<{ readonly before: ReadonlyMap<number, number>; readonly latest: Micros }> {
  const ends = new Map<number, number>()
  for (const { partition, offset } of messages)
    ends.set(partition, Math.max(ends.get(partition) ?? 0, offset + 1))
  const { rows } = await client.query<{
    partition: number
    next_offset: string | null
    is_new: boolean
    latest: string
  }>(
    `with before as (
       select partition, next_offset from featuregraph.event_positions
       where project = $1 and source = $2 and topic_id = $3 and partition = any($4::int[])
       order by partition for update
     ), moved as (
       insert into featuregraph.event_positions (project, source, topic_id, partition, next_offset, stored_at)
       select $1, $2, $3, e.partition, e.next_offset, $6
       from unnest($4::int[], $5::bigint[]) as e(partition, next_offset)
       where (select count(*) from before) >= 0
       order by e.partition
       on conflict (project, source, topic_id, partition) do update
       set next_offset = greatest(event_positions.next_offset, excluded.next_offset),
         stored_at = greatest(event_positions.stored_at, excluded.stored_at)
       returning partition, xmax = 0 as is_new, ${microsOf('stored_at')} as latest
     )
     select m.partition, b.next_offset, m.is_new, m.latest
     from moved as m left join before as b on b.partition = m.partition`,
    [project, source.name, topicId, [...ends.keys()], [...ends.values()], formatTimestamp(storedAt)],
  )
  if (rows.some(({ next_offset, is_new }) => next_offset === null && !is_new))
    throw new StoreFailed(`partitions of ${source.name} were made by another process at the same moment`)
  return {
    before: new Map(rows.map(({ partition, next_offset }) => [partition, Number(next_offset ?? 0)])),
    latest: Math.max(...rows.map(({ latest }) => Number(latest))),
  }
}

/** So many places at the end of partition 0, locked until the transaction ends; answers the first, and the latest moment. */
export async function reservePlaces(
  client: pg.ClientBase,
  { project, source, topicId, storedAt }: PositionsTarget,
  count: number,
): Promise<{ readonly first: number; readonly latest: Micros }> {
  const { rows } = await client.query<{ next_offset: string; latest: string }>(
    `insert into featuregraph.event_positions (project, source, topic_id, partition, next_offset, stored_at)
     values ($1, $2, $3, 0, $4, $5)
     on conflict (project, source, topic_id, partition) do update set next_offset = event_positions.next_offset + $4,
       stored_at = greatest(event_positions.stored_at, excluded.stored_at)
     returning next_offset, ${microsOf('stored_at')} as latest`,
    [project, source.name, topicId, count, formatTimestamp(storedAt)],
  )
  return { first: Number(rows[0]?.next_offset ?? 0) - count, latest: Number(rows[0]?.latest) }
}
