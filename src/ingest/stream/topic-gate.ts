import type { Clock, Micros } from '../../definitions/timestamp.ts'
import { StoreFailed, TopicReplaced } from '../../errors.ts'
import type { EventSource } from '../../registry/registry.ts'
import type { PartitionWatermark } from '../../stores/event-positions.ts'
import type { EventStore } from '../../stores/event-store.ts'
import {
  type AssignedPartition,
  type EventStream,
  partitionName,
  positionsBehind,
  type StreamConsumer,
  type StreamMessage,
  type StreamPosition,
  type TopicPartition,
} from '../../stores/event-stream.ts'
import type { RunLog } from '../run-log.ts'
import type { StreamObserver } from '../stream-observer.ts'

interface GateTargets {
  readonly events: Pick<EventStore, 'now' | 'openTopic' | 'positions' | 'recordWatermarks'>
  readonly stream: Pick<EventStream, 'describe'>
  readonly clock: Clock
}

/** The sources of each topic. */
type TopicSources = ReadonlyMap<string, readonly { readonly source: EventSource }[]>

/** Which messages a consumer may keep, and how far its partitions are. */
export interface TopicGate {
  /**
   * Partitions are ours: each is read on from the position in Postgres. A topic that is not the one whose
   * events are stored stays shut, and is reported. Rejects with `StoreFailed`: then nothing is ours yet.
   */
  readonly assigned: (partitions: readonly AssignedPartition[], seek: Seek) => Promise<void>
  readonly gone: (partitions: readonly TopicPartition[]) => void
  /** The messages that may be stored. */
  readonly admitted: (messages: readonly StreamMessage[]) => readonly StreamMessage[]
  /** The topic of stored events of an admitted topic. */
  readonly storedAs: (topic: string) => string
  /** These have been processed. */
  readonly passed: (messages: readonly StreamMessage[]) => void
  /**
   * Records until when partitions are caught up: at some moment, all that stood in them then was processed since. The
   * position that is recorded and committed with it passes what is never polled, as the markers of transactions.
   */
  readonly measure: (
    consumer: Pick<StreamConsumer, 'lag' | 'commit'>,
    behind: StreamObserver['behind'],
  ) => Promise<void>
  /** Looks again, every few seconds, whether a topic has been adopted since: one that stays shut, or one that is read. */
  readonly checkAgain: (seek: Seek) => Promise<void>
}

type Seek = (position: StreamPosition) => void

interface OpenPartition extends AssignedPartition {
  /** Polled up to here, and processed up to there. */
  polled: number
  next: number
  /** At `at` the partition ended there. */
  target: { readonly at: Micros; readonly end: number } | null
}

const checkAgainMicros: Micros = 5_000_000

