import { setTimeout as sleep } from 'node:timers/promises'
import { listOffsetsV7 } from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import { partitionName, type TopicPartition } from '../event-stream.ts'
import type { Cluster } from './cluster.ts'
import { answerIn, protocolError } from './protocol-error.ts'

const which = { first: -2n, end: -1n } as const
export const readCommitted = 1
const attempts = 5

/**
 * The first offset of each partition, or its end: the next one to be written, or the first of an open transaction. By
 * `partitionName`. One request per leader, some more while a leader moves. Rejects when one is not to be had.
 */
export async function listOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  end: keyof typeof which,
): Promise<ReadonlyMap<string, number>> {
  const offsets = new Map<string, number>()
  for (let attempt = 1; ; attempt++) {
    const left = partitions.filter((one) => !offsets.has(partitionName(one)))
    if (left.length === 0) return offsets
    const names = [...new Set(left.map(({ topic }) => topic))]
    const topics = await cluster.topics(names, attempt === 1 ? 1_000 : 0)
    const errors: string[] = []
    const byLeader = new Map<number, TopicPartition[]>()
    for (const one of left) {
      const leader = topics.get(one.topic)?.leaders[one.partition] ?? -1
      if (leader < 0) errors.push(`${partitionName(one)}: LEADER_NOT_AVAILABLE`)
      else byLeader.set(leader, [...(byLeader.get(leader) ?? []), one])
    }
    const answers = await Promise.all(
      [...byLeader].map(([leader, led]) => ask(cluster, leader, led, which[end])),
    )
    for (const { name, errorCode, offset } of answers.flat()) {
      if (errorCode === 0) offsets.set(name, Number(offset))
      else errors.push(`${name}: ${protocolError(errorCode)}`)
    }
    if (errors.length > 0 && attempt === attempts)
      throw new StoreFailed(`Kafka did not return the offsets of ${errors.join(', ')}`)
    if (errors.length > 0) await sleep(25 * 2 ** attempt)
  }
}

async function ask(cluster: Cluster, leader: number, led: readonly TopicPartition[], timestamp: bigint) {
  const asked = led.map(({ topic, partition }) => ({
    name: topic,
    partitions: [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp }],
  }))
  const { topics } = await answerIn(cluster.request(leader, listOffsetsV7.api, -1, readCommitted, asked))
  return topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex, errorCode, offset }) => {
      return { name: partitionName({ topic, partition: partitionIndex }), errorCode, offset }
    }),
  )
}
