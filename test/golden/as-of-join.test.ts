import {
  batch,
  count,
  countDistinct,
  entity,
  eventSource,
  first,
  last,
  max,
  mean,
  stddev,
  stream,
  sum,
  windowedView,
} from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresSourceDefinition } from '../../src/definitions/data-source.ts'
import type { EntityKey, FeatureRow, Value } from '../../src/definitions/value.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { BatchView } from '../../src/registry/registry.ts'
import type { EntityRow } from '../../src/stores/as-of-reader.ts'
import type { EventToStore } from '../../src/stores/event-log.ts'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import type { StoredOfflineView, StreamedOfflineView } from '../../src/stores/offline-view.ts'
import { postgresEventStore } from '../../src/stores/postgres/events/event-store.ts'
import { asOfJoinSql } from '../../src/stores/postgres/features/as-of-join.ts'
import { allTypes, at, neverAborted, offlineView } from '../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testOfflineStore, testPool } from '../services/test-pool.ts'
import { judged } from '../world/judged.ts'
import { expectGolden, goldenFiles, rowsAsJson } from './golden-file.ts'

const t = at('2026-11-20T12:00:00Z')
const second = 1_000_000

interface KeptAt {
  readonly storedAt: number
  readonly events: readonly EventToStore[]
}

interface ViewRows {
  readonly view: StoredOfflineView
  readonly rows: readonly FeatureRow[]
}

interface Case {
  readonly name: string
  /** Stored views with the rows of those that are managed, and those that were written by an older version of them. */
  readonly views: readonly (ViewRows & { readonly older?: ViewRows })[]
  /** Joined behind the stored ones, with the stored events of their sources. */
  readonly streamed?: readonly { readonly view: StreamedOfflineView; readonly events: readonly KeptAt[] }[]
  /** What mapped sources read. */
  readonly setUp?: string
  /** Run once the rows are there. */
  readonly afterwards?: string
  readonly visibleIn?: string
  readonly rows: readonly EntityRow[]
}

function row(key: EntityKey, event: number, created: number | null, ...values: (Value | null)[]): FeatureRow {
  return { key, eventTimestamp: event, createdTimestamp: created, values }
}

function ask(key: EntityKey, asOf: number, knownAt: number | null = null): EntityRow {
  return { key, asOf, knownAt }
}

const day = 86_400 * second

const spending = batchView()

function batchView(): BatchView {
  const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
  const sales = eventSource('sales', {
    eventTimestamp: 'at',
    fields: { customer_id: 'int64', amount: 'float64' },
  })
  const definitions = [
    customer,
    sales,
    windowedView('spending', {
      ...{ entity: customer, source: sales, compute: batch({ every: '1d' }) },
      features: { n: count('7d'), total: sum('amount', '7d') },
    }),
  ]
  const [view] = buildRegistry(
    definitions.map((value, index) => ({ path: `definition ${index}`, value })),
  ).views
  if (view?.kind !== 'BATCH') throw new Error('no batch view')
  return view
}

const ofSpending = `'default', 'spending'`
const { n: today } = spending.digests
const spendingSnapshots = `
  insert into featuregraph.views (project, id, name) values ('default', 'spending', 'spending');
  insert into featuregraph.view_definitions (project, view_id, definition, digests) values
    (${ofSpending}, 'today', '${JSON.stringify(spending.digests)}'),
    (${ofSpending}, 'fewer', '{"n":"${today}"}'), (${ofSpending}, 'other', '{"n":"another"}');
  insert into featuregraph.snapshots
    (project, view_id, as_of, snapshot_xmin, system_identifier, definition, computed_at) values
    (${ofSpending}, '2026-11-17T12:00:00Z', '1', '', 'other', now()),
    (${ofSpending}, '2026-11-18T12:00:00Z', '1', '', 'fewer', now()),
    (${ofSpending}, '2026-11-19T12:00:00Z', '1', '', 'today', now());
  insert into featuregraph.superseded_definitions (project, view_id, as_of, definition, superseded_at) values
    (${ofSpending}, '2026-11-19T12:00:00Z', 'other', '2026-11-19T12:00:01Z');
  insert into featuregraph.event_arrivals (project, source, hour, latest_xid) values
    ('default', 'sales', '2026-11-01T00:00:00Z', '1')`

