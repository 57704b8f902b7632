import { partitionName, type TopicPartition } from '../event-stream.ts'
import type { Subscription } from './group-protocol.ts'

export interface Member extends Subscription {
  readonly id: string
}

/**
 * Who gets which partition: evenly, and everyone keeps what it holds as far as that is even (the cooperative protocol of
 * KIP-429). A partition that moves is given to nobody yet while another holds it: that one, seeing that it is not its
 * own any more, lets go of it and joins again, and only then does it get its new owner. The same for one that two hold.
 * One entry per member, in the order of `members`; the result depends on nothing but the arguments.
 */
export function sharePartitions(
  members: readonly Member[],
  /** How many partitions each topic has. */
  counts: ReadonlyMap<string, number>,
): readonly { readonly id: string; readonly partitions: readonly TopicPartition[] }[] {
  const partitions = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => ({ topic, partition })))
  const takers = (topic: string): readonly string[] =>
    members.filter(({ topics }) => topics.includes(topic)).map(({ id }) => id)
  const holders = new Map<string, string[]>()
  for (const { id, held } of members)
    for (const name of held.map(partitionName)) holders.set(name, [...(holders.get(name) ?? []), id])
  const owned = new Map(members.map(({ id }) => [id, 0]))
  const countOf = (id: string): number => owned.get(id) ?? 0
  const target = new Map<string, string>()
  const give = (name: string, id: string): void => {
    const before = target.get(name)
    if (before !== undefined) owned.set(before, countOf(before) - 1)
    target.set(name, id)
    owned.set(id, countOf(id) + 1)
  }
  const fewest = (ids: readonly string[]): string | undefined =>
    ids.toSorted((a, b) => countOf(a) - countOf(b) || (a < b ? -1 : 1))[0]

  for (const one of partitions) {
    const [holder, another] = holders.get(partitionName(one)) ?? []
    if (holder !== undefined && another === undefined && takers(one.topic).includes(holder))
      give(partitionName(one), holder)
  }
  for (const one of partitions) {
    const taker = fewest(takers(one.topic))
    if (taker !== undefined && !target.has(partitionName(one))) give(partitionName(one), taker)
  }
  for (let moved = true; moved; ) {
    moved = false
    for (const one of partitions) {
      const [owner, taker] = [target.get(partitionName(one)), fewest(takers(one.topic))]
      if (owner === undefined || taker === undefined || countOf(owner) - countOf(taker) < 2) continue
      give(partitionName(one), taker)
      moved = true
    }
  }
  return members.map(({ id }) => ({
    id,
    partitions: partitions.filter((one) => {
      const name = partitionName(one)
      return target.get(name) === id && (holders.get(name) ?? []).every((holder) => holder === id)
    }),
  }))
}
