import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { StoreFailed } from '../../src/errors.ts'
import {
  type AssignedPartition,
  type ConsumeOptions,
  type EventStream,
  partitionName,
  positionsBehind,
  type StreamConsumer,
  type StreamMessage,
  type StreamPosition,
  type TopicPartition,
} from '../../src/stores/event-stream.ts'
import { patienceMs } from '../services/wait-until.ts'

export interface EventStreamHarness {
  readonly stream: EventStream
  /** Ready for use when it resolves. */
  readonly createTopic: (name: string, partitions: number) => Promise<void>
  readonly deleteTopic: (name: string) => Promise<void>
  readonly close: () => Promise<void>
}

export interface WatchedConsumer extends StreamConsumer {
  readonly assigned: AssignedPartition[]
  readonly revoked: TopicPartition[]
  readonly errors: StoreFailed[]
}

/** By `partitionName`: where a partition is to be read on, as a consumer's own store has it. */
export type StoredPositions = Map<string, number>

/** A consumer that records what is reported to it, and reads partitions from where they are stored, else from offset 0. */
export function watchedConsumer(
  stream: EventStream,
  options: Partial<ConsumeOptions> & Pick<ConsumeOptions, 'group' | 'topics'>,
  stored: StoredPositions = new Map(),
): WatchedConsumer {
  const seen = {
    assigned: [] as AssignedPartition[],
    revoked: [] as TopicPartition[],
    errors: [] as StoreFailed[],
  }
  const consumer = stream.consume({
    onAssigned: async (partitions) => {
      seen.assigned.push(...partitions)
      for (const { topic, partition } of partitions)
        consumer.seek({ topic, partition, offset: stored.get(partitionName({ topic, partition })) ?? 0 })
    },
    onRevoked: async (partitions) => {
      seen.revoked.push(...partitions)
    },
    onError: (error) => {
      seen.errors.push(error)
    },
    ...options,
  })
  return { ...consumer, ...seen }
}

function storePositions(stored: StoredPositions, messages: readonly StreamMessage[]): void {
  for (const one of positionsBehind(messages)) stored.set(partitionName(one), one.offset)
}

export function textMessages(texts: readonly string[], key: string | null = null) {
  return texts.map((text) => ({ key: key === null ? null : Buffer.from(key), value: Buffer.from(text) }))
}

export function numbers(count: number, from = 0): readonly string[] {
  return Array.from({ length: count }, (_, index) => String(from + index))
}

export const textOf = ({ value }: StreamMessage): string => value.toString()

/** Polls until so many have come, or fails after `withinMs`. */
export async function pollFor(
  consumer: StreamConsumer,
  count: number,
  withinMs = patienceMs,
): Promise<readonly StreamMessage[]> {
  const messages: StreamMessage[] = []
  const until = performance.now() + withinMs
  while (messages.length < count) {
    if (performance.now() > until) throw new Error(`${messages.length} of ${count} messages came`)
    messages.push(...(await consumer.poll({ maxMessages: count - messages.length, waitMs: 200 })))
  }
  return messages
}

