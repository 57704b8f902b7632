import type { fetchV13 } from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import {
  type AssignedPartition,
  partitionName,
  type StreamMessage,
  type StreamPosition,
  type TopicPartition,
} from '../event-stream.ts'
import type { Cluster } from './cluster.ts'
import { fetchPartitions } from './fetch-partitions.ts'
import { listOffsets } from './list-offsets.ts'
import { protocolError, storeFailed } from './protocol-error.ts'
import { readBatches } from './read-batches.ts'

export interface PartitionFetcher {
  /** Reads the topic of that id from there on; what was fetched of the partition before is dropped. */
  readonly read: (partition: AssignedPartition, offset: number) => void
  readonly remove: (partition: TopicPartition) => void
  /** Up to `count` of what was fetched, in offset order within a partition; the partitions take turns. */
  readonly take: (count: number) => readonly StreamMessage[]
  /** Of each partition that is read: the next offset that `take` returns. */
  readonly positions: () => readonly StreamPosition[]
  readonly close: () => Promise<void>
}

export interface FetcherOptions {
  readonly cluster: Cluster
  readonly onMessages: () => void
  readonly onError: (error: StoreFailed) => void
}

/** No partition that has so much waiting is fetched, and none at all when all together have four times that. */
const waitingBytes = 1_048_576
const longPollMs = 250
/** Beside partitions that were left out since they have enough waiting: they may need more soon. */
const shortPollMs = 20
const requestTimeoutMs = 10_000
const retryMs = 200
const stalledMs = 5_000

/** Another object after each `read`: an answer to a request for the one before is dropped. */
interface Partition extends AssignedPartition {
  /** Fetched and not taken yet. */
  readonly waiting: StreamMessage[]
  bytes: number
  /** Null: to be asked for. */
  leader: number | null
  /** The next offset to fetch. */
  next: number
  notBefore: number
}

/** Reads partitions ahead, one request at a time to each leader, no further than a few megabytes. */
export function partitionFetcher({ cluster, onMessages, onError }: FetcherOptions): PartitionFetcher {
  const channel = cluster.beside(requestTimeoutMs)
  const partitions = new Map<string, Partition>()
  const busy = new Set<number>()
  let [isFinding, isClosed] = [false, false]
  let turn = 0

  const putOff = (partition: Partition, ms: number): void => {
    partition.notBefore = performance.now() + ms
  }
  /** Sends what is due to each leader that is not answering another request. */
  const pump = (): void => {
    if (isClosed) return
    const now = performance.now()
    const all = [...partitions.values()]
    const total = all.reduce((sum, { bytes }) => sum + bytes, 0)
    const due = new Map<number, Partition[]>()
    for (const partition of all) {
      const { leader, notBefore, bytes } = partition
      if (notBefore > now) continue
      if (leader === null) void findLeaders()
      else if (bytes < waitingBytes && total < 4 * waitingBytes)
        due.set(leader, [...(due.get(leader) ?? []), partition])
    }
    for (const [leader, asked] of due) {
      if (busy.has(leader)) continue
      busy.add(leader)
      void fetchFrom(leader, asked).finally(() => {
        busy.delete(leader)
        pump()
      })
    }
  }

  const findLeaders = async (): Promise<void> => {
    if (isFinding) return
    isFinding = true
    const leaderless = [...partitions.values()].filter(({ leader }) => leader === null)
    try {
      const topics = await cluster.topics([...new Set(leaderless.map(({ topic }) => topic))], retryMs)
      for (const partition of leaderless) {
        const topic = topics.get(partition.topic) ?? null
        const leader = topic?.leaders[partition.partition] ?? -1
        if (topic?.id !== partition.topicId) {
          const what =
            topic === null ? 'does not exist any more' : 'was created again: it is another topic now'
          onError(new StoreFailed(`Kafka topic "${partition.topic}" ${what}; nothing is read of it`))
          putOff(partition, stalledMs)
        } else if (leader >= 0) partition.leader = leader
        else putOff(partition, retryMs)
      }
    } catch (error) {
      onError(storeFailed('Kafka did not name the leaders of partitions', error))
      for (const partition of leaderless) putOff(partition, retryMs)
    } finally {
      isFinding = false
    }
    pump()
  }

  const fetchFrom = async (leader: number, asked: readonly Partition[]): Promise<void> => {
    const isPartOfLeader = [...partitions.values()].some(
      (one) => one.leader === leader && !asked.includes(one),
    )
    try {
      const waitMs = isPartOfLeader ? shortPollMs : longPollMs
      for (const [partition, fetched] of await fetchPartitions(channel, leader, asked, waitMs)) {
        if (partitions.get(partitionName(partition)) !== partition) continue
        if (fetched.errorCode === 0) store(partition, fetched)
        else await refused(partition, protocolError(fetched.errorCode))
      }
    } catch (error) {
      if (isClosed) return
      onError(storeFailed('Kafka did not answer a fetch', error))
      for (const partition of asked) {
        partition.leader = null
        putOff(partition, retryMs)
      }
    }
  }
  const store = (partition: Partition, fetched: fetchV13.FetchResponsePartition): void => {
    const { messages, next } = readBatches(partition, fetched, partition.next)
    partition.next = next
    for (const message of messages) partition.waiting.push(message)
    partition.bytes += sizeOf(messages)
    if (messages.length > 0) onMessages()
  }
  const refused = async (partition: Partition, error: string): Promise<void> => {
    const name = partitionName(partition)
    const report = (what: string): void => onError(new StoreFailed(`Kafka, ${name}: ${what}`))
    if (error !== 'OFFSET_OUT_OF_RANGE') {
      partition.leader = null
      putOff(partition, retryMs)
      report(error)
      return
    }
    const first = (await listOffsets(cluster, [partition], 'first')).get(name) ?? 0
    if (partition.next < first) {
      report(`messages ${partition.next} to ${first - 1} were deleted unread`)
      partition.next = first
    } else {
      report(`it ends before offset ${partition.next}, where it was to be read on`)
      putOff(partition, stalledMs)
    }
  }

  const retrying = setInterval(pump, retryMs)

  return {
    read: ({ topic, partition, topicId }, offset) => {
      const name = partitionName({ topic, partition })
      const leader = partitions.get(name)?.leader ?? null
      const fresh = { leader, waiting: [], bytes: 0, next: offset, notBefore: 0 }
      partitions.set(name, { topic, partition, topicId, ...fresh })
      pump()
    },
    remove: (partition) => {
      partitions.delete(partitionName(partition))
    },
    take: (count) => {
      const taken: StreamMessage[] = []
      const all = [...partitions.values()]
      turn += 1
      for (let index = 0; index < all.length && taken.length < count; index++) {
        const partition = all[(turn + index) % all.length]
        const messages = partition?.waiting.splice(0, count - taken.length) ?? []
        if (partition !== undefined) partition.bytes -= sizeOf(messages)
        for (const message of messages) taken.push(message)
      }
      if (taken.length > 0) pump()
      return taken
    },
    positions: () =>
      [...partitions.values()].map(({ topic, partition, waiting, next }) => {
        return { topic, partition, offset: waiting[0]?.offset ?? next }
      }),
    close: async () => {
      isClosed = true
      clearInterval(retrying)
      partitions.clear()
      await channel.close().catch(() => {})
    },
  }
}

/** About what they take in memory. */
function sizeOf(messages: readonly StreamMessage[]): number {
  return messages.reduce((sum, { key, value }) => sum + value.length + (key?.length ?? 0) + 64, 0)
}
