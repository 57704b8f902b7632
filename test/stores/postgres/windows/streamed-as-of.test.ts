import fc from 'fast-check'
import {
  count,
  countDistinct,
  entity,
  eventSource,
  first,
  last,
  max,
  mean,
  min,
  stddev,
  stream,
  sum,
  variance,
  windowedView,
} from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatTimestamp, type Micros } from '../../../../src/definitions/timestamp.ts'
import type { EntityKey, ScalarValue } from '../../../../src/definitions/value.ts'
import { buildRegistry } from '../../../../src/registry/build-registry.ts'
import type { EventSource, StreamView } from '../../../../src/registry/registry.ts'
import type { AsOfEntry, AsOfRow, EntityRow } from '../../../../src/stores/as-of-reader.ts'
import type { EntityRows } from '../../../../src/stores/entity-rows.ts'
import type { EventStore } from '../../../../src/stores/event-store.ts'
import type { OfflineStore } from '../../../../src/stores/offline-store.ts'
import type { OfflineView, StreamedOfflineView } from '../../../../src/stores/offline-view.ts'
import { postgresEventStore } from '../../../../src/stores/postgres/events/event-store.ts'
import { topicIdOf } from '../../../../src/stores/postgres/events/event-topics.ts'
import { asOfJoinSql } from '../../../../src/stores/postgres/features/as-of-join.ts'
import { createEventMonth, eventTable } from '../../../../src/stores/postgres/tables/event-table.ts'
import { mergedWindows } from '../../../../src/stores/postgres/windows/merged-windows.ts'
import { asOfJoin, at, neverAborted, offlineView } from '../../../contract/offline-store.ts'
import { memoryOfflineStore } from '../../../oracle/memory-offline-store.ts'
import type { TestEvent } from '../../../oracle/store-events.ts'
import { isPresent, windowValue } from '../../../oracle/window-oracle.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../../services/test-pool.ts'
import { judged } from '../../../world/judged.ts'

const second = 1_000_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
/** Its windows reach into the month before. */
const start = at('2026-12-01T02:00:00Z')

const rider = entity('rider', { joinKeys: { rider_id: 'int64' } })
const stop = entity('stop', { joinKeys: { line: 'string', post: 'string' } })
const rides = eventSource('rides', {
  eventTimestamp: 'at',
  eventId: 'id',
  fields: {
    rider_id: 'int64',
    stops: 'int32',
    metres: 'int64',
    fare: 'float64',
    rating: 'float32',
    paid: 'bool',
    city: 'string',
    booked: 'timestamp',
    raw: 'bytes',
  },
})
const boardings = eventSource('boardings', {
  eventTimestamp: 'at',
  fields: { line: 'string', post: 'string', card: 'string' },
})

const riderWindows = windowedView('rider_windows', {
  entity: rider,
  source: rides,
  compute: stream(),
  online: false,
  features: {
    rides_1m: count('1m'),
    rides_30s: count('30s', { hop: '7s' }),
    rides_13d: count('13d'),
    unpaid: count('1h', { where: { paid: false } }),
    odd: count('26h', { where: { city: null, stops: 1 } }),
    stops_sum: sum('stops', '90m'),
    metres_sum: sum('metres', '1h'),
    fares: sum('fare', '26h'),
    ratings: sum('rating', '1h', { where: { paid: true } }),
    fare_mean: mean('fare', '1h'),
    stops_mean: mean('stops', '1m'),
    fare_min: min('fare', '1h'),
    rating_max: max('rating', '26h'),
    metres_max: max('metres', '90m'),
    booked_min: min('booked', '26h'),
    fare_variance: variance('fare', '26h'),
    stops_stddev: stddev('stops', '1h'),
    cities: countDistinct('city', '26h'),
    bookings: countDistinct('booked', '1h'),
    first_city: first('city', '1h'),
    first_paid: first('paid', '30s', { hop: '1s' }),
    first_metres: first('metres', '26h', { where: { city: 'Łódź' } }),
    last_city: last('city', '26h'),
    last_rating: last('rating', '1h'),
    last_booked: last('booked', '1m'),
    last_raw: last('raw', '26h', { where: { paid: null } }),
  },
})
/** Without first and last, and with a window whose longest reach is not its longest length. */
const riderCounts = windowedView('rider_counts', {
  entity: rider,
  source: rides,
  compute: stream(),
  online: false,
  features: { far: count('25h', { hop: '25h' }), near: count('26h', { hop: '1s' }), again: count('1m') },
})
const stopCards = windowedView('stop_cards', {
  entity: stop,
  source: boardings,
  compute: stream(),
  online: false,
  features: { boardings: count('1h'), last_card: last('card', '1m') },
})
const registry = buildRegistry(
  [rider, stop, rides, boardings, riderWindows, riderCounts, stopCards].map((value, index) => ({
    path: `definition ${index}`,
    value,
  })),
)

