import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import zlib from 'node:zlib'
import { ProduceAcks, Producer } from '@platformatic/kafka'
import { afterEach, describe, expect, it } from 'vitest'
import { InvalidConfig, StoreFailed } from '../../../src/errors.ts'
import {
  type ConsumeOptions,
  type EventStream,
  positionsBehind,
  type StreamConsumer,
} from '../../../src/stores/event-stream.ts'
import { kafkaEventStream } from '../../../src/stores/kafka/event-stream.ts'
import type { GroupTimeouts } from '../../../src/stores/kafka/group-membership.ts'
import { parseKafkaUrl } from '../../../src/stores/kafka/kafka-url.ts'
import {
  eventStreamContract,
  numbers,
  pollFor,
  textMessages,
  textOf,
  type WatchedConsumer,
  watchedConsumer,
} from '../../contract/event-stream.ts'
import { consumerGroup } from '../../faults/consumer-group.ts'
import { kafkaOrSkip, kafkaUser } from '../../services/kafka.ts'
import { patienceMs, untilWorks } from '../../services/wait-until.ts'

const { password: secret } = kafkaUser
const kafka = await kafkaOrSkip()
const timeouts = { heartbeatMs: 150, metadataMs: 300 }

function open(bootstrap: string, more: Partial<GroupTimeouts> = {}): EventStream {
  return kafkaEventStream(parseKafkaUrl(`kafka://${bootstrap}`, 'STREAM_URL'), { ...timeouts, ...more })
}

