import { StoreFailed } from '../../errors.ts'
import { type EventStream, partitionName } from '../event-stream.ts'
import { connectCluster } from './cluster.ts'
import type { GroupTimeouts } from './group-membership.ts'
import { kafkaConsumer } from './kafka-consumer.ts'
import { kafkaPublisher } from './kafka-publisher.ts'
import type { KafkaAddress } from './kafka-url.ts'
import { listOffsets } from './list-offsets.ts'
import { storeFailed } from './protocol-error.ts'

const requestTimeoutMs = 15_000
const usualSessionTimeoutMs = 30_000

function groupTimeouts(sessionTimeoutMs: number): GroupTimeouts {
  return {
    sessionTimeoutMs,
    // What moves is read by nobody from when it is given up until its new owner's next heartbeat.
    heartbeatMs: Math.min(250, Math.floor(sessionTimeoutMs / 4)),
    revocationTimeoutMs: Math.max(60_000, sessionTimeoutMs),
    metadataMs: 30_000,
  }
}

/** Heartbeats are among them: well below the session timeout. */
function consumerRequestTimeoutMs({ sessionTimeoutMs }: GroupTimeouts): number {
  return Math.min(8_000, Math.max(500, Math.floor(sessionTimeoutMs / 2)))
}

/**
 * The event stream on Kafka 3.1 or later (topic ids). Connects when first used, and again by itself after a failure. A
 * rebalance begins within a heartbeat. Values can be as large as the topic's `max.message.bytes` allows. Batches in zstd
 * need Node 22.15: with an older one `onError` reports it, and the partition is not read on.
 */
export function kafkaEventStream(address: KafkaAddress, timeouts: Partial<GroupTimeouts> = {}): EventStream {
  const cluster = connectCluster(address, requestTimeoutMs)
  const publisher = kafkaPublisher(cluster, address)
  const group = { ...groupTimeouts(address.sessionTimeoutMs ?? usualSessionTimeoutMs), ...timeouts }
  return {
    describe: async (topics) => {
      try {
        const found = await cluster.topics(topics, 0)
        const partitions = topics.flatMap((topic) =>
          (found.get(topic)?.leaders ?? []).map((_, partition) => ({ topic, partition })),
        )
        const [first, end] = await Promise.all([
          listOffsets(cluster, partitions, 'first'),
          listOffsets(cluster, partitions, 'end'),
        ])
        return topics.map((topic) => {
          const one = found.get(topic) ?? null
          if (one === null) return null
          const offsets = one.leaders.map((_, partition) => {
            const name = partitionName({ topic, partition })
            return { firstOffset: first.get(name) ?? 0, endOffset: end.get(name) ?? 0 }
          })
          return { id: one.id, partitions: offsets }
        })
      } catch (error) {
        throw storeFailed('Kafka did not describe topics', error)
      }
    },
    publish: publisher.publish,
    consume: (options) =>
      kafkaConsumer(connectCluster(address, consumerRequestTimeoutMs(group)), options, group),
    ping: async () => {
      try {
        await cluster.ping()
      } catch (error) {
        throw storeFailed('Kafka did not answer', error)
      }
    },
    close: async () => {
      await Promise.all([publisher.close(), cluster.close()]).catch((error: unknown) => {
        throw new StoreFailed('the connections to Kafka did not close', { cause: error })
      })
    },
  }
}
