import { offsetCommitV8 } from '@platformatic/kafka'
import type { StoreFailed } from '../../errors.ts'
import { partitionName, type StreamPosition, type TopicPartition } from '../event-stream.ts'
import type { Cluster } from './cluster.ts'
import type { GroupMembership } from './group-membership.ts'
import { protocolErrorsIn, storeFailed } from './protocol-error.ts'

/** The group's offsets in Kafka. Only operators read them, so nothing waits for them but the end of an ownership. */
export interface OffsetCommits {
  /** To be sent with the next `flush`, in place of an earlier one of the same partition. */
  readonly add: (positions: readonly StreamPosition[]) => void
  readonly forget: (partition: TopicPartition) => void
  /** Sends what has not been acknowledged, once; what fails waits for the next. Never rejects. */
  readonly flush: () => Promise<void>
}

/** In the middle of a rebalance: the partitions may stay ours, and are committed in the new generation. */
const outdated = ['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID']

export function offsetCommits(
  cluster: Cluster,
  group: string,
  member: GroupMembership['member'],
  onError: (error: StoreFailed) => void,
): OffsetCommits {
  const waiting = new Map<string, StreamPosition>()
  let sending: Promise<void> | null = null

  const send = async (): Promise<void> => {
    const [positions, signer] = [[...waiting.values()], member()]
    if (positions.length === 0 || signer === null) return
    const topics = positions.map(({ topic, partition, offset }) => {
      const committed = { committedOffset: BigInt(offset), committedLeaderEpoch: -1, committedMetadata: null }
      return { name: topic, partitions: [{ partitionIndex: partition, ...committed }] }
    })
    try {
      const { generation, id } = signer
      await cluster.requestCoordinator(group, offsetCommitV8.api, group, generation, id, null, topics)
      for (const one of positions)
        if (waiting.get(partitionName(one)) === one) waiting.delete(partitionName(one))
    } catch (error) {
      if (outdated.some((name) => protocolErrorsIn(error).has(name))) return
      onError(storeFailed(`Kafka did not take the offsets of the group "${group}"`, error))
    }
  }

  return {
    add: (positions) => {
      for (const one of positions) waiting.set(partitionName(one), one)
    },
    forget: (partition) => {
      waiting.delete(partitionName(partition))
    },
    flush: async () => {
      // One that is under way may lack the newest.
      await sending
      sending ??= send().finally(() => {
        sending = null
      })
      await sending
    },
  }
}