if (kafka === null) it.skip('the event stream on a real Kafka: none can be had here, see CONTRIBUTING.md')
else {
  const { bootstrap, bootstrapSasl, createTopic, deleteTopic } = kafka
  eventStreamContract('Kafka', async () => {
    const stream = open(bootstrap)
    return { stream, createTopic, deleteTopic, close: stream.close }
  })

  describe('the event stream on Kafka', () => {
    const consumers: StreamConsumer[] = []
    const streams: EventStream[] = []
    afterEach(async () => {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.close()))
      await Promise.all(streams.splice(0).map((stream) => stream.close()))
    })

    function opened(more: Partial<GroupTimeouts> = {}): EventStream {
      const stream = open(bootstrap, more)
      streams.push(stream)
      return stream
    }
    function consume(stream: EventStream, topic: string, options: Partial<ConsumeOptions> = {}) {
      const consumer = watchedConsumer(stream, { group: topic, topics: [topic], ...options })
      consumers.push(consumer)
      return consumer
    }
    async function newTopic(partitions: number): Promise<string> {
      const topic = `t-${randomUUID()}`
      await createTopic(topic, partitions)
      return topic
    }

    it('waits for a topic that does not exist yet', async () => {
      const stream = opened()
      const topic = `t-${randomUUID()}`
      const consumer = consume(stream, topic)
      expect(await consumer.poll({ maxMessages: 1, waitMs: 300 })).toEqual([])
      await createTopic(topic, 2)
      await stream.publish(topic, textMessages(['x']))
      expect((await pollFor(consumer, 1)).map(textOf)).toEqual(['x'])
    })

    it('reads compressed batches, and leaves out what a transaction aborted', async () => {
      const topic = await newTopic(1)
      const base = { clientId: 'test', bootstrapBrokers: [bootstrap], acks: ProduceAcks.ALL }
      const plain = new Producer(base)
      const compressions = [
        'gzip',
        'snappy',
        'lz4',
        ...('zstdCompressSync' in zlib ? ['zstd' as const] : []),
      ] as const
      for (const compression of compressions)
        await plain.send({ messages: [{ topic, value: Buffer.from(compression) }], compression })
      const producer = new Producer({ ...base, idempotent: true, transactionalId: topic })
      for (const [text, ending] of [
        ['aborted', 'abort'],
        ['committed', 'commit'],
      ] as const) {
        const transaction = await producer.beginTransaction()
        await transaction.send({ messages: [{ topic, value: Buffer.from(text) }] })
        await transaction[ending]()
      }
      const stream = opened()
      const consumer = consume(stream, topic)
      const expected = [...compressions, 'committed']
      expect((await pollFor(consumer, expected.length)).map(textOf)).toEqual(expected)
      await consumer.poll({ maxMessages: 1, waitMs: 300 })
      expect(await consumer.lag()).toMatchObject([{ topic, partition: 0, lag: 0 }])
      await Promise.all([plain.close(), producer.close()])
    })

    it('gives the partitions of a consumer that does not poll to the others, and lets it join again with its next poll', async () => {
      const stream = opened({ revocationTimeoutMs: 600 })
      const topic = await newTopic(2)
      await stream.publish(topic, [...textMessages(numbers(5), 'a'), ...textMessages(numbers(5, 5), 'c')])
      const silent = consume(stream, topic)
      const read = await pollFor(silent, 10)
      const other = consume(stream, topic)
      const all = await pollFor(other, 10)
      expect(all.map(textOf).toSorted()).toEqual(read.map(textOf).toSorted())
      expect(silent.revoked).toEqual([])
      expect(silent.errors.map(({ message }) => message).join()).toContain('not given up within 600 ms')
      expect(await silent.poll({ maxMessages: 1, waitMs: 0 })).toEqual([])
      expect(silent.revoked).toHaveLength(2)
      const until = performance.now() + patienceMs
      while (silent.assigned.length < 3 && performance.now() < until)
        await Promise.all([silent, other].map((one) => one.poll({ maxMessages: 9, waitMs: 50 })))
      expect(silent.assigned).toHaveLength(3)
      expect(other.revoked).toHaveLength(1)
    })

    it('shows operators in Kafka how far the group is, also what was committed just before a consumer left', async () => {
      const stream = opened()
      const topic = await newTopic(2)
      await stream.publish(topic, [...textMessages(numbers(5), 'a'), ...textMessages(numbers(5, 5), 'c')])
      const { isAtEnd } = consumerGroup(bootstrap, topic, topic)
      const first = consume(stream, topic)
      await pollFor(first, 10)
      first.commit([{ topic, partition: 0, offset: 3 }])
      await first.poll({ maxMessages: 1, waitMs: 0 })
      await expect.poll(() => isAtEnd([3, 0])).toBe(true)
      first.commit([
        { topic, partition: 0, offset: 5 },
        { topic, partition: 1, offset: 4 },
      ])
      await first.close()
      expect(await isAtEnd([5, 4])).toBe(true)
    })

    it('lets others take over from a dead member after its session, whose later commits change nothing', async () => {
      const stream = opened({ sessionTimeoutMs: 700, heartbeatMs: 5_000 })
      const topic = await newTopic(1)
      await stream.publish(topic, textMessages(numbers(3)))
      const { isAtEnd } = consumerGroup(bootstrap, topic, topic)
      const dead = consume(stream, topic)
      const read = await pollFor(dead, 3)
      const next = consume(opened({ sessionTimeoutMs: 6_000 }), topic)
      expect((await pollFor(next, 3)).map(textOf)).toEqual(numbers(3))
      next.commit(positionsBehind(read))
      await next.poll({ maxMessages: 1, waitMs: 0 })
      await expect.poll(() => isAtEnd([3])).toBe(true)
      dead.commit([{ topic, partition: 0, offset: 1 }])
      await dead.poll({ maxMessages: 1, waitMs: 200 })
      expect(await isAtEnd([3])).toBe(true)
    })

    it('lets in users by each mechanism, and reports no secret when it does not', async () => {
      const login = `someone:${encodeURIComponent(secret)}`
      for (const sasl of ['plain', 'scram-sha-256', 'scram-sha-512']) {
        const stream = kafkaEventStream(
          parseKafkaUrl(`kafka://${login}@${bootstrapSasl}?sasl=${sasl}`, 'URL'),
        )
        streams.push(stream)
        await stream.ping()
        const wrong = `kafka://someone:wrong-${secret.slice(2, 4)}@${bootstrapSasl}?sasl=${sasl}`
        const refused = kafkaEventStream(parseKafkaUrl(wrong, 'URL'))
        streams.push(refused)
        const error: unknown = await refused.ping().catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(StoreFailed)
        expect(inspect(error, { depth: 20 })).not.toMatch(/wrong-|someone/)
      }
    })

    it('goes on after the broker was killed and came back; meanwhile publish fails and poll is empty', async () => {
      const stream = opened()
      const topic = await newTopic(2)
      await stream.publish(topic, textMessages(numbers(5), 'a'))
      const consumer = consume(stream, topic)
      consumer.commit(positionsBehind(await pollFor(consumer, 5)))
      const waiting = consumer.poll({ maxMessages: 10, waitMs: 300 })
      await kafka.kill()
      expect(await waiting).toEqual([])
      await expect(stream.publish(topic, textMessages(['lost']))).rejects.toBeInstanceOf(StoreFailed)
      await expect(stream.ping()).rejects.toBeInstanceOf(StoreFailed)
      expect(await consumer.poll({ maxMessages: 10, waitMs: 1_200 })).toEqual([])
      await expect.poll(() => errorsAfterAPoll(consumer)).toBeGreaterThan(0)
      expect(consumer.errors.length).toBeLessThan(8)

      await kafka.restart()
      // After a failure a call tries for two seconds alone, and partitions have a leader again when the machine gets to it. They
      // are of one key, so of one partition, which takes all or none.
      await untilWorks(() => stream.publish(topic, textMessages(numbers(5, 5), 'a')))
      const read = await pollFor(consumer, 5)
      expect(read.map(textOf)).toEqual(numbers(5, 5))
      consumer.commit(positionsBehind(read))
      const { isAtEnd } = consumerGroup(bootstrap, topic, topic)
      const ends = [0, 1].map((index) => (index === read[0]?.partition ? 10 : 0))
      const isCommitted = async () => {
        await consumer.poll({ maxMessages: 10, waitMs: 0 })
        return await isAtEnd(ends)
      }
      await expect.poll(isCommitted).toBe(true)
      expect(consumer.revoked).toEqual([])
      expect(consumer.assigned).toHaveLength(2)
    })
  })

  it('without a broker is a failure of the calls, not of opening', async () => {
    const stream = open('127.0.0.1:1')
    await expect(stream.ping()).rejects.toBeInstanceOf(StoreFailed)
    await expect(stream.describe(['t'])).rejects.toBeInstanceOf(StoreFailed)
    const consumer = watchedConsumer(stream, { group: 'g', topics: ['t'] })
    await expect.poll(() => errorsAfterAPoll(consumer)).toBeGreaterThan(0)
    await consumer.close()
    await stream.close()
  })
}