function viewOf({ name }: { readonly name: string }): StreamView {
  const view = registry.views.find((one) => one.name === name)
  if (view?.kind !== 'STREAM') throw new Error(`no streaming feature view ${name}`)
  return view
}
const windows = viewOf(riderWindows)
const counts = viewOf(riderCounts)
const cards = viewOf(stopCards)

let database: TestDatabase
let pool: pg.Pool
let offline: OfflineStore
let store: EventStore
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 4, null)
  offline = testOfflineStore(database.url)
  await offline.ensureTables(registry.views, registry.eventSources)
  store = postgresEventStore(pool, 'default')
})
afterAll(async () => {
  await offline.close()
  await pool.end()
  await database.drop()
})

type Fields = Readonly<Record<string, ScalarValue | null>>

interface Kept {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly eventTimestamp: Micros
  readonly storedAt: Micros
  readonly eventId: string | null
  readonly fields: Fields
}

/** Answers the moment from which on they count. */
async function keep(source: EventSource, ...batch: readonly Kept[]): Promise<Micros> {
  const [{ topic, storedAt } = { topic: '', storedAt: 0 }] = batch
  const events = batch.map(({ fields, ...event }) => ({
    ...event,
    values: source.fields.map(({ name }) => fields[name] ?? null),
  }))
  return (await store.storeMessages(source, topic, judged(events), storedAt)).storedAt
}

/** By probes; windows that are merged answer the same, whatever is asked in this file. */
async function ask(views: readonly OfflineView[], ...rows: readonly EntityRow[]) {
  const answer = await asOfJoin(offline, { views, rows })
  for (const [index, view] of views.entries()) {
    if (view.kind !== 'STREAM') continue
    for (const [place, row] of (await merged(view, rows)).entries())
      expectSame(view, row, answer[index]?.[place] ?? null)
  }
  return answer
}

/** In the order asked for: a merge takes rows whose keys stand side by side. */
async function merged(
  view: StreamedOfflineView,
  rows: readonly EntityRow[],
  visibleIn: string | null = null,
): Promise<readonly (AsOfRow | null)[]> {
  const places = [...rows.keys()].sort((left, right) =>
    compare(rows[left]?.key ?? [], rows[right]?.key ?? []),
  )
  const client = await pool.connect()
  try {
    const sorted = places.map((place) => rows[place] ?? { key: [], asOf: 0, knownAt: null })
    const entries = await mergedEntries({ client, project: 'default', visibleIn }, view, sorted)
    return rows.map((_, place) => {
      const entry = entries[places.indexOf(place)] ?? null
      if (entry === null || 'eventTimestamp' in entry) return entry
      throw new Error(`a row was expected, ${JSON.stringify(entry)} came`)
    })
  } finally {
    client.release()
  }
}

async function mergedEntries(
  options: Parameters<typeof mergedWindows>[0],
  view: StreamedOfflineView,
  rows: readonly EntityRow[],
): Promise<readonly AsOfEntry[]> {
  const entries: AsOfEntry[] = rows.map(() => null)
  const columns: EntityRows = {
    length: rows.length,
    keys: view.entity.joinKeys.map((_, index) => rows.map(({ key }) => key[index] ?? 0)),
    asOf: Float64Array.from(rows, ({ asOf }) => asOf),
    knownAt: (place) => rows[place]?.knownAt ?? null,
  }
  await mergedWindows(options, view, columns, { from: 0, to: rows.length }, (place, entry) => {
    entries[place] = entry
  })
  return entries
}

async function askOne(view: OfflineView, key: EntityKey, asOf: Micros, knownAt: Micros | null = null) {
  const [answer] = await ask([view], { key, asOf, knownAt })
  return answer?.[0] ?? null
}

