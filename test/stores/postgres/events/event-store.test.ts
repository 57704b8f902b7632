import { entity, eventSource } from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Micros } from '../../../../src/definitions/timestamp.ts'
import { buildRegistry } from '../../../../src/registry/build-registry.ts'
import type { EventSource } from '../../../../src/registry/registry.ts'
import type { DeadLetteredMessage, EventToStore } from '../../../../src/stores/event-log.ts'
import type { EventStore } from '../../../../src/stores/event-store.ts'
import type { OfflineStore } from '../../../../src/stores/offline-store.ts'
import { postgresDeletionStore } from '../../../../src/stores/postgres/deletion/deletion-store.ts'
import { postgresDeadLetterStore } from '../../../../src/stores/postgres/events/dead-letter-store.ts'
import { postgresEventStore } from '../../../../src/stores/postgres/events/event-store.ts'
import { topicIdOf } from '../../../../src/stores/postgres/events/event-topics.ts'
import { postgresQuarantineStore } from '../../../../src/stores/postgres/quarantine/quarantine-store.ts'
import { eventTable } from '../../../../src/stores/postgres/tables/event-table.ts'
import { at } from '../../../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../../services/test-pool.ts'
import { judged } from '../../../world/judged.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const fields = { customer_id: 'int64', amount: 'float64', note: 'string', raw: 'bytes' } as const
const registry = buildRegistry(
  [
    customer,
    eventSource('payments', { eventTimestamp: 'at', fields }),
    eventSource('orders', { eventTimestamp: 'at', eventId: 'id', fields }),
  ].map((value) => ({ path: 'here', value })),
)
const [payments, orders] = registry.eventSources
if (!payments || !orders) throw new Error('no sources')

const noon = at('2026-11-20T12:00:00Z')
const second = 1_000_000

let database: TestDatabase
let pool: pg.Pool
let offline: OfflineStore
let store: EventStore
let others: EventStore
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 8)
  offline = testOfflineStore(database.url)
  await offline.ensureTables(registry.views, registry.eventSources)
  store = postgresEventStore(pool, 'default')
  others = postgresEventStore(pool, 'default')
})
afterAll(async () => {
  await offline.close()
  await pool.end()
  await database.drop()
})

function event(offset: number, more: Partial<EventToStore> = {}): EventToStore {
  return {
    partition: 0,
    offset,
    eventTimestamp: noon + offset,
    eventId: null,
    values: [offset, offset / 4, null, null],
    ...more,
  }
}

const all = { limit: 1_000, since: null, until: 1_000 }
const readFrom = async (source: EventSource, topic: string, partition = 0) =>
  (await store.read(source, { topic, partition, offset: 0 }, all)).events
const offsetsOf = async (topic: string, partition = 0, since: Micros | null = null) => {
  const { events } = await store.read(payments, { topic, partition, offset: 0 }, { ...all, since })
  return events.map(({ offset }) => offset)
}
const keep = async (topic: string, events: readonly EventToStore[], storedAt: Micros, one = store) =>
  (await one.storeMessages(payments, topic, judged(events), storedAt)).events

