import { count, entity, eventSource, stream, windowedView } from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Micros } from '../../../../src/definitions/timestamp.ts'
import { buildRegistry } from '../../../../src/registry/build-registry.ts'
import type { EventSource, StreamView } from '../../../../src/registry/registry.ts'
import type { EventRetention } from '../../../../src/stores/event-retention.ts'
import type { EventStore } from '../../../../src/stores/event-store.ts'
import type { OfflineStore } from '../../../../src/stores/offline-store.ts'
import { postgresEventRetention } from '../../../../src/stores/postgres/events/event-retention.ts'
import { postgresEventStore } from '../../../../src/stores/postgres/events/event-store.ts'
import { eventTable } from '../../../../src/stores/postgres/tables/event-table.ts'
import { at, neverAborted } from '../../../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../../services/test-pool.ts'
import { judged } from '../../../world/judged.ts'

const hour = 3_600_000_000
const day = 24 * hour

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const fields = { customer_id: 'int64' } as const
const payments = eventSource('payments', { eventTimestamp: 'at', retention: '40d', fields })
const others = eventSource('others', { eventTimestamp: 'at', fields })
const shared = { entity: customer, compute: stream(), online: false }
const registry = buildRegistry(
  [
    ...[customer, payments, others],
    windowedView('recent', {
      ...shared,
      source: payments,
      features: { far: count('30d'), near: count('1h') },
    }),
    windowedView('hourly', { ...shared, source: payments, features: { n: count('1h') } }),
    windowedView('elsewhere', { ...shared, source: others, features: { n: count('30d') } }),
  ].map((value) => ({ path: 'here', value })),
)
const [recent, hourly, elsewhere] = registry.views as readonly StreamView[] as readonly [
  StreamView,
  StreamView,
  StreamView,
]
const [source, other] = registry.eventSources as readonly [EventSource, EventSource]

const august = at('2026-08-01T00:00:00Z')
const september = at('2026-09-01T00:00:00Z')
const october = at('2026-10-01T00:00:00Z')
const november = at('2026-11-01T00:00:00Z')

let database: TestDatabase
let pool: pg.Pool
let offline: OfflineStore
let events: EventStore
let retention: EventRetention
let offset = 0
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 8, null)
  offline = testOfflineStore(database.url)
  await offline.ensureTables(registry.views, registry.eventSources)
  retention = postgresEventRetention(pool, 'default')
})
afterAll(async () => {
  await offline?.close()
  await pool?.end()
  await database?.drop()
})
beforeEach(async () => {
  for (const one of registry.eventSources) await retention.expire(one, at('2100-01-01T00:00:00Z'))
  await pool.query('truncate featuregraph.event_retention, featuregraph.event_positions')
  events = postgresEventStore(pool, 'default')
})

async function paid(of: EventSource, ...times: readonly Micros[]): Promise<void> {
  const batch = times.map((eventTimestamp) => {
    offset += 1
    return { partition: 0, offset, eventTimestamp, eventId: null, values: [1] }
  })
  await events.storeMessages(of, 'topic', judged(batch), Math.max(...times))
}

/** The first feature of customer 1, or since when events are stored. */
async function ask(view: StreamView, ...times: readonly Micros[]) {
  const rows = times.map((asOf) => ({ key: [1], asOf, knownAt: null }))
  const [answer] = await offline.asOfJoin({ views: [view], rows, visibleIn: null }, neverAborted)
  return answer?.map((row) => (row === null ? 0 : 'values' in row ? row.values[0] : row))
}

async function monthsOf(of: EventSource): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    'select inhrelid::regclass::text as name from pg_inherits where inhparent = to_regclass($1) order by 1',
    [eventTable('default', of)],
  )
  return rows.map(({ name }) => name.replace('event_partitions.', ''))
}

