import type pg from 'pg'

interface PartitionEnd {
  readonly partition: number
  readonly nextOffset: number
}

/** At the end of the transaction that keeps events up to there; the row is locked from here on. */
export async function recordPositions(
  client: pg.ClientBase,
  project: string,
  source: string,
  topicId: number,
  ends: readonly PartitionEnd[],
): Promise<void> {
  await client.query(
    `insert into featuregraph.event_positions (project, source, topic_id, partition, next_offset)
     select $1, $2, $3, e.partition, e.next_offset
     from unnest($4::int[], $5::bigint[]) as e(partition, next_offset) order by e.partition
     on conflict (project, source, topic_id, partition) do update
     set next_offset = greatest(event_positions.next_offset, excluded.next_offset)`,
    [
      project,
      source,
      topicId,
      ends.map(({ partition }) => partition),
      ends.map(({ nextOffset }) => nextOffset),
    ],
  )
}

/** The end of each partition among events, the offset behind the last one. */
export function partitionEnds(
  events: readonly { readonly partition: number; readonly offset: number }[],
): readonly PartitionEnd[] {
  const ends = new Map<number, number>()
  for (const { partition, offset } of events)
    ends.set(partition, Math.max(ends.get(partition) ?? 0, offset + 1))
  return [...ends].map(([partition, nextOffset]) => ({ partition, nextOffset }))
}