/** How many failures have been reported once another poll has brought nothing: on a busy machine they come after it. */
async function errorsAfterAPoll(consumer: WatchedConsumer): Promise<number> {
  expect(await consumer.poll({ maxMessages: 10, waitMs: 200 })).toEqual([])
  return consumer.errors.length
}

describe('the URL of a Kafka', () => {
  it('names brokers, user, mechanism, TLS and the session timeout', () => {
    const parameters = 'tls=true&sasl=scram-sha-256&session-timeout=6s'
    expect(parseKafkaUrl(`kafka://a%40b:p%3A%2Fw@one:9093,two,[::1]:7?${parameters}`, 'URL')).toEqual({
      brokers: [
        { host: 'one', port: 9093 },
        { host: 'two', port: 9092 },
        { host: '::1', port: 7 },
      ],
      tls: true,
      sasl: { mechanism: 'SCRAM-SHA-256', username: 'a@b', password: 'p:/w' },
      sessionTimeoutMs: 6_000,
    })
    expect(parseKafkaUrl('kafka://one', 'URL')).toEqual({
      ...{ brokers: [{ host: 'one', port: 9092 }], tls: false, sasl: null, sessionTimeoutMs: null },
    })
  })

  it('takes a session timeout from 1s to 30m only', () => {
    const parse = (timeout: string) => parseKafkaUrl(`kafka://one?session-timeout=${timeout}`, 'STREAM_URL')
    for (const [timeout, ms] of [
      ['1s', 1_000],
      ['1500ms', 1_500],
      ['30m', 1_800_000],
    ] as const)
      expect(parse(timeout).sessionTimeoutMs).toBe(ms)
    for (const timeout of ['', '6', '-6s', '999ms', '31m', '1e9s', 'topsecret', '6s&session-timeout=7s'])
      expect(() => parse(timeout)).toThrow(/STREAM_URL.*session-timeout/s)
    expect(() => parse('topsecret')).not.toThrow(/topsecret/)
  })

  it('is refused with all its problems, without the password', () => {
    const url = 'kafka://topsecret@one:99999,two:x?tls=yes&sasl=md5&sasl=plain&ssl=1'
    const problems = [
      ...['STREAM_URL', 'only the parameters', 'sasl is given more', 'tls=true', 'broker 1', 'broker 2'],
      ...['sasl=plain', 'user:password'],
    ]
    for (const problem of problems) expect(() => parseKafkaUrl(url, 'STREAM_URL')).toThrow(problem)
    for (const bad of [
      url,
      'kafka://u:%zz@h',
      'http://topsecret',
      'kafka://h?sasl=plain',
      'kafka://',
      'kafka://:topsecret@h',
      'kafka://u:topsecret',
      'kafka://h?topsecret',
    ]) {
      expect(() => parseKafkaUrl(bad, 'STREAM_URL')).toThrow(InvalidConfig)
      expect(() => parseKafkaUrl(bad, 'STREAM_URL')).not.toThrow(/topsecret/)
    }
  })
})
