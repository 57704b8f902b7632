import { fetchV13, fetchV14, fetchV15 } from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import type { AssignedPartition, StreamMessage, StreamPosition, TopicPartition } from '../event-stream.ts'
import { partitionName } from '../event-stream.ts'
import type { Cluster } from './cluster.ts'
import { listOffsets, readCommitted } from './list-offsets.ts'
import { answerIn, protocolError, storeFailed } from './protocol-error.ts'
import { readBatches } from './read-batches.ts'

export interface PartitionFetcher {
  /** Begins to read a partition; its topic id stays the one given. */
  readonly add: (partition: AssignedPartition) => void
  readonly remove: (partition: TopicPartition) => void
  /** Drops what was fetched. The partition must have been added. */
  readonly seek: (position: StreamPosition) => void
  /** Up to `count` of what is there, in offset order within a partition; the partitions take turns. */
  readonly take: (count: number) => StreamMessage[]
  /** Of each partition: the next offset that `take` returns. */
  readonly positions: () => readonly StreamPosition[]
  readonly close: () => Promise<void>
}

export interface FetcherOptions {
  readonly cluster: Cluster
  readonly onMessages: () => void
  readonly onError: (error: StoreFailed) => void
}

/** No newer ones: their answers hold tagged fields when a leader has moved, which the client cannot read. */
const fetchVersions = [fetchV15.api, fetchV14.api, fetchV13.api]
/** A batch of messages that is larger comes whole all the same. */
const partitionBytes = 1_048_576
const requestBytes = 2_097_152
/** No partition that has so much waiting is fetched, and none at all when all together have four times that. */
const waitingBytes = 1_048_576
const longPollMs = 250
/** Beside partitions that were left out since they have enough waiting: they may need more soon. */
const shortPollMs = 20
const retryMs = 200
const stalledMs = 5_000

interface Partition extends TopicPartition {
  readonly topicId: string
  /** Null: to be asked for. */
  leader: number | null
  next: number
  position: number
  readonly chunks: { readonly messages: readonly StreamMessage[]; at: number; readonly bytes: number }[]
  bytes: number
  notBefore: number
  /** Another after each seek: an answer to an older request is dropped. */
  round: number
}