const spendingTables = ['snapshots', 'superseded_definitions', 'view_definitions', 'views']
const ofTable = (table: string): string => (table === 'views' ? 'id' : 'view_id')

const trips = offlineView('trips', { driver_id: 'int64' }, { n: 'int32', share: 'float32' })
/** `trips` under another name: `n` was renamed and widened, `share` was widened and is narrow again. */
const tripsToday: StoredOfflineView = {
  ...trips,
  name: 'rides',
  features: [
    {
      ...{ name: 'rides_today', id: 'n', type: 'int64' },
      columns: [
        { name: 'n__int64', type: 'int64' },
        { name: 'n', type: 'int32' },
      ],
    },
    {
      ...{ name: 'share', id: 'share', type: 'float32' },
      columns: [
        { name: 'share__float64', type: 'float64' },
        { name: 'share', type: 'float32' },
      ],
    },
  ],
}

const drivers = {
  view: offlineView('driver_hourly', { driver_id: 'int64' }, { trips_today: 'int32', conv_rate: 'float64' }),
  rows: [
    row([1001], t, null, 10, 0.5),
    row([1001], t, t + second, 11, 0.25),
    row([1001], t + 10 * second, t + 3_600 * second, 12, null),
    row([1002], t, t, 20, 1 / 3),
  ],
}

const ratings = {
  view: offlineView('driver_ratings', { driver_id: 'int64' }, { rating: 'float32', city: 'string' }),
  rows: [row([1001], t - second, t, Math.fround(4.7), 'Łódź'), row([1002], t + 1, null, 5, null)],
}

const typeValues: Readonly<Record<string, Value>> = {
  int32_one: -2_147_483_648,
  int32_list: [1, -2],
  int64_one: '9223372036854775807',
  int64_list: [9_007_199_254_740_991, '9007199254740993'],
  float32_one: Math.fround(0.1),
  float32_list: [Math.fround(0.1), 2],
  float64_one: 0.1 + 0.2,
  float64_list: [5e-324, -1.5],
  string_one: 'ä "quoted" \\ {},NULL',
  string_list: ['', 'NULL', 'a,b'],
  bool_one: true,
  bool_list: [true, false],
  timestamp_one: t + 1,
  timestamp_list: [0, -1],
  bytes_one: Buffer.from([0, 255]),
  bytes_list: [Buffer.alloc(0), Buffer.from([92])],
}
const typesView = offlineView('every_type', { key: 'string' }, allTypes)

const driver = entity('driver', { joinKeys: { driver_id: 'int64' } })
const stop = entity('stop', { joinKeys: { line: 'string', number: 'int32' } })
const rides = eventSource('rides', {
  eventTimestamp: 'at',
  fields: { driver_id: 'int64', fare: 'float64', paid: 'bool' },
})
const boardings = eventSource('boardings', {
  eventTimestamp: 'at',
  eventId: 'id',
  fields: { line: 'string', number: 'int32', card: 'string', fare: 'float32', passengers: 'int32' },
})
const rideTotals = windowedView('ride_totals', {
  entity: driver,
  source: rides,
  compute: stream(),
  online: false,
  features: { rides_1h: count('1h'), fares_1h: sum('fare', '1h') },
})
const ridesUnpaid = windowedView('rides_unpaid', {
  entity: driver,
  source: rides,
  compute: stream(),
  online: false,
  features: { unpaid_1h: count('1h', { where: { paid: false } }), largest_1d: max('fare', '1d') },
})
const stopBoardings = windowedView('stop_boardings', {
  entity: stop,
  source: boardings,
  compute: stream(),
  online: false,
  features: {
    first_card: first('card', '1m'),
    last_fare: last('fare', '1h', { where: { card: "o'clock" } }),
    cards: countDistinct('card', '1h'),
    passengers: sum('passengers', '7d'),
    average_fare: mean('fare', '1h'),
    spread: stddev('fare', '1h'),
  },
})
const registry = buildRegistry(
  [driver, stop, rides, boardings, rideTotals, ridesUnpaid, stopBoardings].map((value, index) => ({
    path: `definition ${index}`,
    value,
  })),
)

