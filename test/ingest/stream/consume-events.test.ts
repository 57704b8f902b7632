import { setTimeout as sleep } from 'node:timers/promises'
import { count, entity, eventSource, stream as streamed, windowedView } from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { formatTimestamp } from '../../../src/definitions/timestamp.ts'
import { consumeEvents } from '../../../src/ingest/stream/consume-events.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import { postgresDeletionStore } from '../../../src/stores/postgres/deletion/deletion-store.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { eventTable } from '../../../src/stores/postgres/tables/event-table.ts'
import { memoryEventStream } from '../../oracle/memory-event-stream.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'

const now = Date.now() * 1_000
const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const payments = eventSource('payments', {
  topic: 'payments',
  eventTimestamp: 'at',
  fields: { customer_id: 'int64', amount: 'float64' },
  expect: { amount: { max: 100, action: 'quarantine' } },
})
const recent = windowedView('recent', {
  entity: customer,
  source: payments,
  compute: streamed(),
  features: { n: count('1h') },
})
const registry = buildRegistry([customer, payments, recent].map((value) => ({ path: 'here', value })))

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 4)
  const offline = testOfflineStore(database.url)
  await offline.ensureTables(registry.views, registry.eventSources)
  await offline.close()
})
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

it('dead-letters what is no event, and stores and reports nothing about a deleted entity', async () => {
  const [source] = registry.eventSources
  const [known] = registry.entities
  if (!source || !known) throw new Error('no source')
  const deletion = { entity: known, key: [2], views: [], sources: [source] }
  await postgresDeletionStore(pool, 'default').record(deletion, now + 60_000_000)
  const stream = memoryEventStream(() => now)
  await stream.createTopic('payments', 1)
  const at = formatTimestamp(now)
  const values = [
    JSON.stringify({ at, customer_id: 1, amount: 5 }),
    'not json',
    JSON.stringify({ at, customer_id: 1, amount: 101 }),
    JSON.stringify({ at, customer_id: 2, amount: 5 }),
    JSON.stringify({ at, customer_id: 2, amount: 101 }),
  ]
  await stream.publish(
    'payments',
    values.map((value) => ({ key: null, value: Buffer.from(value) })),
  )
  const stopping = new AbortController()
  let processedMessages = 0
  await consumeEvents(
    {
      events: { ...postgresEventStore(pool, 'default'), now: async () => now },
      stream,
      clock: () => now,
    },
    registry,
    {
      group: 'g',
      signal: stopping.signal,
      pause: sleep,
      observe: {
        processed: (_, { stored, deadLetters }) => {
          processedMessages += stored + deadLetters
          // Those of the deleted entity are neither.
          if (processedMessages === 3) stopping.abort()
        },
        behind: () => {},
        flushed: () => {},
      },
      onDeadLetter: () => {},
      log: { info: () => {}, warn: () => {} },
    },
  )
  const kept = await pool.query(
    `select customer_id::int, "offset"::int from ${eventTable('default', source)}`,
  )
  expect(kept.rows).toEqual([{ customer_id: 1, offset: 0 }])
  const deadLetters = await pool.query(`select "offset"::int, reason from featuregraph.quarantine order by 1`)
  expect(deadLetters.rows).toEqual([
    { offset: 1, reason: 'the line is not JSON in UTF-8' },
    { offset: 2, reason: 'amount: Value 101 above maximum 100' },
  ])
  const reported = await pool.query('select key, message from featuregraph.violations')
  expect(reported.rows).toEqual([{ key: ['1'], message: 'Value 101 above maximum 100' }])
})

/** A topic of one partition, the tables of a project of its own, and a clock that tests move. */
async function streamedProject(project: string) {
  const [source] = registry.eventSources
  if (!source) throw new Error('no source')
  const time = { now }
  const stream = memoryEventStream(() => time.now)
  await stream.createTopic('payments', 1)
  const offline = testOfflineStore(database.url, { project })
  await offline.ensureTables(registry.views, registry.eventSources)
  await offline.close()
  const message = JSON.stringify({ at: formatTimestamp(now), customer_id: 7, amount: 1 })
  return {
    ...{ source, time, stream },
    stored: { ...postgresEventStore(pool, project), now: async () => time.now },
    publish: () => stream.publish('payments', [{ key: null, value: Buffer.from(message) }]),
  }
}

it('counts what waited behind a batch from when it is stored, not from when it was polled', async () => {
  const { source, time, stream, stored, publish } = await streamedProject('waiting')
  const asked: (() => void)[] = []
  const events: typeof stored = {
    ...stored,
    async storeMessages(...batch) {
      if (asked.length === 0) await new Promise<void>((resolve) => asked.push(resolve))
      return await stored.storeMessages(...batch)
    },
  }
  const stopping = new AbortController()
  let kept = 0
  await publish()
  const consuming = consumeEvents({ events, stream, clock: () => time.now }, registry, {
    ...{ group: 'waiting', signal: stopping.signal, pause: sleep, onDeadLetter: () => {} },
    observe: {
      processed: (_, counts) => {
        kept += counts.stored
        if (kept === 2) stopping.abort()
      },
      behind: () => {},
      flushed: () => {},
    },
    log: { info: () => {}, warn: () => {} },
  })
  await expect.poll(() => asked.length).toBe(1)
  await publish()
  await sleep(500)
  time.now += 600_000_000
  asked[0]?.()
  await consuming
  const { rows } = await pool.query(
    `select extract(epoch from ingested_at - to_timestamp($1 / 1e6))::int as after from ${eventTable('waiting', source)} order by "offset"`,
    [now],
  )
  expect(rows).toEqual([{ after: 0 }, { after: 600 }])
})

it('stores what comes after an adoption under the adopted name, also of a topic that it reads already', async () => {
  const { source, time, stream, stored: events, publish } = await streamedProject('adopting')
  const stopping = new AbortController()
  const consuming = consumeEvents({ events, stream, clock: () => time.now }, registry, {
    ...{ group: 'adopting', signal: stopping.signal, pause: sleep, onDeadLetter: () => {} },
    observe: { processed: () => {}, behind: () => {}, flushed: () => {} },
    log: { info: () => {}, warn: () => {} },
  })
  const storedAs = async () =>
    (await events.positions(source)).map(({ topic, nextOffset }) => [topic, nextOffset])
  await publish()
  await expect.poll(storedAs).toEqual([['payments', 1]])
  const [description] = await stream.describe(['payments'])
  await events.adoptTopic('payments', description?.id ?? '')
  await events.recordWatermarks(source, [{ topic: 'payments@1', partition: 0, nextOffset: 1, at: time.now }])
  time.now += 6_000_000
  await sleep(800)
  await publish()
  await expect.poll(storedAs).toEqual([
    ['payments', 1],
    ['payments@1', 2],
  ])
  stopping.abort()
  await consuming
})