export function topicGate(
  { events, stream, clock }: GateTargets,
  topics: TopicSources,
  log: RunLog,
): TopicGate {
  const storedAs = new Map<string, string>()
  const open = new Map<string, OpenPartition>()
  const refused = new Map<string, AssignedPartition>()
  let checkedAt = Number.NEGATIVE_INFINITY

  async function admit(topic: string, partitions: readonly AssignedPartition[], seek: Seek): Promise<void> {
    const identity = partitions[0]?.topicId ?? ''
    const own = await events.openTopic(topic, identity)
    if (own === null) throw new TopicReplaced(topic, 'is another one than the one whose events are stored')
    // Before the topic's ends, which only grow: another consumer may be at work.
    const judged = await Promise.all(
      (topics.get(topic) ?? []).map(async ({ source }) => {
        const positions = await events.positions(source)
        return new Map(
          positions
            .filter((position) => position.topic === own)
            .map(({ partition, nextOffset }) => [partition, nextOffset]),
        )
      }),
    )
    const [description] = await stream.describe([topic])
    if (!description || description.id !== identity)
      throw new StoreFailed(`topic ${topic} is being created again; its partitions will come again`)
    const placed = partitions.map(({ partition }) => {
      const { firstOffset, endOffset } = description.partitions[partition] ?? { firstOffset: 0, endOffset: 0 }
      const furthest = Math.max(...judged.map((positions) => positions.get(partition) ?? firstOffset))
      if (furthest > endOffset) {
        const how = `ends at ${endOffset} in partition ${partition}, where ${furthest} have been stored`
        throw new TopicReplaced(topic, how)
      }
      const wanted = Math.min(...judged.map((positions) => positions.get(partition) ?? firstOffset))
      if (wanted < firstOffset) {
        const gone = `${firstOffset - wanted} messages of ${topic}/${partition} were gone from the topic before they were read`
        log.warn(gone, new StoreFailed(gone))
      }
      return { topic, partition, offset: Math.max(firstOffset, wanted) }
    })
    storedAs.set(topic, own)
    for (const position of placed) {
      seek(position)
      const name = partitionName(position)
      refused.delete(name)
      const { offset } = position
      const at = { topic, partition: position.partition, topicId: identity }
      open.set(name, { ...at, polled: offset, next: offset, target: null })
    }
  }

  async function admitAll(partitions: readonly AssignedPartition[], seek: Seek): Promise<void> {
    for (const [topic, own] of byTopic(partitions)) {
      try {
        await admit(topic, own, seek)
      } catch (error) {
        if (!(error instanceof TopicReplaced)) throw error
        if (own.some((one) => !refused.has(partitionName(one)))) log.warn(error.message, error)
        for (const one of own) refused.set(partitionName(one), one)
      }
    }
  }

  return {
    async assigned(partitions, seek) {
      log.info(`assigned ${partitions.map(partitionName).join(', ')}`)
      await admitAll(partitions, seek)
    },
    gone(partitions) {
      log.info(`given up ${partitions.map(partitionName).join(', ')}`)
      for (const one of partitions) {
        open.delete(partitionName(one))
        refused.delete(partitionName(one))
      }
    },
    admitted(messages) {
      const own =
        refused.size === 0 ? messages : messages.filter((message) => open.has(partitionName(message)))
      for (const { topic, partition, offset } of positionsBehind(own)) {
        const one = open.get(partitionName({ topic, partition }))
        if (one) one.polled = offset
      }
      return own
    },
    storedAs(topic) {
      const found = storedAs.get(topic)
      if (found === undefined) throw new TypeError(`topic ${topic} has not been opened`)
      return found
    },
    passed(messages) {
      for (const { topic, partition, offset } of positionsBehind(messages)) {
        const one = open.get(partitionName({ topic, partition }))
        if (one) one.next = Math.max(one.next, offset)
      }
    },
    async measure(consumer, behind) {
      const at = await events.now()
      const watermarks = new Map<string, PartitionWatermark[]>()
      const passed: StreamPosition[] = []
      for (const { topic, partition, offset, lag } of await consumer.lag()) {
        behind(topic, partition, lag)
        const one = open.get(partitionName({ topic, partition }))
        const own = storedAs.get(topic)
        if (one === undefined || own === undefined) continue
        if (one.next >= one.polled && one.next < offset) {
          // All that was polled is processed, and nothing from there to the position will ever be polled.
          one.next = offset
          one.polled = offset
        }
        const newest = { at, end: offset + lag }
        one.target ??= newest
        const reached = [newest, one.target].find(({ end }) => one.next >= end)
        if (reached === undefined) continue
        one.target = reached === newest ? null : newest
        const watermark = { topic: own, partition, nextOffset: one.next, at: reached.at }
        watermarks.set(topic, [...(watermarks.get(topic) ?? []), watermark])
        passed.push({ topic, partition, offset: one.next })
      }
      for (const [topic, reached] of watermarks)
        for (const { source } of topics.get(topic) ?? []) await events.recordWatermarks(source, reached)
      consumer.commit(passed)
    },
    async checkAgain(seek) {
      if (Math.abs(clock() - checkedAt) < checkAgainMicros) return
      checkedAt = clock()
      if (refused.size > 0) await admitAll([...refused.values()], seek)
      for (const [topic, own] of byTopic([...open.values()])) {
        if ((await events.openTopic(topic, own[0]?.topicId ?? '')) === storedAs.get(topic)) continue
        for (const one of own) open.delete(partitionName(one))
        await admitAll(own, seek)
      }
    },
  }
}

function byTopic(
  partitions: readonly AssignedPartition[],
): ReadonlyMap<string, readonly AssignedPartition[]> {
  const topics = new Map<string, AssignedPartition[]>()
  for (const one of partitions) topics.set(one.topic, [...(topics.get(one.topic) ?? []), one])
  return topics
}