function named(view: StreamView, row: AsOfRow | null): Fields {
  const values = view.features.map(({ name }, index) => [name, row?.values[index] ?? null] as const)
  return Object.fromEntries(values) as Fields
}

function ride(offset: number, storedAt: Micros, fields: Fields, more: Partial<Kept> = {}): Kept {
  return {
    topic: 'rides',
    partition: 0,
    offset,
    storedAt,
    eventTimestamp: storedAt,
    eventId: null,
    fields,
    ...more,
  }
}

type Counted = TestEvent & { readonly kept: Kept }

/**
 * Events of a key that are known and count, in their total order, at the times that they count at. The history is in the
 * order of acceptance: of an id its first event counts.
 */
function countedEvents(history: readonly Kept[], { key, knownAt }: EntityRow): readonly Counted[] {
  const counting = history.filter(
    ({ eventId }, index) =>
      eventId === null || history.findIndex((other) => other.eventId === eventId) === index,
  )
  return counting
    .filter(({ storedAt }) => knownAt === null || storedAt <= knownAt)
    .filter(({ fields }) => fields['rider_id'] === key[0])
    .map((kept) => ({ at: Math.min(kept.eventTimestamp, kept.storedAt), fields: kept.fields, kept }))
    .sort((left, right) => compare(totalOrder(left), totalOrder(right)))
}

function totalOrder({ at: time, kept }: Counted): readonly (number | string)[] {
  return [time, kept.topic, kept.partition, kept.offset]
}

function riderOf(event: Kept | undefined): number {
  return Number(event?.fields['rider_id'] ?? 0)
}

function compare(left: readonly (number | string)[], right: readonly (number | string)[]): number {
  for (let index = 0; index < left.length; index += 1) {
    const [one, other] = [left[index] ?? 0, right[index] ?? 0]
    if (one !== other) return one < other ? -1 : 1
  }
  return 0
}

function expectedRow(view: StreamView, events: readonly Counted[], t: Micros): AsOfRow | null {
  if (!isPresent(view.aggregations, events, t)) return null
  const reach = Math.min(
    ...view.aggregations.map(
      ({ windowMicros, hopMicros }) => Math.floor((t - windowMicros) / hopMicros) * hopMicros,
    ),
  )
  const inside = events.filter((event) => event.at >= reach && event.at < t)
  return {
    eventTimestamp: Math.max(...inside.map((event) => event.at)),
    createdTimestamp: Math.max(...inside.map(({ kept }) => kept.storedAt)),
    values: view.aggregations.map((aggregation) => windowValue(aggregation, events, t)),
    closing: false,
  }
}

/** Design section 3.5; fares and ratings are a few thousand at most, and few. */
function expectSame(view: StreamedOfflineView, actual: AsOfRow | null, expected: AsOfRow | null): void {
  const rounded = (row: AsOfRow | null) =>
    row && { ...row, values: row.values.map((value, index) => (isRounded(view, index) ? null : value)) }
  expect(rounded(actual)).toEqual(rounded(expected))
  view.features.forEach(({ name }, index) => {
    if (!isRounded(view, index)) return
    const [one, other] = [actual?.values[index] ?? null, expected?.values[index] ?? null]
    if (one === null || other === null) expect(one, name).toBe(other)
    else expect(Math.abs(Number(one) - Number(other)), name).toBeLessThanOrEqual(1e-6)
  })
}

function isRounded({ aggregations }: StreamedOfflineView, index: number): boolean {
  const { aggregate, field = null } = aggregations[index] ?? {}
  if (aggregate === 'sum') return field?.type.startsWith('float') === true
  return aggregate === 'mean' || aggregate === 'variance' || aggregate === 'stddev'
}

