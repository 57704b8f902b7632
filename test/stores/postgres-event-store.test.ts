import { entity, eventSource } from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Micros } from '../../src/definitions/timestamp.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { EventStore, EventToKeep } from '../../src/stores/event-store.ts'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import { eventTable } from '../../src/stores/postgres/event-table.ts'
import { postgresDeletionStore } from '../../src/stores/postgres/postgres-deletion-store.ts'
import { postgresEventStore } from '../../src/stores/postgres/postgres-event-store.ts'
import { at } from '../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testOfflineStore, testPool } from '../services/test-pool.ts'

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

function event(offset: number, more: Partial<EventToKeep> = {}): EventToKeep {
  return {
    partition: 0,
    offset,
    eventTimestamp: noon + offset,
    eventId: null,
    values: [offset, offset / 4, null, null],
    ...more,
  }
}

const all = { limit: 1_000, since: null }
const offsetsOf = async (topic: string, partition = 0, since: Micros | null = null) =>
  (await store.read(payments, { topic, partition, offset: 0 }, { limit: 1_000, since })).map(
    ({ offset }) => offset,
  )

describe('kept events', () => {
  it('come back as they were kept, values of every kind, in the order of their offsets', async () => {
    const odd = event(2, { values: ['9007199254740993', 1e300, "it's \\ 😀", Buffer.from([0, 255])] })
    expect(await store.keep(payments, 'round', [odd, event(1)], noon + second)).toEqual([
      { status: 'KEPT', keptAt: noon + second },
      { status: 'KEPT', keptAt: noon + second },
    ])
    const read = await store.read(payments, { topic: 'round', partition: 0, offset: 0 }, all)
    expect(read).toEqual([event(1), odd].map((one) => ({ ...one, topic: 'round', keptAt: noon + second })))
  })

  it('keep the moment of the first time when they come again, whoever brings them', async () => {
    await store.keep(payments, 'again', [event(0), event(1)], noon)
    const tries = await Promise.all(
      [store, others, store].map((one) =>
        one.keep(payments, 'again', [event(0), event(1), event(2)], noon + second),
      ),
    )
    for (const outcomes of tries) {
      expect(outcomes).toEqual([noon, noon, noon + second].map((keptAt) => ({ status: 'KEPT', keptAt })))
    }
    expect(await offsetsOf('again')).toEqual([0, 1, 2])
  })

  it('stand in the partitions of their topic, which tell how far they are kept', async () => {
    await store.keep(payments, 'wide', [event(4), event(7, { partition: 2 })], noon)
    await store.keep(payments, 'wide', [event(5), event(3, { partition: 2 })], noon)
    const number = await store.topicNumber('wide')
    expect((await others.positions(payments)).filter(({ topic }) => topic === 'wide')).toEqual([
      { topic: 'wide', topicNumber: number, partition: 0, nextOffset: 6 },
      { topic: 'wide', topicNumber: number, partition: 2, nextOffset: 8 },
    ])
    expect(await offsetsOf('wide', 2)).toEqual([3, 7])
    expect(await offsetsOf('wide', 0, noon + 5)).toEqual([5])
    const some = await store.read(
      payments,
      { topic: 'wide', partition: 0, offset: 5 },
      { limit: 1, since: null },
    )
    expect(some.map(({ offset }) => offset)).toEqual([5])
  })

  it('make their months as they need them, and snapshots of their hours stale', async () => {
    const times = ['2025-12-31T23:59:59.999999Z', '2026-01-01T00:00:00Z', '2021-05-05T05:05:05Z'].map(at)
    await store.keep(
      payments,
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
    expect(outcomes.flat().every(({ status }) => status === 'KEPT')).toBe(true)
    expect(await offsetsOf('log')).toEqual(Array.from({ length: 36 }, (_, offset) => offset))
  })

  it('with ids count once: the one that was kept first', async () => {
    const keep = (offset: number, eventId: string | null, keptAt: Micros) =>
      store.keep(orders, 'ids', [event(offset, { eventId })], keptAt)
    expect(await keep(5, 'a', noon)).toEqual([{ status: 'KEPT', keptAt: noon }])
    expect(await keep(6, 'a', noon + 1)).toEqual([{ status: 'REPEATED' }])
    expect(await keep(7, null, noon + 1)).toEqual([{ status: 'KEPT', keptAt: noon + 1 }])
    expect(await keep(5, 'a', noon + 9)).toEqual([{ status: 'KEPT', keptAt: noon }])
    const read = await store.read(orders, { topic: 'ids', partition: 0, offset: 0 }, all)
    expect(read.map(({ offset }) => offset)).toEqual([5, 7])
  })

  it('of a deleted entity are refused up to its deletion, and nobody waits for them', async () => {
    const deletion = { entity: customer_(), key: [77], views: [], sources: [payments] }
    await postgresDeletionStore(pool, 'default').record(deletion, noon + 10)
    const values = [77, 1, null, null]
    const outcomes = await store.keep(
      payments,
      'deleted',
      [
        event(0, { values, eventTimestamp: noon + 10 }),
        event(1, { values, eventTimestamp: noon + 11 }),
        event(2),
        event(3, { values, eventTimestamp: noon }),
      ],
      noon,
    )
    expect(outcomes.map(({ status }) => status)).toEqual(['DELETED', 'KEPT', 'KEPT', 'DELETED'])
    expect(await offsetsOf('deleted')).toEqual([1, 2])
    const position = (await store.positions(payments)).find(({ topic }) => topic === 'deleted')
    expect(position?.nextOffset).toBe(4)
  })

  it('of a transaction that fails are not there at all', async () => {
    const broken = { ...payments, fields: [{ name: 'customer_id', type: 'int32', column: '' }] } as const
    await expect(
      store.keep(broken, 'broken', [event(0), event(1, { values: [2 ** 40] })], noon),
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
