import { StoreFailed } from '../../errors.ts'
import { atMostEvery } from '../../rate-limit.ts'
import {
  type AssignedPartition,
  type ConsumeOptions,
  partitionName,
  type StreamConsumer,
  type StreamMessage,
  type TopicPartition,
} from '../event-stream.ts'
import type { Cluster } from './cluster.ts'
import { offsetCommits } from './commit-offsets.ts'
import { type GroupTimeouts, joinGroup } from './group-membership.ts'
import { listOffsets } from './list-offsets.ts'
import { partitionFetcher } from './partition-fetcher.ts'
import { storeFailed } from './protocol-error.ts'
import { signal } from './signal.ts'

const reportEveryMs = 5_000
const topicIdMs = 1_000

/** Ours from before `onAssigned` until after `onRevoked`. */
interface OwnedPartition extends AssignedPartition {
  /** The group has given it to another meanwhile. */
  isLost: boolean
}

/** Owns `cluster` and closes it. */
export function kafkaConsumer(
  cluster: Cluster,
  options: ConsumeOptions,
  timeouts: GroupTimeouts,
): StreamConsumer {
  const { group, topics } = options
  const changed = signal()
  const isNews = atMostEvery(reportEveryMs)
  const onError = (error: StoreFailed): void => {
    if (isNews(error.message)) options.onError(error)
  }
  const owned = new Map<string, OwnedPartition>()
  let [isPolling, isClosing] = [false, false]
  let idle = Promise.resolve()

  const fetcher = partitionFetcher({ cluster, onMessages: changed.raise, onError })
  const membership = joinGroup({
    ...timeouts,
    ...{ cluster, group, topics, onError, onChange: changed.raise },
    owned: () => [...owned.values()].filter(({ isLost }) => !isLost),
    onLost: () => {
      for (const one of owned.values()) {
        one.isLost = true
        commits.forget(one)
      }
    },
  })
  const commits = offsetCommits(cluster, group, membership.member, onError)

  /** Brings what we own in line with what is assigned. */
  const settle = async (): Promise<void> => {
    const isAssigned = (one: TopicPartition): boolean => membership.assigned().has(partitionName(one))
    await revoke([...owned.values()].filter((one) => one.isLost || !isAssigned(one)))
    const fresh = await withTopicIds(
      [...membership.assigned().values()].filter((one) => !owned.has(partitionName(one))),
    )
    // The group may have taken some back meanwhile.
    const taken = fresh.filter(isAssigned)
    if (taken.length === 0) return
    for (const one of taken) owned.set(partitionName(one), { ...one, isLost: false })
    try {
      await options.onAssigned(taken)
    } catch (error) {
      giveBack(taken)
      throw error
    }
  }
  /** Those of topics that exist; none when the brokers do not answer. The next poll asks again. */
  const withTopicIds = async (
    partitions: readonly TopicPartition[],
  ): Promise<readonly AssignedPartition[]> => {
    if (partitions.length === 0) return []
    try {
      const found = await cluster.topics([...new Set(partitions.map(({ topic }) => topic))], topicIdMs)
      return partitions.flatMap(({ topic, partition }) => {
        const topicId = found.get(topic)?.id
        return topicId === undefined ? [] : [{ topic, partition, topicId }]
      })
    } catch (error) {
      onError(storeFailed(`Kafka did not describe the topics of the group "${group}"`, error))
      return []
    }
  }
  const revoke = async (partitions: readonly TopicPartition[]): Promise<void> => {
    if (partitions.length === 0) return
    try {
      await options.onRevoked(partitions)
    } finally {
      await commits.flush()
      giveBack(partitions)
      membership.released()
    }
  }
  const giveBack = (partitions: readonly TopicPartition[]): void => {
    for (const one of partitions) {
      owned.delete(partitionName(one))
      fetcher.remove(one)
      commits.forget(one)
    }
  }
  const ownedAt = (one: TopicPartition): OwnedPartition | null => {
    const found = owned.get(partitionName(one))
    return found === undefined || found.isLost ? null : found
  }

  const poll: StreamConsumer['poll'] = async ({ maxMessages, waitMs }) => {
    membership.polled()
    void commits.flush()
    const until = performance.now() + waitMs
    for (;;) {
      await settle()
      const messages: readonly StreamMessage[] = isClosing ? [] : fetcher.take(maxMessages)
      const leftMs = until - performance.now()
      if (messages.length > 0 || isClosing || leftMs <= 0) return messages
      await changed.wait(leftMs)
    }
  }

  return {
    poll: async (pollOptions) => {
      if (isPolling || isClosing)
        throw new Error('a consumer is polled once at a time, and not after it was closed')
      isPolling = true
      const result = poll(pollOptions)
      idle = result.then(
        () => {},
        () => {},
      )
      try {
        return await result
      } finally {
        isPolling = false
      }
    },
    commit: (positions) => commits.add(positions.filter((one) => ownedAt(one) !== null)),
    seek: (position) => {
      const partition = ownedAt(position)
      if (partition === null)
        throw new StoreFailed(`the partition ${partitionName(position)} is not this consumer's`)
      fetcher.read(partition, position.offset)
    },
    lag: async () => {
      const positions = fetcher.positions()
      try {
        const ends = await listOffsets(cluster, positions, 'end')
        return positions.map(({ topic, partition, offset }) => {
          const end = ends.get(partitionName({ topic, partition })) ?? offset
          return { topic, partition, offset, lag: Math.max(0, end - offset) }
        })
      } catch (error) {
        throw storeFailed('Kafka did not report where the partitions end', error)
      }
    },
    close: async () => {
      if (isClosing) return
      isClosing = true
      changed.raise()
      await idle
      try {
        await revoke([...owned.values()])
      } finally {
        await membership.leave()
        await fetcher.close()
        await cluster.close().catch(() => {})
      }
    },
  }
}
