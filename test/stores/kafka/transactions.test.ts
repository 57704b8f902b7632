import { randomUUID } from 'node:crypto'
import { ProduceAcks, Producer } from '@platformatic/kafka'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { kafkaEventStream } from '../../../src/stores/kafka/event-stream.ts'
import { parseKafkaUrl } from '../../../src/stores/kafka/kafka-url.ts'
import { pollFor, textMessages, watchedConsumer } from '../../contract/event-stream.ts'
import { kafkaOrSkip } from '../../services/kafka.ts'

const kafka = await kafkaOrSkip()

if (kafka === null) it.skip('transactions on a real Kafka: none can be had here, see CONTRIBUTING.md')
else {
  const { bootstrap } = kafka
  const stream = kafkaEventStream(parseKafkaUrl(`kafka://${bootstrap}`, 'STREAM_URL'))
  const producers: Producer<Buffer, Buffer, Buffer, Buffer>[] = []
  afterEach(async () => {
    await Promise.all(producers.splice(0).map((producer) => producer.close()))
  })
  afterAll(() => stream.close())

  async function newTopic(): Promise<string> {
    const topic = `t-${randomUUID()}`
    await kafka?.createTopic(topic, 1)
    return topic
  }
  function transactional() {
    const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
      clientId: 'featuregraph-tests',
      bootstrapBrokers: [bootstrap],
      acks: ProduceAcks.ALL,
      idempotent: true,
      transactionalId: randomUUID(),
    })
    producers.push(producer)
    return producer
  }
  const messageOf = (topic: string, value: string | Buffer) => ({ topic, value: Buffer.from(value) })
  async function abort(producer: Producer<Buffer, Buffer, Buffer, Buffer>, topic: string, text: string) {
    const transaction = await producer.beginTransaction()
    await transaction.send({ messages: [messageOf(topic, text)] })
    await transaction.abort()
  }
  /** All of it, by one consumer from offset 0: the beginning of each value. */
  async function textsIn(topic: string, count: number): Promise<readonly string[]> {
    const consumer = watchedConsumer(stream, { group: topic, topics: [topic] })
    try {
      const messages = [...(await pollFor(consumer, count))]
      // What would come behind the last one that is expected.
      messages.push(...(await consumer.poll({ maxMessages: 100, waitMs: 300 })))
      expect(await consumer.lag()).toMatchObject([{ topic, partition: 0, lag: 0 }])
      return messages.map(({ value }) => value.toString('utf8', 0, 20))
    } finally {
      await consumer.close()
    }
  }

  describe('the Kafka consumer never delivers messages', () => {
    it('of two aborted transactions of one producer that come in one fetch', async () => {
      const topic = await newTopic()
      const producer = transactional()
      await stream.publish(topic, textMessages(['before']))
      await abort(producer, topic, 'aborted 1')
      await stream.publish(topic, textMessages(['between']))
      await abort(producer, topic, 'aborted 2')
      await stream.publish(topic, textMessages(['after']))
      expect(await textsIn(topic, 3)).toEqual(['before', 'between', 'after'])
    })

    it('of an aborted transaction that is larger than a fetch', async () => {
      const topic = await newTopic()
      const transaction = await transactional().beginTransaction()
      for (let nth = 0; nth < 8; nth++)
        await transaction.send({ messages: [messageOf(topic, Buffer.alloc(400_000, `aborted ${nth} `))] })
      await transaction.abort()
      await stream.publish(topic, textMessages(['after']))
      expect(await textsIn(topic, 1)).toEqual(['after'])
    })

    it('of an aborted transaction beside an abort without messages of another producer', async () => {
      const topic = await newTopic()
      const [empty, full] = [transactional(), transactional()]
      const emptyTransaction = await empty.beginTransaction()
      const metadata = await empty.metadata({ topics: [topic] })
      const fullTransaction = await full.beginTransaction()
      await fullTransaction.send({ messages: [messageOf(topic, 'aborted 1')] })
      // The partition is part of the transaction, and gets the mark of its end, without a message.
      await emptyTransaction.addPartitions(metadata, [{ ...messageOf(topic, ''), partition: 0 }])
      await emptyTransaction.abort()
      await fullTransaction.send({ messages: [messageOf(topic, 'aborted 2')] })
      await stream.publish(topic, textMessages(['between']))
      await fullTransaction.abort()
      await stream.publish(topic, textMessages(['after']))
      expect(await textsIn(topic, 2)).toEqual(['between', 'after'])
    })
  })
}