export function eventStreamContract(name: string, open: () => Promise<EventStreamHarness>): void {
  describe(`the event stream: ${name}`, () => {
    let harness: EventStreamHarness
    let stream: EventStream
    const consumers: StreamConsumer[] = []

    beforeAll(async () => {
      harness = await open()
      stream = harness.stream
    })
    afterEach(async () => {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.close()))
    })
    afterAll(async () => {
      await harness.close()
    })

    async function newTopic(partitions: number): Promise<string> {
      const topic = `t-${randomUUID()}`
      await harness.createTopic(topic, partitions)
      return topic
    }
    function consume(
      topic: string,
      options: Partial<ConsumeOptions> = {},
      stored: StoredPositions = new Map(),
    ): WatchedConsumer {
      const consumer = watchedConsumer(stream, { group: topic, topics: [topic], ...options }, stored)
      consumers.push(consumer)
      return consumer
    }

    it('answers a ping', async () => {
      await stream.ping()
    })

    it('describes topics in the order asked, null for one that there is not', async () => {
      const [a, b] = [await newTopic(1), await newTopic(3)]
      await stream.publish(a, textMessages(['x', 'y']))
      const empty = { firstOffset: 0, endOffset: 0 }
      const found = await stream.describe([b, 'nothing', a])
      expect(found.map((one) => one?.partitions ?? null)).toEqual([
        [empty, empty, empty],
        null,
        [{ firstOffset: 0, endOffset: 2 }],
      ])
      expect(await stream.describe([])).toEqual([])
    })

    it('gives a topic that was created again another id', async () => {
      const topic = await newTopic(1)
      const [before] = await stream.describe([topic])
      await harness.deleteTopic(topic)
      await harness.createTopic(topic, 1)
      const [after] = await stream.describe([topic])
      expect(before?.id).toBeTypeOf('string')
      expect(after?.id).not.toBe(before?.id)
    })

    it('publishes the messages of one key to one partition, in order', async () => {
      const topic = await newTopic(4)
      const messages = numbers(1_000).map((text) => ({
        key: Buffer.from(`key ${Number(text) % 7}`),
        value: Buffer.from(text),
      }))
      await stream.publish(topic, messages)
      const read = await pollFor(consume(topic), 1_000)
      expect(new Set(read.map(({ partition }) => partition)).size).toBeGreaterThan(1)
      const partitionOf = new Map(read.map(({ key, partition }) => [String(key), partition]))
      for (const partition of [0, 1, 2, 3]) {
        const own = read.filter((one) => one.partition === partition)
        expect(own.map(({ offset }) => offset)).toEqual(own.map((_, index) => index))
        const published = messages.filter(({ key }) => partitionOf.get(String(key)) === partition)
        expect(own.map(textOf)).toEqual(published.map(({ value }) => value.toString()))
      }
    })

    it('publishes each message once when many calls run at the same time', async () => {
      const topic = await newTopic(2)
      await Promise.all(numbers(40).map((text) => stream.publish(topic, textMessages([text], text))))
      const read = await pollFor(consume(topic), 40)
      expect(
        read
          .map(textOf)
          .map(Number)
          .toSorted((a, b) => a - b),
      ).toEqual(numbers(40).map(Number))
      const [described] = await stream.describe([topic])
      expect(described?.partitions.reduce((sum, { endOffset }) => sum + endOffset, 0)).toBe(40)
    })

    it('returns key, value and time of production of a message, and takes one without a key', async () => {
      const topic = await newTopic(1)
      const before = Date.now() * 1_000
      await stream.publish(topic, [
        { key: Buffer.from([0, 255]), value: Buffer.from([1, 0, 254]) },
        { key: null, value: Buffer.alloc(0) },
      ])
      const [first, second] = await pollFor(consume(topic), 2)
      expect(first).toMatchObject({
        ...{ topic, partition: 0, offset: 0, key: Buffer.from([0, 255]), value: Buffer.from([1, 0, 254]) },
      })
      expect(second).toMatchObject({ offset: 1, key: null, value: Buffer.alloc(0) })
      expect(first?.timestamp).toBeGreaterThanOrEqual(before - 1_000)
      expect(first?.timestamp).toBeLessThanOrEqual(Date.now() * 1_000 + 1_000)
    })

    it('returns at most maxMessages, and none after waitMs without any', async () => {
      const topic = await newTopic(2)
      await stream.publish(topic, [...textMessages(numbers(40), 'a'), ...textMessages(numbers(40), 'b')])
      const consumer = consume(topic)
      const sizes: number[] = []
      while (sizes.reduce((sum, size) => sum + size, 0) < 80) {
        const messages = await consumer.poll({ maxMessages: 30, waitMs: 200 })
        expect(messages.length).toBeLessThanOrEqual(30)
        sizes.push(messages.length)
      }
      const start = performance.now()
      expect(await consumer.poll({ maxMessages: 30, waitMs: 150 })).toEqual([])
      expect(performance.now() - start).toBeGreaterThan(140)
    })

    it('wakes a waiting poll when a message comes', async () => {
      const topic = await newTopic(1)
      const consumer = consume(topic)
      await consumer.poll({ maxMessages: 1, waitMs: 500 })
      const waiting = consumer.poll({ maxMessages: 1, waitMs: 4 * patienceMs })
      await stream.publish(topic, textMessages(['now']))
      expect((await waiting).map(textOf)).toEqual(['now'])
    })

    it('reads a partition from where seek sets it, and not before', async () => {
      const topic = await newTopic(1)
      await stream.publish(topic, textMessages(numbers(10)))
      const assigned: AssignedPartition[] = []
      const consumer = consume(topic, {
        onAssigned: async (partitions) => {
          assigned.push(...partitions)
        },
      })
      while (assigned.length === 0) expect(await consumer.poll({ maxMessages: 9, waitMs: 50 })).toEqual([])
      expect(await consumer.poll({ maxMessages: 9, waitMs: 300 })).toEqual([])
      expect(await consumer.lag()).toEqual([])
      consumer.seek({ topic, partition: 0, offset: 6 })
      expect((await pollFor(consumer, 4)).map(textOf)).toEqual(numbers(4, 6))
    })

    it('assigns partitions to a new member after one has left, to be read on from where the caller sets it', async () => {
      const topic = await newTopic(1)
      await stream.publish(topic, textMessages(numbers(10)))
      const stored: StoredPositions = new Map()
      const first = consume(topic, {}, stored)
      storePositions(stored, await pollFor(first, 4))
      await pollFor(first, 3)
      await first.close()
      expect((await pollFor(consume(topic, {}, stored), 6)).map(textOf)).toEqual(numbers(6, 4))
      expect((await pollFor(consume(topic, { group: `${topic}-2` }), 10)).map(textOf)).toEqual(numbers(10))
    })

    it('seeks back and forth', async () => {
      const topic = await newTopic(1)
      await stream.publish(topic, textMessages(numbers(20)))
      const consumer = consume(topic)
      await pollFor(consumer, 9)
      consumer.seek({ topic, partition: 0, offset: 3 })
      expect((await pollFor(consumer, 4)).map(textOf)).toEqual(numbers(4, 3))
      consumer.seek({ topic, partition: 0, offset: 18 })
      expect((await pollFor(consumer, 2)).map(textOf)).toEqual(numbers(2, 18))
    })

    it('lets onAssigned set the start, before any message comes', async () => {
      const topic = await newTopic(1)
      const [described] = await stream.describe([topic])
      await stream.publish(topic, textMessages(numbers(10)))
      const consumer = consume(topic, {
        onAssigned: async ([partition]) => {
          expect(partition).toEqual({ topic, partition: 0, topicId: described?.id })
          consumer.seek({ topic, partition: 0, offset: 7 })
        },
      })
      expect((await pollFor(consumer, 3)).map(textOf)).toEqual(numbers(3, 7))
    })

    it('rejects a poll with what onAssigned threw, and calls it again', async () => {
      const topic = await newTopic(1)
      await stream.publish(topic, textMessages(['x']))
      let calls = 0
      const consumer = consume(topic, {
        onAssigned: async () => {
          calls += 1
          if (calls === 1) throw new Error('not ready')
          consumer.seek({ topic, partition: 0, offset: 0 })
        },
      })
      await expect(pollFor(consumer, 1)).rejects.toThrow('not ready')
      expect((await pollFor(consumer, 1)).map(textOf)).toEqual(['x'])
      expect(calls).toBe(2)
    })

    it('reports the lag of each partition', async () => {
      const topic = await newTopic(2)
      await stream.publish(topic, textMessages(numbers(10), 'k'))
      const consumer = consume(topic)
      const [message] = await pollFor(consumer, 4)
      const partition = message?.partition ?? 0
      const lags = async () =>
        Object.fromEntries((await consumer.lag()).map(({ partition: index, lag }) => [index, lag]))
      expect(await lags()).toEqual({ [partition]: 6, [1 - partition]: 0 })
      await pollFor(consumer, 6)
      expect(await lags()).toEqual({ [partition]: 0, [1 - partition]: 0 })
    })

    it('refuses a seek of a partition that is not ours, and ignores a commit of it', async () => {
      const topic = await newTopic(1)
      const consumer = consume(topic)
      await consumer.poll({ maxMessages: 1, waitMs: 500 })
      const foreign = { topic, partition: 7, offset: 0 }
      consumer.commit([foreign])
      expect(() => consumer.seek(foreign)).toThrow(StoreFailed)
      expect(await consumer.poll({ maxMessages: 1, waitMs: 50 })).toEqual([])
      expect(consumer.errors).toEqual([])
    })

    it('refuses to publish to a topic that does not exist', async () => {
      const publish = stream.publish('no-such-topic', textMessages(['x']))
      await expect(publish).rejects.toBeInstanceOf(StoreFailed)
      await expect(publish).rejects.toThrow(/there is no (Kafka )?topic "no-such-topic"/)
      await stream.publish('no-such-topic', [])
    })

    it('publishes and reads values of 5 MB, among small ones', async () => {
      const topic = await newTopic(1)
      const large = Buffer.alloc(5 * 1_048_576, 'large ')
      const messages = [...textMessages(['before']), { key: null, value: large }, ...textMessages(['after'])]
      await stream.publish(topic, messages)
      const read = await pollFor(consume(topic), 3)
      expect(read.map(({ value }) => value.length)).toEqual([6, large.length, 5])
      expect(read[1]?.value.equals(large)).toBe(true)
    })

    it('does not read a topic that was created again in place of the one that was assigned', async () => {
      const topic = await newTopic(1)
      await stream.publish(topic, textMessages(['old']))
      const consumer = consume(topic)
      await pollFor(consumer, 1)
      await harness.deleteTopic(topic)
      await harness.createTopic(topic, 1)
      await stream.publish(topic, textMessages(['new 1', 'new 2']))
      expect(await consumer.poll({ maxMessages: 9, waitMs: 700 })).toEqual([])
    })

    it('gives revoked partitions up only when onRevoked is done, so that nothing that it stores comes twice', async () => {
      const topic = await newTopic(2)
      await stream.publish(topic, [...textMessages(numbers(20), 'a'), ...textMessages(numbers(20, 20), 'c')])
      const seen: StreamMessage[] = []
      const stored: StoredPositions = new Map()
      let flushed = false
      const first = consume(topic, {
        onRevoked: async (partitions) => {
          await new Promise((resolve) => setTimeout(resolve, 150))
          const names = new Set(partitions.map(partitionName))
          const own = seen.filter((one) => names.has(partitionName(one)))
          storePositions(stored, own)
          flushed = true
        },
      })
      seen.push(...(await pollFor(first, 25)))
      const second = consume(topic, {
        onAssigned: async (partitions) => {
          expect(flushed).toBe(true)
          for (const one of partitions) second.seek({ ...one, offset: stored.get(partitionName(one)) ?? 0 })
        },
      })
      const others: StreamMessage[] = []
      await pollUntil([first, second], [seen, others], () => seen.length + others.length >= 40)
      const texts = [...seen, ...others].map(textOf).map(Number)
      expect(texts.toSorted((a, b) => a - b)).toEqual(numbers(40).map(Number))
      await first.close()
      expect(flushed).toBe(true)
    })

    it('loses nothing while consumers join and leave under load, and repeats nothing whose position was stored', async () => {
      const topic = await newTopic(6)
      const stored: StoredPositions = new Map()
      const [flushed, all] = [new Set<string>(), new Set<string>()]
      const repeated: string[] = []
      const member = () => {
        const unflushed: StreamMessage[] = []
        const nameOf = (one: StreamPosition): string => `${one.partition}:${one.offset}`
        const flush = async (): Promise<void> => {
          const batch = unflushed.splice(0)
          await new Promise((resolve) => setTimeout(resolve, 3))
          storePositions(stored, batch)
          for (const one of batch) flushed.add(nameOf(one))
        }
        const consumer = consume(topic, { onRevoked: flush }, stored)
        let stopping = false
        const running = (async () => {
          while (!stopping) {
            for (const one of await consumer.poll({ maxMessages: 100, waitMs: 50 })) {
              if (flushed.has(nameOf(one))) repeated.push(nameOf(one))
              all.add(nameOf(one))
              unflushed.push(one)
            }
            if (unflushed.length > 300) await flush()
          }
          await consumer.close()
        })()
        running.catch(() => {})
        return {
          stop: async () => {
            stopping = true
            await running
          },
        }
      }
      let published = 0
      let loading = true
      const load = (async () => {
        while (loading) {
          const messages = numbers(50).map((text) => ({
            key: Buffer.from(`${text}-${published % 13}`),
            value: Buffer.from('x'),
          }))
          await stream.publish(topic, messages)
          published += messages.length
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
      })()
      // Awaited below; a failure before that is not to end the process.
      load.catch(() => {})
      const pause = async (): Promise<void> => await new Promise((resolve) => setTimeout(resolve, 500))
      const one = member()
      await pause()
      const two = member()
      await pause()
      const three = member()
      await pause()
      await one.stop()
      await pause()
      await three.stop()
      loading = false
      await load
      await expect.poll(() => all.size).toBe(published)
      await two.stop()
      expect(repeated).toEqual([])
      expect(flushed.size).toBe(published)
      expect(published).toBeGreaterThan(500)
    })
  })
}

/** Polls several consumers side by side, as their own processes would. */
async function pollUntil(
  consumers: readonly StreamConsumer[],
  into: readonly StreamMessage[][],
  done: () => boolean,
): Promise<void> {
  const until = performance.now() + patienceMs
  await Promise.all(
    consumers.map(async (consumer, index) => {
      while (!done()) {
        if (performance.now() > until) throw new Error('the messages did not come')
        into[index]?.push(...(await consumer.poll({ maxMessages: 5, waitMs: 50 })))
      }
    }),
  )
}
