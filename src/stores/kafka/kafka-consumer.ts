import { setTimeout as sleep } from 'node:timers/promises'
import { offsetCommitV8, offsetCommitV9, offsetFetchV8, offsetFetchV9 } from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import {
  type AssignedPartition,
  type ConsumeOptions,
  partitionName,
  type StreamConsumer,
  type StreamMessage,
  type StreamPosition,
  type TopicPartition,
} from '../event-stream.ts'
import type { Cluster } from './cluster.ts'
import { type GroupTimeouts, joinGroup } from './group-membership.ts'
import { listOffsets } from './list-offsets.ts'
import { partitionFetcher } from './partition-fetcher.ts'
import { protocolErrorsIn, storeFailed } from './protocol-error.ts'
import { signal } from './signal.ts'

const commitVersions = [offsetCommitV9.api, offsetCommitV8.api]
const offsetFetchVersions = [offsetFetchV9.api, offsetFetchV8.api]
const commitMs = 10_000
const retryMs = 100
const toldEveryMs = 5_000

/** Owns `cluster` and closes it. */
export function kafkaConsumer(
  cluster: Cluster,
  options: ConsumeOptions,
  timeouts: GroupTimeouts,
): StreamConsumer {
  const { group, topics } = options
  const changed = signal()
  const told = new Map<string, number>()
  const onError = (error: StoreFailed): void => {
    const now = performance.now()
    if (now - (told.get(error.message) ?? Number.NEGATIVE_INFINITY) < toldEveryMs) return
    for (const [message, at] of told) if (now - at >= toldEveryMs) told.delete(message)
    told.set(error.message, now)
    options.onError(error)
  }
  /** Ours from before `onAssigned` until after `onRevoked`: nobody else has them meanwhile. */
  const owned = new Map<string, TopicPartition>()
  const lost = new Map<string, TopicPartition>()
  let [polling, closing] = [false, false]
  let idle = Promise.resolve()

  const fetcher = partitionFetcher({ cluster, onMessages: changed.raise, onError })
  const membership = joinGroup({
    ...timeouts,
    ...{ cluster, group, topics, onError, onChange: changed.raise },
    owned: () => [...owned.values()],
    onLost: () => {
      for (const [name, one] of owned) {
        lost.set(name, one)
        fetcher.remove(one)
      }
      owned.clear()
    },
  })

  /** Brings what we own in line with what is assigned; false when there was trouble and it is to be tried again. */
  const settle = async (): Promise<boolean> => {
    tellLost()
    const isOurs = membership.assigned()
    await revoke([...owned.values()].filter((one) => !isOurs.has(partitionName(one))))
    tellLost()
    const fresh = [...membership.assigned()].filter(([name]) => !owned.has(name)).map(([, one]) => one)
    if (fresh.length === 0) return true
    // Before anything is awaited: from here on the group must not think that we let go of them.
    for (const one of fresh) owned.set(partitionName(one), one)
    let partitions: readonly AssignedPartition[]
    try {
      partitions = await startingPoints(fresh)
    } catch (error) {
      forgetLost(fresh)
      for (const one of fresh) giveBack(one)
      onError(storeFailed(`Kafka did not tell where the group "${group}" stands`, error))
      return false
    }
    forgetLost(fresh)
    const still = partitions.filter((one) => owned.has(partitionName(one)))
    for (const one of still) fetcher.add(one)
    try {
      if (still.length > 0) await options.onAssigned(still)
    } catch (error) {
      for (const one of still) giveBack(one)
      throw error
    }
    return true
  }
  const tellLost = (): void => {
    if (lost.size === 0) return
    const partitions = [...lost.values()]
    lost.clear()
    options.onLost(partitions)
  }
  /** Nothing was told of these yet. */
  const forgetLost = (partitions: readonly TopicPartition[]): void => {
    for (const one of partitions) if (!owned.has(partitionName(one))) lost.delete(partitionName(one))
  }
  const giveBack = (one: TopicPartition): void => {
    owned.delete(partitionName(one))
    fetcher.remove(one)
  }
  const revoke = async (partitions: readonly TopicPartition[]): Promise<void> => {
    if (partitions.length === 0) return
    try {
      await options.onRevoked(partitions)
    } finally {
      for (const one of partitions) giveBack(one)
      membership.released()
    }
  }

  const startingPoints = async (
    partitions: readonly TopicPartition[],
  ): Promise<readonly AssignedPartition[]> => {
    const names = [...new Set(partitions.map(({ topic }) => topic))]
    const asked = names.map((name) => ({
      name,
      partitionIndexes: partitions.filter(({ topic }) => topic === name).map(({ partition }) => partition),
    }))
    const found = await cluster.topics(names, 0)
    const [answer, first] = await Promise.all([
      withCoordinator(
        async (node) =>
          await cluster.request(
            node,
            offsetFetchVersions,
            [{ groupId: group, memberEpoch: -1, topics: asked }],
            true,
          ),
      ),
      listOffsets(cluster, partitions, 'first'),
    ])
    const committed = new Map(
      answer.groups.flatMap((one) =>
        one.topics.flatMap((topic) =>
          topic.partitions.map(({ partitionIndex, committedOffset }) => [
            partitionName({ topic: topic.name, partition: partitionIndex }),
            Number(committedOffset),
          ]),
        ),
      ),
    )
    return partitions.map(({ topic, partition }) => {
      const name = partitionName({ topic, partition })
      const offset = committed.get(name) ?? -1
      const topicId = found.get(topic)?.id
      if (topicId === undefined) throw new StoreFailed(`there is no Kafka topic "${topic}"`)
      return { topic, partition, topicId, offset: offset >= 0 ? offset : (first.get(name) ?? 0) }
    })
  }
  const withCoordinator = async <Result>(work: (node: number) => Promise<Result>): Promise<Result> => {
    try {
      return await work(await cluster.coordinator(group))
    } catch (error) {
      cluster.forgetCoordinator()
      throw error
    }
  }

  const commit = async (positions: readonly StreamPosition[]): Promise<void> => {
    if (positions.length === 0) return
    const request = positions.map(({ topic, partition, offset }) => ({
      name: topic,
      partitions: [
        {
          partitionIndex: partition,
          committedOffset: BigInt(offset),
          committedLeaderEpoch: -1,
          committedMetadata: null,
        },
      ],
    }))
    const until = performance.now() + commitMs
    const ours = positions.map(mustBeOwned)
    for (;;) {
      // A partition that went and came again meanwhile is another matter: its new offsets may be ahead of these.
      for (const [index, one] of positions.entries())
        if (mustBeOwned(one) !== ours[index])
          throw new StoreFailed(`${partitionName(one)} was lost meanwhile`)
      const member = membership.member()
      try {
        if (member === null) throw new StoreFailed(`not a member of the Kafka group "${group}" now`)
        const { id, generation } = member
        await withCoordinator((node) =>
          cluster.request(node, commitVersions, group, generation, id, null, request),
        )
        return
      } catch (error) {
        const names = protocolErrorsIn(error)
        const now = membership.member()
        const isOutdated = names.has('ILLEGAL_GENERATION') || names.has('UNKNOWN_MEMBER_ID')
        // Signed in the middle of a rebalance: the partition stays ours, so it is signed anew afterwards.
        const isRebalance = now !== null && (!now.settled || now.generation !== member?.generation)
        const isRefused = [...names].some((name) => name.endsWith('AUTHORIZATION_FAILED'))
        const passes = isOutdated ? isRebalance || now === null : !isRefused
        if (!passes || performance.now() > until)
          throw storeFailed(`Kafka did not take the offsets of the group "${group}"`, error)
      }
      await sleep(retryMs)
    }
  }
  const mustBeOwned = (one: TopicPartition): TopicPartition => {
    const found = owned.get(partitionName(one))
    if (found === undefined)
      throw new StoreFailed(`the partition ${partitionName(one)} is not this consumer's`)
    return found
  }

  const poll: StreamConsumer['poll'] = async ({ maxMessages, waitMs }) => {
    membership.polled()
    const until = performance.now() + waitMs
    for (;;) {
      const settled = await settle()
      const messages: readonly StreamMessage[] = closing ? [] : fetcher.take(maxMessages)
      const leftMs = until - performance.now()
      if (messages.length > 0 || closing || leftMs <= 0) return messages
      await changed.wait(settled ? leftMs : Math.min(leftMs, retryMs))
    }
  }

  return {
    poll: async (pollOptions) => {
      if (polling || closing)
        throw new Error('a consumer is polled once at a time, and not after it was closed')
      polling = true
      const result = poll(pollOptions)
      idle = result.then(
        () => {},
        () => {},
      )
      try {
        return await result
      } finally {
        polling = false
      }
    },
    commit,
    seek: (position) => {
      mustBeOwned(position)
      fetcher.seek(position)
    },
    lag: async () => {
      const positions = fetcher.positions()
      try {
        const ends = await listOffsets(cluster, positions, 'end')
        return positions.map((one) => ({
          topic: one.topic,
          partition: one.partition,
          lag: Math.max(0, (ends.get(partitionName(one)) ?? one.offset) - one.offset),
        }))
      } catch (error) {
        throw storeFailed('Kafka did not tell where the partitions end', error)
      }
    },
    close: async () => {
      if (closing) return
      closing = true
      changed.raise()
      await idle
      try {
        tellLost()
        await revoke([...owned.values()])
      } finally {
        await membership.leave()
        await fetcher.close()
        await cluster.close().catch(() => {})
      }
    },
  }
}