/** In no order: neither their numbers nor a language's rules say which topic comes first. */
const topics = ['b', 'B', 'a']
/** How long before it is stored an event happened; mostly such that events meet each other and the ends of windows. */
const someTime = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: -9 * minute, max: 2 * hour }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 30 * hour }) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom(second, 5 * second, 7 * second, minute, 5 * minute, hour, 2 * hour),
        fc.constantFrom(-1, 0, 0, 1),
      )
      .map(([hop, off]) => hop + off),
  },
  { weight: 4, arbitrary: fc.constantFrom(0, 0, 1, -1, -9 * minute) },
)
const arbitraryFields = fc.record({
  rider_id: fc.constantFrom(1, 2, 3),
  stops: fc.option(fc.integer({ min: -3, max: 3 })),
  metres: fc.option(fc.integer({ min: -(2 ** 40), max: 2 ** 40 })),
  fare: fc.option(fc.integer({ min: -8_000, max: 8_000 }).map((eighths) => eighths / 8)),
  rating: fc.option(fc.integer({ min: 0, max: 20 }).map((quarters) => quarters / 4)),
  paid: fc.option(fc.boolean()),
  city: fc.option(fc.constantFrom('Łódź', '', "o'clock")),
  booked: fc.option(fc.constantFrom(0, -1, start, start + 1)),
  raw: fc.option(fc.constantFrom(Buffer.from([0, 255]), Buffer.alloc(0))),
})
const arbitraryBatches = fc.array(
  fc.record({
    topic: fc.constantFrom(...topics),
    after: fc.constantFrom(0, 0, 0, 1, 5 * second, minute, 7 * minute, hour),
    events: fc.array(
      fc.record({
        partition: fc.integer({ min: 0, max: 2 }),
        behind: someTime,
        eventId: fc.option(fc.constantFrom('p', 'q', 'r', 's')),
        fields: arbitraryFields,
      }),
      { minLength: 1, maxLength: 8 },
    ),
  }),
  { minLength: 1, maxLength: 8 },
)
/** Relative to the events: which one, how far from it. */
const arbitraryQuestions = fc.array(
  fc.record({
    /** Null: the event's own. */
    rider: fc.constantFrom(null, null, null, null, 1, 4),
    near: fc.nat(),
    reach: fc.constantFrom(0, 0, 0, 30 * second, minute, hour, 90 * minute, 25 * hour, 26 * hour, 13 * day),
    floor: fc.constantFrom(null, null, null, second, 5 * second, minute, 5 * minute, hour),
    off: fc.constantFrom(-1, 0, 0, 1, 1, second, 3 * minute),
    known: fc.option(fc.record({ near: fc.nat(), off: fc.constantFrom(-1, 0, 1) })),
  }),
  { minLength: 5, maxLength: 25 },
)

