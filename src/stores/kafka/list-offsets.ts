import { setTimeout as sleep } from 'node:timers/promises'
import {
  listOffsetsV5,
  listOffsetsV6,
  listOffsetsV7,
  listOffsetsV8,
  listOffsetsV9,
} from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import { partitionName, type TopicPartition } from '../event-stream.ts'
import type { Cluster } from './cluster.ts'
import { answerIn, protocolError } from './protocol-error.ts'

const versions = [
  ...[listOffsetsV9.api, listOffsetsV8.api, listOffsetsV7.api, listOffsetsV6.api],
  listOffsetsV5.api,
]
const which = { first: -2n, end: -1n } as const
export const readCommitted = 1

/** A leader has moved, or does not know yet that it is one. */
const passing = new Set([
  ...[
    'NOT_LEADER_OR_FOLLOWER',
    'LEADER_NOT_AVAILABLE',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'REPLICA_NOT_AVAILABLE',
  ],
  ...['FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH', 'OFFSET_NOT_AVAILABLE'],
])
const attempts = 5

/**
 * The first offset of each partition, or its end: the next one to be written, or the first of an open transaction. By
 * `partitionName`. One request per leader, again for those whose leader is moving. Rejects when one cannot be told.
 */
export async function listOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  end: keyof typeof which,
): Promise<ReadonlyMap<string, number>> {
  const offsets = new Map<string, number>()
  const errors = new Map<string, string>()
  for (let attempt = 0; attempt < attempts; attempt++) {
    const left = partitions.filter((one) => !offsets.has(partitionName(one)))
    if (left.length === 0) break
    if (attempt > 0) await sleep(25 * 2 ** attempt)
    errors.clear()
    const topics = await cluster.topics(
      [...new Set(left.map(({ topic }) => topic))],
      attempt === 0 ? 1_000 : 0,
    )
    const byLeader = new Map<number, TopicPartition[]>()
    for (const one of left) {
      const leader = topics.get(one.topic)?.leaders[one.partition] ?? -1
      if (leader < 0) errors.set(partitionName(one), 'LEADER_NOT_AVAILABLE')
      else byLeader.set(leader, [...(byLeader.get(leader) ?? []), one])
    }
    await Promise.all(
      [...byLeader].map(async ([leader, ones]) => {
        for (const { name, errorCode, offset } of await ask(cluster, leader, ones, which[end])) {
          if (errorCode === 0) offsets.set(name, Number(offset))
          else errors.set(name, protocolError(errorCode))
        }
      }),
    )
    if ([...errors.values()].some((error) => !passing.has(error))) break
  }
  const told = [...errors].map(([name, error]) => `${name}: ${error}`)
  if (told.length > 0) throw new StoreFailed(`Kafka did not tell the offsets of ${told.join(', ')}`)
  return offsets
}

async function ask(cluster: Cluster, leader: number, ones: readonly TopicPartition[], timestamp: bigint) {
  const asked = ones.map(({ topic, partition }) => ({
    name: topic,
    partitions: [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp }],
  }))
  const { topics } = await answerIn(cluster.request(leader, versions, -1, readCommitted, asked))
  return topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex, errorCode, offset }) => {
      return { name: partitionName({ topic, partition: partitionIndex }), errorCode, offset }
    }),
  )
}
