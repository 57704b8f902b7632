import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StoreFailed } from '../../../src/errors.ts'
import { type EventStream, positionsBehind, type StreamConsumer } from '../../../src/stores/event-stream.ts'
import { kafkaEventStream } from '../../../src/stores/kafka/event-stream.ts'
import { parseKafkaUrl } from '../../../src/stores/kafka/kafka-url.ts'
import { watchedConsumer } from '../../contract/event-stream.ts'
import { consumerGroup } from '../../faults/consumer-group.ts'
import { type KafkaCluster, kafkaClusterOrSkip } from '../../services/kafka-cluster.ts'
import { isLong } from '../../services/long-run.ts'

// In the suite: test/stores/kafka/event-stream and test/faults/faults kill the one broker that they have.
const cluster = isLong ? await kafkaClusterOrSkip() : null
const partitions = 6

if (cluster === null)
  it.skip('a Kafka of three brokers: of the long run, or none can be had here, see CONTRIBUTING.md')
else {
  afterAll(cluster.stop)
  describe('with three Kafka brokers', () => {
    run(cluster)
  })
}

function run(kafka: KafkaCluster): void {
  const url = parseKafkaUrl(`kafka://${kafka.bootstrap}`, 'STREAM_URL')
  let stream: EventStream
  beforeAll(() => {
    stream = kafkaEventStream(url)
  })
  afterAll(async () => {
    await stream.close()
  })

  async function newTopic(replicasOf: (partition: number) => readonly number[]): Promise<string> {
    const topic = `t-${randomUUID()}`
    await kafka.createTopic(
      topic,
      Array.from({ length: partitions }, (_, partition) => replicasOf(partition)),
    )
    return topic
  }

  /** Publishes and reads while `disturb` runs; then all that was acknowledged must have been read once. */
  async function underLoad(topic: string, disturb: (load: Load) => Promise<void>): Promise<Load> {
    const reading = readAll(watchedConsumer(stream, { group: topic, topics: [topic] }))
    const load = publishAll(stream, topic)
    try {
      await expect.poll(() => reading.counts.size).toBeGreaterThan(50)
      await disturb(load)
      await load.stop()
      const unread = () => load.acknowledged.filter((text) => !reading.counts.has(text))
      await expect.poll(unread).toEqual([])
      expect(load.acknowledged.filter((text) => reading.counts.get(text) !== 1)).toEqual([])
      // The group has a coordinator, which takes what is committed.
      const [described] = await stream.describe([topic])
      const ends = described?.partitions.map(({ endOffset }) => endOffset) ?? []
      const { isAtEnd } = consumerGroup(kafka.bootstrap, topic, topic)
      await expect.poll(() => isAtEnd(ends)).toBe(true)
    } finally {
      await load.stop()
      await reading.stop()
    }
    return load
  }

  it('the event stream publishes on while leaders move to another broker: no message is refused, lost or stored twice', async () => {
    const topic = await newTopic(() => [1, 2])
    const moved = [0, 1, 2, 3]
    const load = await underLoad(topic, async ({ more }) => {
      for (const to of [
        [2, 3],
        [3, 1],
      ]) {
        await Promise.all(moved.map((partition) => kafka.reassign(topic, partition, to)))
        await more(100)
      }
      const leaders = await kafka.leadersOf(topic)
      expect(moved.map((partition) => leaders[partition])).not.toContain(2)
    })
    expect(load.refused()).toBe(0)
  })

  it('the event stream goes on when the broker that coordinates the group is killed: every acknowledged message is read once, and offsets are committed', async () => {
    const topic = await newTopic((partition) => [0, 1, 2].map((nth) => 1 + ((partition + nth) % 3)))
    const load = await underLoad(topic, async ({ more }) => {
      const dead = await kafka.coordinatorOf(topic)
      await kafka.kill(dead)
      await more(500)
      expect(await kafka.leadersOf(topic)).not.toContain(dead)
      expect(await kafka.coordinatorOf(topic)).not.toBe(dead)
    })
    expect(load.refused()).toBeLessThanOrEqual(1)
  })
}

/** Polls and commits until it is stopped: how often each text came. */
function readAll(consumer: StreamConsumer) {
  const counts = new Map<string, number>()
  let isStopping = false
  const running = (async () => {
    while (!isStopping) {
      const messages = await consumer.poll({ maxMessages: 500, waitMs: 50 })
      for (const { value } of messages) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1)
      consumer.commit(positionsBehind(messages))
    }
  })()
  running.catch(() => {})
  return {
    counts,
    stop: async () => {
      isStopping = true
      await running
      await consumer.close()
    },
  }
}

type Load = ReturnType<typeof publishAll>

/** Publishes 12 messages for all partitions every few milliseconds, until it is stopped. */
function publishAll(stream: EventStream, topic: string) {
  const acknowledged: string[] = []
  let [next, refused, isStopping] = [0, 0, false]
  const running = (async () => {
    while (!isStopping) {
      const texts = Array.from({ length: 12 }, () => String(next++))
      const messages = texts.map((text) => ({ key: Buffer.from(text), value: Buffer.from(text) }))
      await stream.publish(topic, messages).then(
        () => acknowledged.push(...texts),
        (error: unknown) => {
          if (!(error instanceof StoreFailed)) throw error
          refused += 1
        },
      )
      await sleep(5)
    }
  })()
  running.catch(() => {})
  return {
    acknowledged,
    /** Calls that were refused. */
    refused: () => refused,
    /** Until so many more were acknowledged. */
    more: async (count: number) => {
      const enough = acknowledged.length + count
      await expect.poll(() => acknowledged.length).toBeGreaterThan(enough)
    },
    stop: async () => {
      isStopping = true
      await running
    },
  }
}
