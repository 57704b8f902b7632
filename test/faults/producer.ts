import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProduceAcks, Producer as RawProducer } from '@platformatic/kafka'
import type { Micros } from '../../src/definitions/timestamp.ts'
import { StoreFailed } from '../../src/errors.ts'
import type { EventStream } from '../../src/stores/event-stream.ts'
import { kafkaEventStream } from '../../src/stores/kafka/kafka-event-stream.ts'
import { parseKafkaUrl } from '../../src/stores/kafka/kafka-url.ts'
import { type MadeMessage, madeEvent } from './made-message.ts'
import type { Random } from './random.ts'

/** A message that stands in the topic. */
export interface ProducedMessage {
  readonly seq: number
  readonly event: MadeMessage['event']
  readonly partition: number
  readonly offset: number
  /** By the machine's clock, just before it was sent. */
  readonly sentAt: Micros
}

export type Make = (random: Random, seq: number, now: Micros) => MadeMessage

/** Writes to one topic and knows what stands there. */
export interface Producer {
  readonly send: (count: number, make?: Make) => Promise<void>
  /** Messages with a key and without a value, which no event stream of ours sends. */
  readonly sendTombstones: (count: number) => Promise<void>
  /** Sends on and on; the result ends it. */
  readonly load: (make?: Make) => () => Promise<void>
  /** What was sent and stands in the topic, in no order. Reads it back where the broker did not acknowledge all. */
  readonly produced: () => Promise<readonly ProducedMessage[]>
  readonly close: () => Promise<void>
}

export interface ProducerOptions {
  readonly bootstrap: string
  readonly topic: string
  readonly random: Random
}

const atOnce = 50
const pauseMs = 50

export function openProducer({ bootstrap, topic, random }: ProducerOptions): Producer {
  const stream = kafkaEventStream(parseKafkaUrl(`kafka://${bootstrap}`, 'URL'))
  const acknowledged: ProducedMessage[] = []
  /** By number: perhaps in the topic, perhaps not. */
  const unsure = new Map<number, Omit<ProducedMessage, 'partition' | 'offset'>>()
  let seq = 0

  async function sendOnce(count: number, make: Make): Promise<void> {
    const sentAt = Date.now() * 1_000
    const messages = Array.from({ length: count }, () => {
      seq += 1
      return make(random, seq, sentAt)
    })
    try {
      const places = await stream.publish(topic, messages)
      places.forEach(({ partition, offset }, index) => {
        const message = messages[index]
        if (message) acknowledged.push({ seq: message.seq, event: message.event, partition, offset, sentAt })
      })
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error
      for (const { seq: number, event } of messages) unsure.set(number, { seq: number, event, sentAt })
    }
  }

  return {
    async send(count, make = madeEvent) {
      for (let left = count; left > 0; left -= atOnce) await sendOnce(Math.min(left, atOnce), make)
    },
    async sendTombstones(count) {
      const raw = new RawProducer<Buffer, Buffer>({
        clientId: 'featuregraph-tests',
        bootstrapBrokers: [bootstrap],
      })
      try {
        for (let left = count; left > 0; left -= 1) {
          seq += 1
          const sentAt = Date.now() * 1_000
          const { offsets = [] } = await raw.send({
            messages: [{ topic, key: Buffer.from(String(seq)) }],
            acks: ProduceAcks.ALL,
          })
          for (const { partition, offset } of offsets)
            acknowledged.push({ seq, event: null, partition, offset: Number(offset), sentAt })
        }
      } finally {
        await raw.close()
      }
    },
    load(make = madeEvent) {
      let stopped = false
      const run = async (): Promise<void> => {
        while (!stopped) {
          await sendOnce(atOnce, make)
          await sleep(pauseMs)
        }
      }
      const running = run()
      // Told to whoever stops it.
      running.catch(() => {})
      return async () => {
        stopped = true
        await running
      }
    },
    async produced() {
      if (unsure.size === 0) return acknowledged
      const standing = await readBack(stream, topic)
      for (const { seq: number, partition, offset } of acknowledged) {
        const place = standing.get(number)
        if (place?.partition !== partition || place.offset !== offset)
          throw new Error(`message ${number} was acknowledged at ${partition}/${offset} and is not there`)
      }
      const found = [...unsure.values()].flatMap((message): ProducedMessage[] => {
        const place = standing.get(message.seq)
        return place === undefined ? [] : [{ ...message, ...place }]
      })
      return [...acknowledged, ...found]
    },
    close: stream.close,
  }
}

/** Where each message of the topic stands, by its number; all of them must be events. */
async function readBack(
  stream: EventStream,
  topic: string,
): Promise<ReadonlyMap<number, { readonly partition: number; readonly offset: number }>> {
  const [described] = await stream.describe([topic])
  const ends = described?.partitions.map(({ endOffset }) => endOffset) ?? []
  const consumer = stream.consume({
    group: `read-back-${randomUUID()}`,
    topics: [topic],
    onAssigned: async () => {},
    onRevoked: async () => {},
    onLost: () => {},
    onError: () => {},
  })
  try {
    const places = new Map<number, { readonly partition: number; readonly offset: number }>()
    const next = ends.map(() => 0)
    while (next.some((offset, partition) => offset < (ends[partition] ?? 0))) {
      for (const { partition, offset, value } of await consumer.poll({ maxMessages: 10_000, waitMs: 500 })) {
        const { seq } = JSON.parse(value.toString()) as { readonly seq: number }
        if (places.has(seq)) throw new Error(`message ${seq} stands twice in the topic`)
        places.set(seq, { partition, offset })
        next[partition] = offset + 1
      }
    }
    return places
  } finally {
    await consumer.close()
  }
}