function streamedView({ name }: { readonly name: string }): StreamedOfflineView {
  const view = registry.views.find((one) => one.name === name)
  if (view?.kind !== 'STREAM') throw new Error(`no streaming feature view ${name}`)
  return view
}

function kept(offset: number, eventTimestamp: number, ...values: EventToStore['values']): EventToStore {
  return { partition: 0, offset, eventTimestamp, eventId: null, values }
}

const ridesStored: readonly KeptAt[] = [
  { storedAt: t - 1_800 * second, events: [kept(0, t - 1_800 * second, 1001, 12.5, true)] },
  {
    storedAt: t - 1,
    events: [
      kept(1, t + 60 * second, 1001, 7.25, false),
      kept(2, t - 3_600 * second, 1001, 4, false),
      kept(3, t - 7_200 * second, 1002, 20, true),
    ],
  },
]

const cases: readonly Case[] = [
  {
    name: 'one-managed-view',
    views: [drivers],
    rows: [
      ask([1001], t - 1),
      ask([1001], t),
      ask([1001], t, t),
      ask([1001], t + 10 * second),
      ask([1001], t + 10 * second, t + second),
      ask([1002], t),
      ask([1003], t),
      ask([1002], t),
    ],
  },
  { name: 'two-views', views: [drivers, ratings], rows: [ask([1002], t + 1), ask([1001], t), ask([9], t)] },
  {
    name: 'renamed-and-widened',
    views: [
      {
        view: tripsToday,
        rows: [row([1001], t, null, 2 ** 40, 1e300), row([1002], t, null, null, null)],
        older: {
          view: trips,
          rows: [row([1001], t - 1, null, 7, Math.fround(0.1)), row([1002], t, null, 8, 1)],
        },
      },
    ],
    rows: [ask([1001], t - 1), ask([1001], t), ask([1002], t), ask([1003], t)],
  },
  {
    name: 'composite-key',
    views: [
      {
        view: offlineView('pair_counts', { merchant_id: 'string', device_id: 'int32' }, { n: 'int64' }),
        rows: [row(['a,1', 2], t, null, 1), row(['a', 12], t, null, 2), row(['', 0], t, t, 3)],
      },
    ],
    rows: [ask(['a', 12], t), ask(['a,1', 2], t), ask(['', 0], t), ask(['a', 1], t)],
  },
  {
    name: 'mapped-table-without-created',
    setUp: `create schema sales; create table sales."Orders" (buyer text, "at" timestamp, total numeric(10, 2), n bigint);
      insert into sales."Orders" values ('ann', '2026-11-20 11:00', 12.50, 1), ('ann', '2026-11-20 12:00:01', 13, 2);`,
    views: [
      {
        view: offlineView(
          'orders',
          { buyer: 'string' },
          { total: 'float64', count: 'int64' },
          postgresSourceDefinition.parse({
            kind: 'postgres',
            name: 'orders',
            table: 'sales.Orders',
            eventTimestamp: 'at',
            columns: { count: 'n' },
          }),
        ),
        rows: [],
      },
    ],
    rows: [ask(['ann'], t), ask(['ann'], t, t - 86_400 * second), ask(['bob'], t)],
  },
  {
    name: 'query-source',
    setUp: `create table events (id int, ts timestamptz, loaded timestamptz, seq bigint, v real);
      insert into events values (1, '2026-11-20 12:00Z', null, 1, 0.1), (1, '2026-11-20 12:00Z', null, 2, 0.2);`,
    views: [
      {
        view: offlineView(
          'recent_events',
          { id: 'int64' },
          { v: 'float32' },
          postgresSourceDefinition.parse({
            kind: 'postgres',
            name: 'events',
            query: 'select * from events -- all of them\n;',
            eventTimestamp: 'ts',
            createdTimestamp: 'loaded',
            rowId: 'seq',
          }),
        ),
        rows: [],
      },
    ],
    rows: [ask([1], t), ask([1], t - 1), ask([1], t, t)],
  },
  {
    name: 'all-value-types',
    views: [
      {
        view: typesView,
        rows: [
          row(['full'], t, null, ...typesView.features.map((feature) => typeValues[feature.name] ?? null)),
          row(['nulls'], t, null, ...typesView.features.map(() => null)),
        ],
      },
    ],
    rows: [ask(['full'], t), ask(['nulls'], t), ask(['none'], t)],
  },
  {
    name: 'streamed-view',
    views: [],
    streamed: [
      {
        view: streamedView(stopBoardings),
        events: [
          {
            storedAt: t - second,
            events: [
              { ...kept(0, t - 2 * second, 'N1', 4, 'late', 0.5, 2), eventId: 'a' },
              kept(1, t + 5 * second, 'N1', 4, "o'clock", Math.fround(0.1), null),
              kept(2, t - 59 * second, 'N1', 4, null, null, 1),
            ],
          },
          { storedAt: t, events: [{ ...kept(3, t - 30 * second, 'N1', 4, 'again', 9, 9), eventId: 'a' }] },
          { storedAt: t + second, events: [kept(4, t - 40 * second, 'N1', 4, 'early', null, 3)] },
        ],
      },
    ],
    rows: [
      ask(['N1', 4], t),
      ask(['N1', 4], t, t),
      ask(['N1', 4], t - second, t),
      ask(['N1', 4], t + 86_400 * second),
      ask(['N1', 5], t),
      ask(['N1', 4], t + 30 * 86_400 * second),
    ],
  },
  {
    name: 'streamed-and-stored-views',
    views: [drivers, ratings],
    streamed: [
      { view: streamedView(rideTotals), events: ridesStored },
      { view: streamedView(ridesUnpaid), events: [] },
    ],
    rows: [
      ask([1001], t),
      ask([1002], t),
      ask([1001], t, t - 2),
      ask([1003], t),
      ask([1001], t - 1_800 * second),
    ],
  },
  {
    // By snapshot: another definition's, one without `total`, today's (another's until a second after it).
    name: 'batch-view',
    views: [
      {
        view: spending,
        rows: [-4, -3, -2, -1].map((days) => row([1], t + days * day, t + days * day, 10 + days, 0.5)),
      },
    ],
    setUp: spendingSnapshots,
    rows: [
      ...[-4, -3, -2, -1, 0].map((days) => ask([1], t + days * day)),
      ask([1], t, t - day + second - 1),
      ask([2], t),
      ask([2], t - 2 * day),
      ask([2], t - 4 * day),
      ask([2], t - 400 * day),
    ],
  },
  {
    name: 'seen-in-a-snapshot',
    views: [drivers],
    streamed: [{ view: streamedView(rideTotals), events: ridesStored }],
    visibleIn: '5:5:',
    afterwards: `
      update features.driver_hourly set ingested_xid = case trips_today when 11 then '7' else '3' end::xid8;
      update events.rides set ingested_xid = '7';
      update events.rides set ingested_xid = case "offset" when 0 then null when 1 then '3'::xid8 else '7'::xid8 end
      where topic_id = (select id from featuregraph.event_topics where topic = 'seen-in-a-snapshot')`,
    rows: [ask([1001], t), ask([1002], t), ask([1001], t, t - 2), ask([1003], t)],
  },
  {
    // Behind the snapshot: the second day's row and its record, that the third day's was of another definition, and any event.
    name: 'batch-view-seen-in-a-snapshot',
    views: [
      {
        view: spending,
        rows: [-4, -3, -2, -1].map((days) => row([1], t + days * day, t + days * day, 10 + days, 0.5)),
      },
    ],
    setUp: `${spendingTables.map((table) => `delete from featuregraph.${table} where ${ofTable(table)} = 'spending'`).join('; ')};
      delete from featuregraph.event_arrivals where source = 'sales';
      ${spendingSnapshots}`,
    visibleIn: '5:5:',
    afterwards: `
      update features.spending set ingested_xid = case n when 8 then '7' else '3' end::xid8;
      update featuregraph.snapshots set recorded_xid = case as_of when '2026-11-18T12:00:00Z' then '7' else '3' end::xid8;
      update featuregraph.superseded_definitions set recorded_xid = '7';
      update featuregraph.view_definitions set recorded_xid = null;
      update featuregraph.event_arrivals set recorded_xid = '7' where source = 'sales'`,
    rows: [
      ...[-4, -3, -2, -1, 0].map((days) => ask([1], t + days * day)),
      ask([2], t - 2 * day),
      ask([2], t - 400 * day),
    ],
  },
]