describe('an as-of join of streaming views', () => {
  it('answers the window function over the events that were known, to the microsecond', async () => {
    let present = 0
    await fc.assert(
      fc.asyncProperty(arbitraryBatches, arbitraryQuestions, async (batches, questions) => {
        await pool.query(
          `truncate ${eventTable('default', windows.events)}, featuregraph.event_positions, featuregraph.event_claims`,
        )
        const history: Kept[] = []
        const offsets = new Map<string, number>()
        let storedAt = start
        for (const { topic, after, events } of batches) {
          storedAt += after
          const batch = events.map(({ behind, ...event }): Kept => {
            const place = `${topic} ${event.partition}`
            const offset = offsets.get(place) ?? 0
            offsets.set(place, offset + 1)
            return { ...event, topic, offset, storedAt, eventTimestamp: storedAt - behind }
          })
          const moment = await keep(windows.events, ...batch)
          history.push(...batch.map((event) => ({ ...event, storedAt: moment })))
        }
        const rows = questions.map(({ rider: id, near, reach, floor, off, known }): EntityRow => {
          const event = history[near % history.length]
          const time = Math.min(event?.eventTimestamp ?? 0, event?.storedAt ?? 0) + reach
          const floored = floor === null ? time : Math.floor(time / floor) * floor
          const knownAt = known ? (history[known.near % history.length]?.storedAt ?? 0) + known.off : null
          return { key: [id ?? riderOf(event)], asOf: floored + off, knownAt }
        })
        const answer = await ask([windows, counts], ...rows)
        for (const [index, view] of [windows, counts].entries()) {
          expect(answer[index]).toHaveLength(rows.length)
          for (const [place, row] of rows.entries()) {
            const expected = expectedRow(view, countedEvents(history, row), row.asOf)
            if (expected) present += 1
            expectSame(view, answer[index]?.[place] ?? null, expected)
          }
        }
      }),
      { numRuns: 15 },
    )
    expect(present).toBeGreaterThan(100)
  })

  it('counts an event that is stamped ahead from the moment it was stored', async () => {
    const t = at('2027-01-10T12:00:00Z')
    const ahead = { eventTimestamp: t + 9 * minute }
    await keep(windows.events, ride(0, t, { rider_id: 20, city: 'ahead' }, ahead))
    expect(await askOne(windows, [20], t)).toBeNull()
    const row = await askOne(windows, [20], t + 1)
    expect(row).toMatchObject({ eventTimestamp: t, createdTimestamp: t, closing: false })
    expect(named(windows, row)).toMatchObject({ rides_30s: 1, first_city: 'ahead' })
    expect(await askOne(windows, [20], t + 1, t - 1)).toBeNull()
    expect(named(windows, await askOne(windows, [20], t + 9 * minute))).toMatchObject({
      rides_1m: 0,
      last_city: 'ahead',
    })
  })

  it('puts events of one effective time in the order of topics by bytes, partitions and offsets', async () => {
    const t = at('2027-01-20T12:00:00Z')
    const placed = (topic: string, partition: number, offset: number, behind: Micros) =>
      ride(
        offset,
        t,
        { rider_id: 26, city: `${topic} ${partition} ${offset}` },
        { topic, partition, eventTimestamp: t - behind },
      )
    await keep(windows.events, placed('order b', 0, 1, -minute), placed('order b', 0, 2, 0))
    await keep(windows.events, placed('order a', 9, 9, -2))
    await keep(
      windows.events,
      placed('order B', 1, 3, -1),
      placed('order B', 2, 1, 0),
      placed('order B', 1, 4, 0),
    )
    const both = async () => named(windows, await askOne(windows, [26], t + 1))
    expect(await both()).toMatchObject({ first_city: 'order B 1 3', last_city: 'order b 0 2' })
    await keep(windows.events, placed('order b', 3, 0, 0), placed('order b', 9, 0, 1))
    expect(await both()).toMatchObject({ first_city: 'order b 9 0', last_city: 'order b 3 0' })
  })

  it('has a row with the values of empty windows while the longest holds an event, and then none', async () => {
    const t = at('2027-02-10T00:00:00Z')
    await keep(windows.events, ride(1, t, { rider_id: 21, fare: 5 }))
    expect(named(windows, await askOne(windows, [21], t + 2 * day))).toMatchObject({
      rides_13d: 1,
      rides_1m: 0,
      fares: 0,
      fare_mean: null,
      cities: 0,
      last_city: null,
    })
    const end = at('2027-02-24T00:00:00Z')
    expect(await askOne(windows, [21], end - 1)).not.toBeNull()
    expect(await askOne(windows, [21], end)).toBeNull()
    expect(await askOne(windows, [404], t + 1)).toBeNull()
  })

  it('takes of one id the event that was stored first, at every moment that is asked of', async () => {
    const t = at('2027-03-10T12:00:00Z')
    const more = (eventId: string, topic: string) => ({ eventId, topic, eventTimestamp: t - minute })
    await keep(windows.events, ride(10, t, { rider_id: 22, city: 'later place' }, more('x', 'z')))
    await keep(windows.events, ride(2, t + 1, { rider_id: 22, city: 'earlier place' }, more('x', 'a')))
    await keep(windows.events, ride(3, t + 2, { rider_id: 23, city: 'of another' }, more('x', 'a')))
    const rides26h = async (id: number, knownAt: Micros | null) =>
      named(windows, await askOne(windows, [id], t + minute, knownAt))
    for (const knownAt of [null, t, t + 1, t + 9]) {
      expect(await rides26h(22, knownAt)).toMatchObject({ rides_13d: 1, last_city: 'later place' })
    }
    expect(await askOne(windows, [22], t + minute, t - 1)).toBeNull()
    expect(await askOne(windows, [23], t + minute)).toBeNull()
  })

  it('gives null for what no value of the type can hold, as snapshots do', async () => {
    const t = at('2027-04-10T12:00:00Z')
    const metres = '9223372036854775807'
    const fields = { rider_id: 24, metres, fare: 1.5e308, rating: Math.fround(0.1) }
    await keep(
      windows.events,
      ride(20, t, fields),
      ride(21, t, { ...fields, fare: 1.25e308 }),
      ride(22, t, { rider_id: 24, metres: 1 }),
    )
    expect(named(windows, await askOne(windows, [24], t + 1))).toMatchObject({
      metres_sum: null,
      metres_max: metres,
      fares: null,
      fare_mean: 1.375e308,
      fare_variance: null,
      rating_max: Math.fround(0.1),
    })
    await keep(windows.events, ride(23, t, { rider_id: 25, metres }))
    expect(named(windows, await askOne(windows, [25], t + 1))).toMatchObject({ metres_sum: metres })
  })

  it('gives a variance of exactly 0 of equal values', async () => {
    const t = at('2027-06-10T12:00:00Z')
    const fares = [0.1, 1 / 3, 1e15 + 0.3, -7.7, 1e300]
    const rides = fares.flatMap((fare, index) =>
      Array.from({ length: 7 + index }, (_, offset) =>
        ride(100 * index + offset, t, { rider_id: 40 + index, fare, stops: 3 }, { topic: 'equal fares' }),
      ),
    )
    await keep(windows.events, ...rides)
    for (const index of fares.keys()) {
      const answer = named(windows, await askOne(windows, [40 + index], t + 1))
      expect(answer).toMatchObject({ fare_variance: 0, stops_stddev: 0 })
    }
  })

  it('keeps keys of several strings apart', async () => {
    const t = at('2027-05-10T12:00:00Z')
    const boarding = (offset: number, line: string, post: string, card: string) =>
      ride(offset, t, { line, post, card }, { topic: 'boardings' })
    await keep(
      cards.events,
      boarding(0, 'a,1', '2', 'one'),
      boarding(1, 'a', '1,2', 'two'),
      boarding(2, '', '', 'three'),
      boarding(3, '', '', 'four'),
    )
    const keys = [
      ['', ''],
      ['a', '1,2'],
      ['a', '1'],
      ['a,1', '2'],
      ['', ''],
    ]
    const rows = keys.map((key) => ({ key, asOf: t + 1, knownAt: null }))
    const [answer] = await ask([cards], ...rows)
    expect(answer?.map((row) => row?.values ?? null)).toEqual([
      [2, 'four'],
      [1, 'two'],
      null,
      [1, 'one'],
      [2, 'four'],
    ])
  })

  it('stands beside stored views of the entity in one answer', async () => {
    const t = at('2027-06-10T12:00:00Z')
    const stored = offlineView('rider_profile', { rider_id: 'int64' }, { city: 'string' })
    await offline.ensureTables([stored], [])
    await offline.insertRows(stored, [
      { key: [30], eventTimestamp: t, createdTimestamp: null, values: ['Gdynia'] },
    ])
    await keep(counts.events, ride(30, t, { rider_id: 30 }))
    const rows = [30, 31].map((id) => ({ key: [id], asOf: t + 1, knownAt: null }))
    expect(await ask([counts, stored, counts], ...rows)).toEqual(
      [
        { eventTimestamp: t, createdTimestamp: t, values: [1, 1, 1], closing: false },
        { eventTimestamp: t, createdTimestamp: null, values: ['Gdynia'], closing: false },
        { eventTimestamp: t, createdTimestamp: t, values: [1, 1, 1], closing: false },
      ].map((row) => [row, null]),
    )
    expect(await ask([counts])).toEqual([[]])
  })

  it('finds the events of a key by the index of keys and times', async () => {
    const t = at('2027-08-20T00:00:00Z')
    const table = eventTable('default', windows.events)
    for (const instant of [t - 30 * day, t])
      await pool.query(createEventMonth('default', windows.events, instant))
    await pool.query(
      `insert into ${table} (topic_id, partition, "offset", event_timestamp, ingested_at, event_id, rider_id, fare)
       select $1, 7, g, at, at + interval '1 second', g::text, 1000 + g % 1000, g
       from generate_series(1, 200000) as g, lateral (select timestamptz '2027-07-11Z' + g * interval '17 seconds' as at) as a`,
      [await topicIdOf(pool, 'default', 'many')],
    )
    await pool.query(`analyze ${table}`)
    const rows = Array.from({ length: 100 }, (_, index) => ({ key: [1000 + index], asOf: t, knownAt: t }))
    const sql = asOfJoinSql('default', { views: [windows], rows, visibleIn: null })
    const { rows: lines } = await pool.query<{ 'QUERY PLAN': string }>(
      `explain (analyze, buffers, timing off) ${sql.text}`,
      [...sql.values],
    )
    const plan = lines.map((line) => line['QUERY PLAN']).join('\n')
    expect(plan).toMatch(
      /Index Scan using rides_2027_08_rider_id_event_timestamp_idx on rides_2027_08 x_\d.*rows=/,
    )
    // Months without a window are not even looked at; those of a handful of events may be read whole.
    expect(plan).toMatch(/ on rides_2027_07 x_\d.*\(never executed\)/)
    expect(plan).not.toMatch(/Seq Scan on rides_2027_0[78]/)
    expect(await askOne(windows, [1001], t)).not.toBeNull()
  })

  it('merges the windows of a key with many events, the same to the last bit when it is bound to a snapshot', async () => {
    const t = at('2027-11-05T00:00:00Z')
    const table = eventTable('default', windows.events)
    for (const instant of [t - 30 * day, t])
      await pool.query(createEventMonth('default', windows.events, instant))
    const topic = await topicIdOf(pool, 'default', 'hot')
    const write = async (partition: number) =>
      await pool.query(
        `insert into ${table} (topic_id, partition, "offset", event_timestamp, ingested_at, event_id, rider_id, fare, rating, stops, city)
         select $1, $2, g, at, at + g % 50 * interval '100 seconds', null, 2000 + (g % 20) / 19, ln(g), g % 6, g % 4, 'c' || g % 30
         from generate_series(1, 5000) as g, lateral (select timestamptz '2027-10-20Z' + g * interval '240 seconds' as at) as a`,
        [topic, partition],
      )
    await write(0)
    await pool.query(`analyze ${table}`)
    const rows = [2000, 2001].flatMap((id) =>
      Array.from({ length: 60 }, (_, index) => ({
        ...{ key: [id], asOf: t - 17 * day + index * 243 * minute },
        knownAt: index % 10 === 0 ? t - 10 * day : null,
      })),
    )
    const [probed] = await ask([windows], ...rows)
    expect(probed?.filter((row) => row !== null).length).toBeGreaterThan(90)
    const { rows: seen } = await pool.query<{ seen: string }>('select pg_current_snapshot()::text as seen')
    const visibleIn = seen[0]?.seen ?? null
    const before = await merged(windows, rows, visibleIn)
    await write(1)
    await pool.query(`analyze ${table}`)
    expect(await merged(windows, rows, visibleIn)).toEqual(before)
    const [bound] = await offline.asOfJoin({ views: [windows], rows, visibleIn }, neverAborted)
    for (const [place, row] of before.entries()) expectSame(windows, row, bound?.[place] as AsOfRow | null)
    expect(await merged(windows, rows)).not.toEqual(before)
  })

  it('has no answer, merged or not, where a window begins before the events are stored', async () => {
    const t = at('2027-05-10T12:00:00Z')
    await keep(cards.events, ride(9, t, { line: 'x', post: 'y' }, { topic: 'boardings' }))
    const since = t - 30 * minute
    await pool.query(
      `insert into featuregraph.event_retention (project, source, kept_since) values ('default', $1, $2)`,
      [cards.events.name, formatTimestamp(since)],
    )
    const rows = [since + hour - 1, since + hour, t + 1, t + hour].map((asOf) => {
      return { key: ['x', 'y'], asOf, knownAt: null }
    })
    const client = await pool.connect()
    const answer = await mergedEntries({ client, project: 'default', visibleIn: null }, cards, rows)
    client.release()
    expect(answer).toEqual(
      (await offline.asOfJoin({ views: [cards], rows, visibleIn: null }, neverAborted))[0],
    )
    const expired = { storedSince: since }
    expect(answer).toEqual([
      expired,
      expect.objectContaining({ values: [1, null] }),
      expired,
      expect.anything(),
    ])
  })

  it('is refused by the store in memory, which keeps no events', async () => {
    const row = { key: [1], asOf: start, knownAt: null }
    await expect(
      memoryOfflineStore().asOfJoin({ views: [counts], rows: [row], visibleIn: null }, neverAborted),
    ).rejects.toThrow('memory keeps no events')
  })
})
