import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProduceAcks, Producer as RawProducer } from '@platformatic/kafka'
import type { Micros } from '../../src/definitions/timestamp.ts'
import { StoreFailed } from '../../src/errors.ts'
import type { EventStream, StreamMessage, StreamPosition } from '../../src/stores/event-stream.ts'
import { kafkaEventStream } from '../../src/stores/kafka/event-stream.ts'
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
  /** What was sent and stands in the topic, in no order; read back from it. */
  readonly produced: () => Promise<readonly ProducedMessage[]>
  readonly close: () => Promise<void>
}

export interface ProducerOptions {
  readonly bootstrap: string
  readonly topic: string
  readonly random: Random
}

const atOnce = 50
const pauseMs = 150

interface SentMessage {
  readonly seq: number
  readonly event: MadeMessage['event']
  readonly sentAt: Micros
  readonly identity: string
  /** False: perhaps in the topic, perhaps not. */
  readonly isAcknowledged: boolean
}

export function openProducer({ bootstrap, topic, random }: ProducerOptions): Producer {
  const stream = kafkaEventStream(parseKafkaUrl(`kafka://${bootstrap}`, 'URL'))
  const log = topicLog(stream, topic)
  const standing: ProducedMessage[] = []
  /** Not found in the topic yet. */
  let sent: readonly SentMessage[] = []
  const tombstones = new Set<string>()
  let seq = 0

  async function sendOnce(count: number, make: Make): Promise<void> {
    const sentAt = Date.now() * 1_000
    const messages = Array.from({ length: count }, () => {
      seq += 1
      return make(random, seq, sentAt)
    })
    const isAcknowledged = await stream.publish(topic, messages).then(
      () => true,
      (error: unknown) => {
        if (!(error instanceof StoreFailed)) throw error
        return false
      },
    )
    sent = [
      ...sent,
      ...messages.map((message) => {
        return { ...message, sentAt, identity: identityOf(message), isAcknowledged }
      }),
    ]
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
          for (const { partition, offset } of offsets) {
            standing.push({ seq, event: null, partition, offset: Number(offset), sentAt })
            tombstones.add(`${partition}/${offset}`)
          }
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
      // Reported to the caller that stops it.
      running.catch(() => {})
      return async () => {
        stopped = true
        await running
      }
    },
    async produced() {
      const found = new Map<string, StreamPosition[]>()
      for (const message of await log.readOn()) {
        if (tombstones.has(`${message.partition}/${message.offset}`)) continue
        const identity = identityOf(message)
        found.set(identity, [...(found.get(identity) ?? []), message])
      }
      const missing: SentMessage[] = []
      for (const message of sent.toSorted((a, b) => Number(b.isAcknowledged) - Number(a.isAcknowledged))) {
        const { seq: number, event, sentAt, identity, isAcknowledged } = message
        const position = found.get(identity)?.shift()
        if (position !== undefined) {
          const { partition, offset } = position
          standing.push({ seq: number, event, partition, offset, sentAt })
        } else if (isAcknowledged)
          throw new Error(`message ${number} was acknowledged and is not in the topic`)
        else missing.push(message)
      }
      sent = missing
      for (const [position] of found.values())
        if (position) throw new Error(`a message stands twice: at ${position.partition}/${position.offset}`)
      return standing
    },
    async close() {
      await log.close()
      await stream.close()
    },
  }
}

/** The same for messages that nothing distinguishes. */
function identityOf({ key, value }: { readonly key: Buffer | null; readonly value: Buffer }): string {
  return `${key?.toString('base64')} ${createHash('sha1').update(value).digest('base64')}`
}

/** Reads the whole topic, each message once. */
function topicLog(stream: EventStream, topic: string) {
  const next = new Map<number, number>()
  const consumer = stream.consume({
    group: `read-back-${randomUUID()}`,
    topics: [topic],
    onAssigned: async (partitions) => {
      for (const { partition } of partitions)
        consumer.seek({ topic, partition, offset: next.get(partition) ?? 0 })
    },
    onRevoked: async () => {},
    onError: () => {},
  })
  return {
    /** All that came since the last time, up to where the topic ends now. */
    async readOn(): Promise<readonly StreamMessage[]> {
      const [described] = await stream.describe([topic])
      const ends = described?.partitions.map(({ endOffset }) => endOffset) ?? []
      const messages: StreamMessage[] = []
      while (ends.some((end, partition) => (next.get(partition) ?? 0) < end)) {
        const polled = await consumer.poll({ maxMessages: 10_000, waitMs: 500 })
        for (const { partition, offset } of polled) next.set(partition, offset + 1)
        messages.push(...polled)
      }
      return messages
    },
    close: consumer.close,
  }
}