describe('the SQL of an as-of join', () => {
  let database: TestDatabase
  let pool: pg.Pool
  let store: OfflineStore

  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 1)
    store = testOfflineStore(database.url)
  })
  afterAll(async () => {
    await Promise.all([pool.end(), store.close()])
    await database.drop()
  })

  it.each(cases)(
    'is what is committed, and gives the committed rows: $name',
    async ({ name, views, streamed = [], setUp, afterwards, visibleIn = null, rows }) => {
      const joined = [...views, ...streamed].map(({ view }) => view)
      const sql = asOfJoinSql('default', { views: joined, rows, visibleIn })
      await expectGolden(`as-of-join/${name}.sql`, `${sql.text}\n`)

      if (setUp) await pool.query(setUp)
      await store.ensureTables(joined, [...new Set(streamed.map(({ view }) => view.events))])
      const managed = views.filter(({ view }) => view.source === null)
      for (const { view, rows: history, older } of managed) {
        await pool.query(`truncate features.${view.id}`)
        if (older) await store.insertRows(older.view, older.rows)
        await store.insertRows(view, history)
      }
      for (const { view, events } of streamed) {
        for (const { storedAt, events: batch } of events)
          await postgresEventStore(pool, 'default').storeMessages(view.events, name, judged(batch), storedAt)
      }
      if (afterwards) await pool.query(afterwards)
      const result = await pool.query<unknown[]>({
        text: sql.text,
        values: [...sql.values],
        rowMode: 'array',
      })
      await expectGolden(`as-of-join/${name}.json`, rowsAsJson(result.rows))
      const answer = await store.asOfJoin({ views: joined, rows, visibleIn }, neverAborted)
      for (const perView of answer) expect(perView).toHaveLength(rows.length)
    },
  )

  it('has a case for every committed file', async () => {
    const expected = cases.flatMap(({ name }) => [`${name}.json`, `${name}.sql`])
    expect(await goldenFiles('as-of-join')).toEqual(expected.sort())
  })

  it('depends on neither the rows asked for nor their number', () => {
    const one = asOfJoinSql('default', { views: [drivers.view], rows: [ask([1], t)], visibleIn: null })
    const many = asOfJoinSql('default', {
      views: [drivers.view],
      rows: [ask([2], t, t), ask([3], t - 1)],
      visibleIn: null,
    })
    expect(many.text).toBe(one.text)
    expect(many.values).toEqual([
      [2, 3],
      ['2026-11-20T12:00:00.000000Z', '2026-11-20T11:59:59.999999Z'],
      ['2026-11-20T12:00:00.000000Z', null],
    ])
  })
})
