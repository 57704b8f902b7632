import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProduceAcks, Producer } from '@platformatic/kafka'
import { count, entity, eventSource, stream as streamed, windowedView } from 'featuregraph'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { formatTimestamp } from '../../../src/definitions/timestamp.ts'
import { systemClock } from '../../../src/gateway/system-clock.ts'
import { consumeEvents } from '../../../src/ingest/stream/consume-events.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import { kafkaEventStream } from '../../../src/stores/kafka/event-stream.ts'
import { parseKafkaUrl } from '../../../src/stores/kafka/kafka-url.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { kafkaOrSkip } from '../../services/kafka.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'

const kafka = await kafkaOrSkip()

if (kafka === null)
  it.skip('markers of transactions on a real Kafka: none can be had here, see CONTRIBUTING.md')
else {
  const { bootstrap } = kafka
  const stream = kafkaEventStream(parseKafkaUrl(`kafka://${bootstrap}`, 'STREAM_URL'))
  let database: TestDatabase
  let pool: ReturnType<typeof testPool>
  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 4)
  })
  afterAll(async () => {
    await stream.close()
    await pool?.end()
    await database?.drop()
  })

  const timeout = 60_000

  /** A project whose source reads a topic of one partition, which one consumer after the other follows. */
  async function projectOn(topic: string) {
    const payments = eventSource('payments', {
      ...{ topic, eventTimestamp: 'at' },
      fields: { customer_id: 'int64' },
    })
    const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
    const recent = windowedView('recent', {
      ...{ entity: customer, source: payments, compute: streamed() },
      features: { n: count('1h') },
    })
    const registry = buildRegistry([customer, payments, recent].map((value) => ({ path: 'here', value })))
    const project = `t${randomUUID().replaceAll('-', '').slice(0, 12)}`
    const offline = testOfflineStore(database.url, { project })
    await offline.ensureTables(registry.views, registry.eventSources)
    await offline.close()
    const [source] = registry.eventSources
    if (source === undefined) throw new Error('no source')
    const events = postgresEventStore(pool, project)
    const position = async () => (await events.positions(source))[0]
    return {
      position,
      /** As `stream status` counts them. */
      async messagesBehind(): Promise<number> {
        const [description] = await stream.describe([topic])
        const end = description?.partitions[0]?.endOffset ?? Number.NaN
        return end - ((await position())?.nextOffset ?? 0)
      },
      /** A consumer as after a start, until `work` is done; the lags that it reported. */
      async following(work: () => Promise<void>): Promise<readonly number[]> {
        const stopping = new AbortController()
        const lags: number[] = []
        const consuming = consumeEvents({ events, stream, clock: systemClock }, registry, {
          ...{ group: topic, signal: stopping.signal, pause: sleep, onDeadLetter: () => {} },
          observe: { processed: () => {}, behind: (_, __, lag) => lags.push(lag), flushed: () => {} },
          log: { info: () => {}, warn: () => {} },
        })
        try {
          await work()
        } finally {
          stopping.abort()
          await consuming
        }
        return lags
      },
      /** Resolves when the partition was caught up at a moment from now on. */
      async caughtUpFromNowOn(): Promise<void> {
        const from = systemClock()
        await expect
          .poll(async () => ((await position())?.watermark ?? 0) >= from, { timeout, interval: 50 })
          .toBe(true)
      },
    }
  }

  async function sendInTransaction(topic: string, ending: 'commit' | 'abort'): Promise<void> {
    const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
      ...{ clientId: 'featuregraph-tests', bootstrapBrokers: [bootstrap], acks: ProduceAcks.ALL },
      ...{ idempotent: true, transactionalId: randomUUID() },
    })
    const transaction = await producer.beginTransaction()
    const value = Buffer.from(JSON.stringify({ at: formatTimestamp(systemClock()), customer_id: 7 }))
    await transaction.send({ messages: [{ topic, value }] })
    await transaction[ending]()
    await producer.close()
  }

  it.each(['commit', 'abort'] as const)(
    'a topic that ends in the marker of a %s is caught up, also after a restart, and nothing counts as behind',
    async (ending) => {
      const topic = `t-${randomUUID()}`
      await kafka.createTopic(topic, 1)
      const { following, caughtUpFromNowOn, messagesBehind, position } = await projectOn(topic)
      await sendInTransaction(topic, 'commit')
      await following(caughtUpFromNowOn)
      expect(await messagesBehind()).toBe(0)
      // While nobody reads, so that the next start finds it behind the stored position.
      await sendInTransaction(topic, ending)
      const lags = await following(async () => {
        await caughtUpFromNowOn()
        await caughtUpFromNowOn()
      })
      expect(lags.at(-1)).toBe(0)
      expect(await messagesBehind()).toBe(0)
      // Two transactions of a message and a marker.
      expect((await position())?.nextOffset).toBe(4)
    },
    4 * timeout,
  )

  it(
    'a start at the marker behind the last stored message catches up',
    async () => {
      const topic = `t-${randomUUID()}`
      await kafka.createTopic(topic, 1)
      const { following, caughtUpFromNowOn, messagesBehind, position } = await projectOn(topic)
      await sendInTransaction(topic, 'commit')
      await following(async () => {
        await expect.poll(async () => (await position())?.nextOffset ?? 0, { timeout }).toBeGreaterThan(0)
      })
      // As it is where the process ends between the message and the marker.
      await pool.query('update featuregraph.event_positions set next_offset = 1 where next_offset = 2')
      for (let start = 1; start <= 3; start += 1) await following(caughtUpFromNowOn)
      expect(await messagesBehind()).toBe(0)
    },
    4 * timeout,
  )
}