describe('the retention of stored events', () => {
  it('drops the months that ended by then, of this source alone, and says since when the others are stored', async () => {
    await paid(source, august, september - 1, september, october - 1, october, november)
    await paid(other, august, november)
    expect(await retention.expire(source, september - 1)).toEqual({
      storedSince: null,
      dropped: [],
      inUse: [],
    })
    expect(await retention.expire(source, november - 1)).toEqual({
      storedSince: october,
      dropped: [august, september],
      inUse: [],
    })
    expect(await monthsOf(source)).toEqual(['payments_2026_10', 'payments_2026_11'])
    expect(await monthsOf(other)).toEqual(['others_2026_08', 'others_2026_11'])
    expect(await retention.expire(source, november - 1)).toEqual({
      storedSince: october,
      dropped: [],
      inUse: [],
    })
    expect(await ask(elsewhere, august + day)).toEqual([1])
  })

  it('promises what was never dropped: a month without events ends nothing', async () => {
    await paid(source, august, november)
    expect(await retention.expire(source, november + day)).toMatchObject({ storedSince: september })
    expect(await ask(hourly, september + 2 * hour, november + 1)).toEqual([0, 1])
  })

  it('ends answers to the microsecond where a window begins before, for each view by its own windows', async () => {
    await paid(source, september, october, october + hour, october + 29 * day, november)
    await retention.expire(source, october)
    const expired = { storedSince: october }
    const first = october + 30 * day
    expect(await ask(recent, first - 1, first, first + day, november + 1)).toEqual([expired, 3, 1, 2])
    expect(await ask(hourly, october, october + hour - 1, october + hour, november + 1)).toEqual([
      expired,
      expired,
      1,
      1,
    ])
    // In one statement, and for a key without events too: what it had is not known.
    const rows = [[1], [2]].map((key) => ({ key, asOf: first - 1, knownAt: first }))
    expect(await offline.asOfJoin({ views: [recent, hourly], rows, visibleIn: null }, neverAborted)).toEqual([
      [expired, expired],
      [null, null],
    ])
  })

  it('records first and drops then: a month in use stays for later, and nothing is answered from it', async () => {
    await paid(source, september, september + hour, october)
    const reader = await pool.connect()
    await reader.query('begin')
    await reader.query(`select from ${eventTable('default', source)}`)
    const waited = await retention.expire(source, october)
    expect(waited).toEqual({ storedSince: october, dropped: [], inUse: [september] })
    expect(await ask(hourly, september + hour + 1)).toEqual([{ storedSince: october }])
    await reader.query('rollback')
    reader.release()
    expect(await retention.expire(source, october)).toMatchObject({ dropped: [september], inUse: [] })
  })

  it('never moves back, and never shows what comes late for a dropped time, which the next run drops', async () => {
    await paid(source, september, october)
    await retention.expire(source, october)
    // By a process that made the month before.
    await paid(source, september + 1, october + 1)
    expect(await monthsOf(source)).toEqual(['payments_2026_09', 'payments_2026_10'])
    expect(await ask(hourly, september + 2, october + hour + 2)).toEqual([{ storedSince: october }, 2])
    expect(await retention.expire(source, september)).toMatchObject({ storedSince: october, dropped: [] })
    expect(await retention.expire(source, october)).toMatchObject({
      storedSince: october,
      dropped: [september],
    })
  })

  it('leaves the log of sources without a stream its offsets', async () => {
    const append = (...times: readonly Micros[]) =>
      events.append(
        source,
        'http',
        times.map((eventTimestamp) => ({ eventTimestamp, eventId: null, values: [1] })),
        november,
      )
    await append(september, september + 1)
    await retention.expire(source, november)
    await append(november - 1)
    const [position] = await events.positions(source)
    expect(position).toMatchObject({ topic: 'http', nextOffset: 3 })
    const from = { topic: 'http', partition: 0, offset: 0 }
    const read = await events.read(source, from, { limit: 10, since: null, until: 10 })
    expect(read.events.map((event) => event.offset)).toEqual([2])
  })

  it('never makes a smaller count for a caller that asks while months are dropped', async () => {
    const months = Array.from({ length: 24 }, (_, month) => Date.UTC(2020, month) * 1_000)
    await paid(source, ...months.flatMap((month) => [month, month + 1, month + 2]))
    let ended = false
    let answered = 0
    const asking = Array.from({ length: 3 }, async () => {
      const found = new Set<unknown>()
      while (!ended) {
        for (const one of (await ask(hourly, ...months.map((month) => month + 3))) ?? [])
          found.add(typeof one === 'object' ? 'EXPIRED' : one)
        answered += 1
      }
      return found
    })
    for (const month of months) {
      const seen = answered
      await retention.expire(source, month)
      while (answered < seen + 2) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    ended = true
    for (const found of await Promise.all(asking)) expect(found).toEqual(new Set([3, 'EXPIRED']))
  })
})