describe('stored events', () => {
  it('come back as they were stored, values of every kind, in the order of their offsets', async () => {
    const odd = event(2, { values: ['9007199254740993', 1e300, "it's \\ 😀", Buffer.from([0, 255])] })
    expect(await keep('round', [odd, event(1)], noon + second)).toEqual(['STORED', 'STORED'])
    expect(await readFrom(payments, 'round')).toEqual(
      [event(1), odd].map((one) => ({ ...one, topic: 'round', storedAt: noon + second })),
    )
  })

  it('are processed exactly once, when they come again by whomever, this way or another', async () => {
    await keep('again', [event(0), event(2)], noon)
    const tries = await Promise.all(
      [store, others, store].map((one) =>
        keep(
          'again',
          [0, 1, 2, 3].map((offset) => event(offset)),
          noon + second,
          one,
        ),
      ),
    )
    expect(tries.flat().filter((outcome) => outcome === 'STORED')).toHaveLength(1)
    for (const outcomes of tries)
      expect(outcomes.slice(0, 3)).toEqual(['PROCESSED', 'PROCESSED', 'PROCESSED'])
    const read = await readFrom(payments, 'again')
    expect(read.map(({ offset, storedAt }) => [offset, storedAt])).toEqual([
      [0, noon],
      [2, noon],
      [3, noon + second],
    ])
  })

  it('stand in the partitions of their topic, which say how far they are stored', async () => {
    await keep('wide', [event(4), event(7, { partition: 2 })], noon)
    await keep('wide', [event(5)], noon)
    const wide = (await others.positions(payments)).filter(({ topic }) => topic === 'wide')
    const topicNumber = await topicIdOf(pool, 'default', 'wide')
    expect(wide).toEqual([
      { topic: 'wide', topicNumber, partition: 0, nextOffset: 6, isStreamed: false, watermark: null },
      { topic: 'wide', topicNumber, partition: 2, nextOffset: 8, isStreamed: false, watermark: null },
    ])
    const level = { topic: 'wide', partition: 2, nextOffset: 8, at: noon }
    await store.recordWatermarks(payments, [level, { ...level, partition: 3, nextOffset: 0 }])
    await store.recordWatermarks(payments, [{ ...level, at: noon - 1 }])
    const watermarks = (await others.positions(payments)).filter(({ topic }) => topic === 'wide')
    expect(
      watermarks.map(({ partition, nextOffset, watermark }) => [partition, nextOffset, watermark]),
    ).toEqual([
      [0, 6, null],
      [2, 8, noon],
      [3, 0, noon],
    ])
    expect(await offsetsOf('wide', 2)).toEqual([7])
    expect(await offsetsOf('wide', 0, noon + 5)).toEqual([5])
    const from = { topic: 'wide', partition: 0, offset: 0 }
    const one = await store.read(payments, from, { limit: 1, since: null, until: 6 })
    expect([one.events.map(({ offset }) => offset), one.next]).toEqual([[4], 5])
    const rest = await store.read(payments, { ...from, offset: 5 }, { limit: 9, since: null, until: 6 })
    expect([rest.events.map(({ offset }) => offset), rest.next]).toEqual([[5], 6])
  })

  it('stand with what was dead-lettered, in one transaction, each message once', async () => {
    const message = (offset: number, more: Partial<DeadLetteredMessage> = {}): DeadLetteredMessage => ({
      ...{ partition: 0, offset, key: Buffer.from([0, 255]), value: Buffer.from('not json'), content: {} },
      ...{ event: null, reason: 'no event', violations: [], ...more },
    })
    const dead = message(2, { event: { eventTimestamp: noon, eventId: null, values: [78, 1, null, null] } })
    await postgresDeletionStore(pool, 'default').record(
      { entity: customer_(), key: [78], views: [], sources: [payments] },
      noon,
    )
    const messages = { ...judged([event(0)]), deadLetters: [message(1), dead] }
    expect(await store.storeMessages(payments, 'refused', messages, noon)).toEqual({
      storedAt: noon,
      events: ['STORED'],
      deadLetters: ['DEAD_LETTERED', 'DELETED'],
    })
    expect(
      await store.storeMessages(
        payments,
        'refused',
        { events: [], deadLetters: [message(1), message(2), message(3)] },
        noon,
      ),
    ).toEqual({
      storedAt: noon,
      events: [],
      deadLetters: ['PROCESSED', 'PROCESSED', 'DEAD_LETTERED'],
    })
    const letters = postgresDeadLetterStore(pool, 'default')
    const quarantine = postgresQuarantineStore(pool, 'default')
    const asked = { name: 'payments', cameBy: 'message', order: 'NEWEST_FIRST', past: null } as const
    const page = await quarantine.page({ ...asked, first: 10 })
    expect(page).toMatchObject([
      { reason: 'no event', recordedAt: noon, message: { topic: 'refused', partition: 0, offset: 3 } },
      { message: { offset: 1, key: Buffer.from([0, 255]), value: Buffer.from('not json') } },
    ])
    const [last, first] = page
    if (!last || !first) throw new Error('no letters')
    expect((await letters.unpublished(['payments'], 1)).map(({ id }) => id)).toEqual([first.id])
    await letters.markPublished([first.id])
    expect((await letters.unpublished(['payments', 'orders'], 9)).map(({ id }) => id)).toEqual([last.id])
    const { partition: _, offset: __, ...retried } = { ...event(9), violations: [] }
    const tries = await Promise.all(
      [1, 2].map(() =>
        quarantine.retryEvents(
          payments,
          { kind: 'LOG', topic: 'log:retried' },
          [{ id: last.id, event: retried, row: 0 }],
          noon + 1,
        ),
      ),
    )
    expect(tries.flat().sort()).toEqual(['STORED', null].sort())
    expect(await offsetsOf('log:retried')).toEqual([0])
    expect((await quarantine.page({ ...asked, name: null, first: 9 })).map(({ id }) => id)).toEqual([
      first.id,
    ])
  })

  it('of a topic that was created again are not mixed with those of the one before', async () => {
    expect(await store.openTopic('renewed', 'one')).toBe('renewed')
    expect(await others.openTopic('renewed', 'one')).toBe('renewed')
    expect(await store.openTopic('renewed', 'two')).toBeNull()
    await store.adoptTopic('renewed', 'two')
    expect(await others.openTopic('renewed', 'two')).toBe('renewed@1')
    expect(await others.openTopic('renewed', 'one')).toBeNull()
    // The same one, set back.
    await store.adoptTopic('renewed', 'two')
    expect(await others.openTopic('renewed', 'two')).toBe('renewed@2')
  })

  it('make their months as they need them, and snapshots of their hours stale', async () => {
    const times = ['2025-12-31T23:59:59.999999Z', '2026-01-01T00:00:00Z', '2021-05-05T05:05:05Z'].map(at)
    await keep(
      'months',
      times.map((eventTimestamp, offset) => event(offset, { eventTimestamp })),
      noon,
    )
    expect(await offsetsOf('months')).toEqual([0, 1, 2])
    const { rows } = await pool.query(
      `select hour::text from featuregraph.event_arrivals where source = 'payments' and hour < '2022-01-01'`,
    )
    expect(rows).toEqual([{ hour: '2021-05-05 05:00:00+00' }])
  })

  it('make a month again that was dropped, and are appended behind those that are gone', async () => {
    const then = at('2019-03-04T00:00:00Z')
    const append = () =>
      store.append(
        payments,
        'gone',
        [{ eventTimestamp: then, eventId: null, values: [1, 2, null, null] }],
        noon,
      )
    await append()
    await append()
    await pool.query('drop table event_partitions.payments_2019_03')
    expect(await append()).toEqual(['STORED'])
    expect(await offsetsOf('gone')).toEqual([2])
  })

  it('appended by many at once get offsets without a gap, and are all read', async () => {
    const append = (one: EventStore, note: number) =>
      one.append(
        payments,
        'log',
        [0, 1, 2].map((index) => ({
          eventTimestamp: noon,
          eventId: null,
          values: [note, index, null, null],
        })),
        noon,
      )
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, index) => append(index % 2 ? store : others, index)),
    )
    expect(outcomes.flat().every((outcome) => outcome === 'STORED')).toBe(true)
    expect(await offsetsOf('log')).toEqual(Array.from({ length: 36 }, (_, offset) => offset))
  })

  it('with ids count once: the one that was stored first', async () => {
    const keepId = async (offset: number, eventId: string | null, storedAt: Micros) =>
      (await store.storeMessages(orders, 'ids', judged([event(offset, { eventId })]), storedAt)).events
    expect(await keepId(5, 'a', noon)).toEqual(['STORED'])
    expect(await keepId(6, 'a', noon + 1)).toEqual(['REPEATED'])
    expect(await keepId(7, null, noon + 1)).toEqual(['STORED'])
    expect(await keepId(5, 'a', noon + 9)).toEqual(['PROCESSED'])
    expect((await readFrom(orders, 'ids')).map(({ offset }) => offset)).toEqual([5, 7])
  })

  it('with ids count once also when many keep the same at once, by clocks that differ', async () => {
    const keepAs = async (partition: number, storedAt: Micros, one: EventStore) =>
      (await one.storeMessages(orders, 'race', judged([event(0, { partition, eventId: 'same' })]), storedAt))
        .events[0]
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, partition) =>
        keepAs(partition, noon + ((partition * 5) % 8) * second, partition % 2 ? store : others),
      ),
    )
    expect(outcomes.filter((outcome) => outcome === 'STORED')).toHaveLength(1)
    expect(await keepAs(8, noon - 60 * second, store)).toBe('REPEATED')
    for (const [partition, outcome] of outcomes.entries())
      expect(await readFrom(orders, 'race', partition)).toHaveLength(outcome === 'STORED' ? 1 : 0)
  })

  it('of a deleted entity are refused up to its deletion, and nobody waits for them', async () => {
    const deletion = { entity: customer_(), key: [77], views: [], sources: [payments] }
    await postgresDeletionStore(pool, 'default').record(deletion, noon + 10)
    const values = [77, 1, null, null]
    const outcomes = await keep(
      'deleted',
      [
        event(0, { values, eventTimestamp: noon + 10 }),
        event(1, { values, eventTimestamp: noon + 11 }),
        event(2),
        event(3, { values, eventTimestamp: noon }),
      ],
      noon,
    )
    expect(outcomes).toEqual(['DELETED', 'STORED', 'STORED', 'DELETED'])
    expect(await offsetsOf('deleted')).toEqual([1, 2])
    const position = (await store.positions(payments)).find(({ topic }) => topic === 'deleted')
    expect(position?.nextOffset).toBe(4)
  })

  it('of a transaction that fails are not there at all', async () => {
    const broken = { ...payments, fields: [{ name: 'customer_id', type: 'int32', column: '' }] } as const
    await expect(
      store.storeMessages(broken, 'broken', judged([event(0), event(1, { values: [2 ** 40] })]), noon),
    ).rejects.toThrow('keeping events of payments')
    const { rows } = await pool.query(
      `select from ${eventTable('default', payments)} as e join featuregraph.event_topics as t on t.id = e.topic_id where t.topic = 'broken'`,
    )
    expect(rows).toEqual([])
  })
})

function customer_() {
  const [found] = registry.entities
  if (!found) throw new Error('no entity')
  return found
}
