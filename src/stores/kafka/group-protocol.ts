import { Reader, Writer } from '@platformatic/kafka'
import type { TopicPartition } from '../event-stream.ts'

/** What a member sends when it joins: Kafka's ConsumerProtocolSubscription, version 1. */
export interface Subscription {
  readonly topics: readonly string[]
  /** What it owns, or was assigned and may take at any moment. */
  readonly held: readonly TopicPartition[]
}

/** Members of another protocol are refused by the broker. The name stands for the rule in `share-partitions.ts`. */
export const groupProtocol = 'featuregraph-cooperative-1'

export function encodeSubscription({ topics, held }: Subscription): Buffer {
  const writer = Writer.create()
    .appendInt16(1)
    .appendArray([...topics], (w, topic) => void w.appendString(topic, false), false, false)
    .appendInt32(-1)
  appendPartitions(writer, held)
  return writer.buffer
}

export function decodeSubscription(bytes: Buffer | null): Subscription {
  const reader = Reader.from(bytes ?? Buffer.alloc(0))
  if (reader.remaining < 2) return { topics: [], held: [] }
  const version = reader.readInt16()
  const topics = reader.readArray((r) => r.readString(false), false, false)
  reader.readNullableBytes(false)
  return { topics, held: version < 1 ? [] : readPartitions(reader) }
}

/** ConsumerProtocolAssignment, version 1. */
export function encodeAssignment(partitions: readonly TopicPartition[]): Buffer {
  const writer = Writer.create().appendInt16(1)
  appendPartitions(writer, partitions)
  return writer.appendInt32(-1).buffer
}

export function decodeAssignment(bytes: Buffer): readonly TopicPartition[] {
  const reader = Reader.from(bytes)
  if (reader.remaining < 6) return []
  reader.readInt16()
  return readPartitions(reader)
}

function appendPartitions(writer: Writer, partitions: readonly TopicPartition[]): void {
  const byTopic = new Map<string, number[]>()
  for (const { topic, partition } of partitions)
    byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition])
  writer.appendArray(
    [...byTopic],
    (w, [topic, ones]) => {
      w.appendString(topic, false)
      w.appendArray(ones, (inner, partition) => void inner.appendInt32(partition), false, false)
    },
    false,
    false,
  )
}

function readPartitions(reader: Reader): readonly TopicPartition[] {
  return reader
    .readArray(
      (r) => {
        const topic = r.readString(false)
        return r.readArray((inner) => ({ topic, partition: inner.readInt32() }), false, false)
      },
      false,
      false,
    )
    .flat()
}
