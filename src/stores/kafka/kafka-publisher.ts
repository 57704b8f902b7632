import { murmur2 } from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import type { EventStream } from '../event-stream.ts'
import type { Cluster } from './cluster.ts'
import type { KafkaAddress } from './kafka-url.ts'
import { storeFailed } from './protocol-error.ts'
import { type TopicWriter, topicWriter } from './topic-writer.ts'

const metadataMs = 30_000

/** The partition of a key is murmur2 of it, as with Kafka's own producer; messages without one share a partition a call. */
export function kafkaPublisher(
  cluster: Cluster,
  address: KafkaAddress,
): Pick<EventStream, 'publish' | 'close'> {
  const writers = new Map<string, TopicWriter>()
  let turn = 0
  let isClosed = false
  return {
    publish: async (topic, messages) => {
      if (messages.length === 0) return
      const count = await partitionCount(cluster, topic, metadataMs)
      if (isClosed) throw new StoreFailed('the event stream is closed')
      turn += 1
      const records = messages.map(({ key, value, headers = {} }) => ({
        ...{ topic, value },
        ...(key === null ? {} : { key }),
        partition: (key === null ? turn : murmur2(key) & 0x7fffffff) % count,
        headers: new Map(
          Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)] as const),
        ),
      }))
      const writer =
        writers.get(topic) ??
        topicWriter(address, topic, async () => void (await partitionCount(cluster, topic, 0)))
      writers.set(topic, writer)
      await writer.write(records)
    },
    close: async () => {
      isClosed = true
      await Promise.all([...writers.values()].map(({ close }) => close()))
    },
  }
}

/** Rejects when no broker answers, and for a topic that does not exist. */
async function partitionCount(cluster: Cluster, topic: string, maxAgeMs: number): Promise<number> {
  try {
    // One that was missing a while ago may have been created since.
    for (const ageMs of new Set([maxAgeMs, 0])) {
      const { length = 0 } = (await cluster.topics([topic], ageMs)).get(topic)?.leaders ?? []
      if (length > 0) return length
    }
  } catch (error) {
    throw storeFailed(`Kafka did not describe the topic "${topic}"`, error)
  }
  throw new StoreFailed(`there is no Kafka topic "${topic}"`)
}