/** Reads partitions ahead, one request at a time to each leader, no further than a few megabytes. */
export function partitionFetcher({ cluster, onMessages, onError }: FetcherOptions): PartitionFetcher {
  const channel = cluster.beside(10_000)
  const partitions = new Map<string, Partition>()
  const busy = new Set<number>()
  const timers = new Set<NodeJS.Timeout>()
  let finding = false
  let closed = false
  let turn = 0

  const later = (ms: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      pump()
    }, ms)
    timers.add(timer)
  }
  const putOff = (partition: Partition, ms: number): void => {
    partition.notBefore = performance.now() + ms
    later(ms + 1)
  }
  const pump = (): void => {
    if (closed) return
    const now = performance.now()
    const total = [...partitions.values()].reduce((sum, one) => sum + one.bytes, 0)
    const due = new Map<number, Partition[]>()
    for (const partition of partitions.values()) {
      if (partition.notBefore > now) continue
      if (partition.leader === null) void findLeaders()
      else if (partition.bytes < waitingBytes && total < 4 * waitingBytes)
        due.set(partition.leader, [...(due.get(partition.leader) ?? []), partition])
    }
    for (const [leader, ones] of due) {
      if (busy.has(leader)) continue
      busy.add(leader)
      void fetchFrom(leader, ones).finally(() => {
        busy.delete(leader)
        pump()
      })
    }
  }

  const findLeaders = async (): Promise<void> => {
    if (finding) return
    finding = true
    const lost = [...partitions.values()].filter(({ leader }) => leader === null)
    try {
      const topics = await cluster.topics([...new Set(lost.map(({ topic }) => topic))], retryMs)
      for (const partition of lost) {
        const topic = topics.get(partition.topic) ?? null
        const leader = topic?.leaders[partition.partition] ?? -1
        if (topic?.id === partition.topicId && leader >= 0) partition.leader = leader
        else if (topic?.id === partition.topicId) putOff(partition, retryMs)
        else {
          const what =
            topic === null ? 'is not there any more' : 'was made anew: what comes now is another topic'
          onError(new StoreFailed(`Kafka topic "${partition.topic}" ${what}; nothing is read of it`))
          putOff(partition, stalledMs)
        }
      }
    } catch (error) {
      onError(storeFailed('Kafka did not tell the leaders of partitions', error))
      for (const partition of lost) putOff(partition, retryMs)
    } finally {
      finding = false
    }
    pump()
  }

  const fetchFrom = async (leader: number, ones: readonly Partition[]): Promise<void> => {
    const rounds = new Map(ones.map((one) => [one, one.round]))
    const others = [...partitions.values()].some((one) => one.leader === leader && !rounds.has(one))
    const topics = ones.map((one) => ({
      topicId: one.topicId,
      partitions: [
        {
          ...{ partition: one.partition, currentLeaderEpoch: -1, lastFetchedEpoch: -1 },
          ...{ fetchOffset: BigInt(one.next), partitionMaxBytes: partitionBytes },
        },
      ],
    }))
    const isCurrent = (one: Partition): boolean =>
      partitions.get(partitionName(one)) === one && rounds.get(one) === one.round
    try {
      const answer = await answerIn(
        channel.request(
          ...([leader, fetchVersions, others ? shortPollMs : longPollMs, 1, requestBytes] as const),
          // No fetch session: the broker would keep one for each request.
          readCommitted,
          0,
          -1,
          topics,
          [],
          '',
        ),
      )
      if (answer.errorCode !== 0) throw new StoreFailed(protocolError(answer.errorCode))
      for (const { topicId, partitions: found } of answer.responses) {
        for (const fetched of found) {
          const one = ones.find(
            (asked) => asked.topicId === topicId && asked.partition === fetched.partitionIndex,
          )
          if (one === undefined || !isCurrent(one)) continue
          if (fetched.errorCode === 0) keep(one, fetched)
          else await refused(one, protocolError(fetched.errorCode))
        }
      }
    } catch (error) {
      if (closed) return
      onError(storeFailed('Kafka did not answer a fetch', error))
      for (const one of ones) {
        one.leader = null
        putOff(one, retryMs)
      }
    }
  }
  const keep = (one: Partition, fetched: fetchV15.FetchResponsePartition): void => {
    const { messages, next } = readBatches(one, fetched, one.next)
    one.next = next
    if (messages.length > 0) {
      const bytes = messages.reduce((sum, { key, value }) => sum + value.length + (key?.length ?? 0) + 64, 0)
      one.chunks.push({ messages, at: 0, bytes })
      one.bytes += bytes
      onMessages()
    } else if (one.chunks.length === 0) one.position = next
  }
  const refused = async (one: Partition, error: string): Promise<void> => {
    const place = partitionName(one)
    if (error !== 'OFFSET_OUT_OF_RANGE') {
      one.leader = null
      putOff(one, retryMs)
      onError(new StoreFailed(`Kafka, ${place}: ${error}`))
      return
    }
    const first = (await listOffsets(cluster, [one], 'first')).get(place) ?? 0
    if (one.next < first) {
      onError(new StoreFailed(`Kafka, ${place}: messages ${one.next} to ${first - 1} were deleted unread`))
      one.next = first
      if (one.chunks.length === 0) one.position = first
    } else {
      onError(
        new StoreFailed(`Kafka, ${place}: it ends before offset ${one.next}, where it was to be read on`),
      )
      putOff(one, stalledMs)
    }
  }

  return {
    add: ({ topic, partition, topicId, offset }) => {
      const fresh = {
        leader: null,
        next: offset,
        position: offset,
        chunks: [],
        bytes: 0,
        notBefore: 0,
        round: 0,
      }
      partitions.set(partitionName({ topic, partition }), { topic, partition, topicId, ...fresh })
      pump()
    },
    remove: (partition) => {
      partitions.delete(partitionName(partition))
    },
    seek: (position) => {
      const partition = partitions.get(partitionName(position))
      if (partition === undefined) return
      partition.round += 1
      partition.chunks.length = 0
      ;[partition.bytes, partition.notBefore] = [0, 0]
      ;[partition.next, partition.position] = [position.offset, position.offset]
      pump()
    },
    take: (count) => {
      const taken: StreamMessage[] = []
      const all = [...partitions.values()]
      turn += 1
      for (let index = 0; index < all.length && taken.length < count; index++) {
        const partition = all[(turn + index) % all.length]
        if (partition !== undefined) takeFrom(partition, count - taken.length, taken)
      }
      if (taken.length > 0) pump()
      return taken
    },
    positions: () =>
      [...partitions.values()].map(({ topic, partition, position }) => ({
        topic,
        partition,
        offset: position,
      })),
    close: async () => {
      closed = true
      for (const timer of timers) clearTimeout(timer)
      partitions.clear()
      await channel.close().catch(() => {})
    },
  }
}

function takeFrom(partition: Partition, count: number, taken: StreamMessage[]): void {
  let left = count
  for (let [chunk] = partition.chunks; chunk !== undefined && left > 0; [chunk] = partition.chunks) {
    const messages = chunk.messages.slice(chunk.at, chunk.at + left)
    for (const message of messages) taken.push(message)
    left -= messages.length
    chunk.at += messages.length
    if (chunk.at < chunk.messages.length) {
      partition.position = (messages.at(-1)?.offset ?? partition.position - 1) + 1
      return
    }
    partition.bytes -= chunk.bytes
    partition.chunks.shift()
    // Past what was left out behind it, too.
    partition.position = partition.chunks[0]?.messages[0]?.offset ?? partition.next
  }
}
