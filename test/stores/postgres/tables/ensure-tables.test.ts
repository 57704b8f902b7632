import type pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ScalarType } from '../../../../src/definitions/value-type.ts'
import { TablesDiffer } from '../../../../src/errors.ts'
import type { OfflineStore } from '../../../../src/stores/offline-store.ts'
import type { StoredOfflineView } from '../../../../src/stores/offline-view.ts'
import { createEventMonth } from '../../../../src/stores/postgres/tables/event-table.ts'
import type { StoredEventSource } from '../../../../src/stores/stored-event-source.ts'
import { allTypes, asOfJoin, at, neverAborted, offlineView } from '../../../contract/offline-store.ts'
import { execute } from '../../../services/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../../services/test-pool.ts'

const t = at('2026-11-20T12:00:00Z')

describe('ensureTables', () => {
  let database: TestDatabase
  let pool: pg.Pool
  let store: OfflineStore

  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 2)
    store = testOfflineStore(database.url)
  })
  afterEach(async () => {
    await pool.query(
      ['features', 'features_b', 'events', 'event_partitions']
        .map((schema) => `drop schema if exists ${schema} cascade`)
        .join('; '),
    )
  })
  afterAll(async () => {
    await Promise.all([pool.end(), store.close()])
    await database.drop()
  })

  /** Tables, columns and indexes of the managed schemas, as text. */
  async function stands(): Promise<string[]> {
    const { rows } = await pool.query<[string]>({
      rowMode: 'array',
      text: `select table_schema || '.' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
             from information_schema.columns where table_schema similar to '(features|event)%'
             union all select indexdef from pg_indexes where schemaname similar to '(features|event)%' order by 1`,
    })
    return rows.flat()
  }

  async function problemsOf(
    views: readonly StoredOfflineView[],
    sources: readonly StoredEventSource[] = [],
  ): Promise<readonly string[]> {
    const error = await store.ensureTables(views, sources).then(
      () => null,
      (reason: unknown) => reason,
    )
    if (!(error instanceof TablesDiffer)) throw new Error(`expected TablesDiffer, got ${String(error)}`)
    return error.problems.map((problem) => `${problem.path}: ${problem.message}`)
  }

  const view = offlineView('trips', { driver_id: 'int64' }, { count_7d: 'int64', city: 'string' })

  it('makes a table with typed columns and its indexes for every view, and nothing when run again', async () => {
    await store.ensureTables([view, offlineView('everything', { a: 'string', b: 'int32' }, allTypes)], [])
    const before = await stands()
    expect(before.filter((line) => line.includes('features.trips'))).toEqual([
      'CREATE INDEX trips_arrival ON features.trips USING btree (ingested_xid)',
      // A string may be larger than an index takes, so this index does not hold the features.
      'CREATE INDEX trips_as_of ON features.trips USING btree (driver_id, event_timestamp DESC, created_timestamp DESC NULLS LAST, row_id DESC)',
      'CREATE INDEX trips_due ON features.trips USING brin (event_timestamp)',
      'features.trips.city text YES',
      'features.trips.count_7d bigint YES',
      'features.trips.created_timestamp timestamp with time zone YES',
      'features.trips.driver_id bigint NO',
      'features.trips.event_timestamp timestamp with time zone NO',
      'features.trips.ingested_xid xid8 NO',
      'features.trips.row_id bigint NO',
    ])
    await store.ensureTables([offlineView('everything', { a: 'string', b: 'int32' }, allTypes), view], [])
    expect(await stands()).toEqual(before)
  })

  it('holds features of fixed size in the as-of index, and keeps long view names distinct', async () => {
    const long = 'v'.repeat(62)
    const features = { n: 'int64', x: 'float64' } as const
    await store.ensureTables(
      [
        offlineView(`${long}a`, { id: 'int64' }, features),
        offlineView(`${long}b`, { id: 'int64' }, features),
      ],
      [],
    )
    const indexes = (await stands()).filter((line) => line.startsWith('CREATE INDEX'))
    expect(indexes).toHaveLength(6)
    expect(indexes.filter((line) => line.endsWith('row_id DESC) INCLUDE (n, x)'))).toHaveLength(2)
  })

  it('makes another as-of index for columns that are added, none where one over the same keys and columns has another name', async () => {
    const narrow = offlineView('older', { id: 'int64' }, { n: 'int64' })
    await store.ensureTables([narrow], [])
    const asOf = async () => (await stands()).filter((line) => /^CREATE INDEX \S*older\S*_as_of/.test(line))
    const [own = ''] = await asOf()
    const name = own.split(' ')[2] ?? ''
    await execute(database.url, `alter index features."${name}" rename to older_as_of`)
    await store.ensureTables([narrow], [])
    expect(await asOf()).toHaveLength(1)
    await store.ensureTables([offlineView('older', { id: 'int64' }, { n: 'int64', m: 'bool' })], [])
    expect((await asOf()).filter((line) => line.endsWith('INCLUDE (n, m)'))).toHaveLength(1)
    await store.ensureTables([offlineView('older', { id: 'int64' }, { n: 'int64', city: 'string' })], [])
    expect(await asOf()).toHaveLength(2)
  })

  it('takes more features than an index takes columns', async () => {
    const features = Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [`f${index}`, 'float64' as const]),
    )
    const wide = offlineView('wide', { id: 'int64' }, features)
    await store.ensureTables([wide], [])
    const values = wide.features.map((_, index) => index + 0.5)
    await store.insertRows(wide, [{ key: [1], eventTimestamp: t, createdTimestamp: null, values }])
    const join = { views: [wide], rows: [{ key: [1], asOf: t, knownAt: null }] }
    expect((await asOfJoin(store, join))[0]?.[0]?.values).toEqual(values)
  })

  it('keeps projects apart, each in its schema', async () => {
    const other = testOfflineStore(database.url, { project: 'b' })
    await Promise.all([store.ensureTables([view], []), other.ensureTables([view], [])])
    await store.insertRows(view, [{ key: [1], eventTimestamp: t, createdTimestamp: null, values: [1, null] }])
    const join = { views: [view], rows: [{ key: [1], asOf: t, knownAt: null }], visibleIn: null }
    expect(await other.asOfJoin(join, neverAborted)).toEqual([[null]])
    await other.close()
  })

  it('adds the column of a new feature, null in the rows that are there', async () => {
    await store.ensureTables([view], [])
    await store.insertRows(view, [{ key: [1], eventTimestamp: t, createdTimestamp: null, values: [1, 'x'] }])
    const grown = offlineView(
      'trips',
      { driver_id: 'int64' },
      { rating: 'float32', count_7d: 'int64', city: 'string' },
    )
    await store.ensureTables([grown], [])
    await store.insertRows(grown, [
      { key: [2], eventTimestamp: t, createdTimestamp: null, values: [0.5, 2, 'y'] },
    ])
    const rows = [1, 2].map((id) => ({ key: [id], asOf: t, knownAt: null }))
    const [answer] = await asOfJoin(store, { views: [grown], rows })
    expect(answer?.map((row) => row?.values)).toEqual([
      [null, 1, 'x'],
      [0.5, 2, 'y'],
    ])
  })

  it('ignores the columns of features that were taken back, names them, and uses them again', async () => {
    await store.ensureTables([view], [])
    await store.insertRows(view, [{ key: [1], eventTimestamp: t, createdTimestamp: null, values: [1, 'x'] }])
    const smaller = offlineView('trips', { driver_id: 'int64' }, { count_7d: 'int64' })
    expect(await store.ensureTables([smaller], [])).toEqual({
      missingColumns: [],
      ignoredColumns: ['"features"."trips": city (text), not in feature view "trips"'],
    })
    await store.insertRows(smaller, [{ key: [2], eventTimestamp: t, createdTimestamp: null, values: [2] }])
    expect(await store.ensureTables([view], [])).toEqual({ missingColumns: [], ignoredColumns: [] })
    const rows = [1, 2].map((id) => ({ key: [id], asOf: t, knownAt: null }))
    const [answer] = await asOfJoin(store, { views: [view], rows })
    expect(answer?.map((row) => row?.values)).toEqual([
      [1, 'x'],
      [2, null],
    ])
  })

  it('refuses a feature that comes again with another type than its column has', async () => {
    await store.ensureTables([view], [])
    expect(
      await problemsOf([offlineView('trips', { driver_id: 'int64' }, { count_7d: 'int64', city: 'bytes' })]),
    ).toEqual(['table "features"."trips", column city: feature view "trips" says bytea, the table has text'])
  })

  it('refuses a column without which Postgres would refuse every row, and ignores one with a default', async () => {
    await store.ensureTables([view], [])
    await pool.query(`alter table features.trips add column source_file text not null default '',
      add column batch bigint not null generated by default as identity, add column "By Whom" text not null`)
    expect(await problemsOf([view])).toEqual([
      'table "features"."trips", column By Whom: the table has text not null without a default, feature view "trips" has no such column, so no row could be written; put it back, or have the column ignored: alter table "features"."trips" alter column "By Whom" drop not null',
    ])
    await pool.query('alter table "features"."trips" alter column "By Whom" drop not null')
    expect((await store.ensureTables([view], [])).ignoredColumns).toEqual([
      '"features"."trips": source_file (text), batch (bigint), By Whom (text), not in feature view "trips"',
    ])
  })

  it('says that one feature gone and one of the same type come look like a rename, with a remedy that works', async () => {
    await store.ensureTables([view], [])
    await store.insertRows(view, [{ key: [1], eventTimestamp: t, createdTimestamp: null, values: [1, 'x'] }])
    const renamed = offlineView('trips', { driver_id: 'int64' }, { count_7d: 'int64', town: 'string' })
    const { missingColumns, ignoredColumns } = await store.ensureTables([renamed], [])
    expect(missingColumns).toEqual(['"features"."trips"."town"'])
    expect(ignoredColumns).toEqual([
      '"features"."trips": city (text), not in feature view "trips"; city → town looks like a rename: the new column is empty; to take the values along, go back to the version before (`featuregraph rollback`) and give the feature `renamedFrom: \'city\'`',
    ])
    // As `renamedFrom` has it.
    const town = {
      name: 'town',
      id: 'city',
      type: 'string',
      columns: [{ name: 'city', type: 'string' }],
    } as const
    const kept = { ...renamed, features: renamed.features.with(1, town) }
    expect((await store.ensureTables([kept], [])).missingColumns).toEqual([])
    const join = { views: [kept], rows: [{ key: [1], asOf: t, knownAt: null }] }
    expect((await asOfJoin(store, join))[0]?.[0]?.values).toEqual([1, 'x'])
  })

  it('sees no rename where two features of the type come, or none', async () => {
    await store.ensureTables([view], [])
    const two = offlineView(
      'trips',
      { driver_id: 'int64' },
      { count_7d: 'int64', town: 'string', land: 'string' },
    )
    const ignored = ['"features"."trips": city (text), not in feature view "trips"']
    expect((await store.ensureTables([two], [], 'CHECK')).ignoredColumns).toEqual(ignored)
    const other = offlineView('trips', { driver_id: 'int64' }, { count_7d: 'int64', rating: 'float32' })
    expect((await store.ensureTables([other], [], 'CHECK')).ignoredColumns).toEqual(ignored)
  })

  it('only checks where it is asked to', async () => {
    expect(await store.ensureTables([view], [], 'CHECK')).toEqual({ missingColumns: [], ignoredColumns: [] })
    expect(await stands()).toEqual([])
    await store.ensureTables([view], [])
    const before = await stands()
    const grown = offlineView(
      'trips',
      { driver_id: 'int64' },
      { count_7d: 'int64', city: 'string', rating: 'float32' },
    )
    expect((await store.ensureTables([grown], [], 'CHECK')).missingColumns).toEqual([
      '"features"."trips"."rating"',
    ])
    expect(await stands()).toEqual(before)
  })

  it('lists every difference of every table at once, with both sides, and changes nothing', async () => {
    await pool.query(`create schema features
      create table trips (driver_id integer not null, event_timestamp timestamp not null, count_7d bigint not null,
        city character varying(20), old_feature real, row_id bigint not null generated by default as identity)
      create table others (id bigint not null)`)
    const before = await stands()
    const others = offlineView('others', { id: 'int64' }, { n: 'int64' })
    const fresh = offlineView('fresh', { id: 'int64' }, { n: 'int64' })
    expect(await problemsOf([fresh, view, others])).toEqual([
      'table "features"."trips", column driver_id: feature view "trips" says bigint not null, the table has integer not null',
      'table "features"."trips", column event_timestamp: feature view "trips" says timestamp with time zone not null, the table has timestamp without time zone not null',
      'table "features"."trips", column count_7d: feature view "trips" says bigint, the table has bigint not null',
      'table "features"."trips", column city: feature view "trips" says text, the table has character varying(20)',
      'table "features"."trips", column ingested_xid: feature view "trips" says xid8 not null, the table has no such column',
      'table "features"."others", column event_timestamp: feature view "others" says timestamp with time zone not null, the table has no such column',
      'table "features"."others", column row_id: feature view "others" says bigint not null, the table has no such column',
      'table "features"."others", column ingested_xid: feature view "others" says xid8 not null, the table has no such column',
    ])
    expect(await stands()).toEqual(before)
  })

  it('refuses a join key that may be null', async () => {
    await store.ensureTables([view], [])
    await pool.query('alter table features.trips alter column driver_id drop not null')
    expect(await problemsOf([view])).toEqual([
      'table "features"."trips", column driver_id: feature view "trips" says bigint not null, the table has bigint',
    ])
  })

  it('makes no schema when a mapped source is wrong', async () => {
    const source = {
      kind: 'postgres',
      name: 'nowhere',
      table: 'nowhere',
      eventTimestamp: 'ts',
      columns: {},
    } as const
    const mapped = offlineView('mapped', { id: 'int64' }, { n: 'int64' }, source)
    expect(await problemsOf([view, mapped])).toEqual([
      'feature view mapped, source nowhere: its rows cannot be read: relation "nowhere" does not exist',
    ])
    const { rows } = await pool.query(`select 1 from pg_namespace where nspname = 'features'`)
    expect(rows).toEqual([])
  })

  it('may run several times at once', async () => {
    const stores = [1, 2, 3].map(() => testOfflineStore(database.url))
    const others = offlineView('others', { id: 'int64' }, { n: 'int64' })
    await Promise.all([
      ...stores.map((one, index) => one.ensureTables(index % 2 ? [view, others] : [others, view], [])),
      store.ensureTables([view], []),
    ])
    expect((await stands()).filter((line) => line.startsWith('CREATE INDEX'))).toHaveLength(6)
    await Promise.all(stores.map((one) => one.close()))
  })

  it('waits for nobody who writes to tables that are as they should be', async () => {
    const source = events({ id: 'int64' })
    await store.ensureTables([view], [source])
    const writer = await pool.connect()
    await writer.query('begin')
    await writer.query('lock table features.trips, events.payments in row exclusive mode')
    await store.ensureTables([view], [source])
    await writer.query('rollback')
    writer.release()
  })

  describe('of event sources', () => {
    it('makes a table by event time with the fields, without any month, and nothing when run again', async () => {
      await store.ensureTables([], [events({ customer_id: 'int64', amount: 'float64', note: 'string' })])
      const before = await stands()
      expect(before).toEqual([
        'CREATE INDEX payments_ingested_at ON ONLY events.payments USING brin (ingested_at)',
        'CREATE UNIQUE INDEX payments_pkey ON ONLY events.payments USING btree (topic_id, partition, "offset", event_timestamp)',
        'events.payments.amount double precision YES',
        'events.payments.counts boolean NO',
        'events.payments.customer_id bigint YES',
        'events.payments.event_id text YES',
        'events.payments.event_timestamp timestamp with time zone NO',
        'events.payments.ingested_at timestamp with time zone NO',
        'events.payments.ingested_xid xid8 YES',
        'events.payments.note text YES',
        'events.payments.offset bigint NO',
        'events.payments.partition integer NO',
        'events.payments.topic_id integer NO',
      ])
      await store.ensureTables([], [events({ customer_id: 'int64', amount: 'float64', note: 'string' })])
      expect(await stands()).toEqual(before)
    })

    it('adds a new field, in the months that are there too', async () => {
      const source = events({ customer_id: 'int64' })
      await store.ensureTables([], [source])
      await pool.query(createEventMonth('default', source, t))
      await pool.query(createEventMonth('default', source, t))
      await store.ensureTables([], [events({ amount: 'float64', customer_id: 'int64' })])
      expect((await stands()).filter((line) => line.includes('.amount'))).toEqual([
        'event_partitions.payments_2026_11.amount double precision YES',
        'events.payments.amount double precision YES',
      ])
    })

    it('ignores the columns of fields that were taken back, in months that are made later too', async () => {
      await store.ensureTables([], [events({ customer_id: 'int64', amount: 'float64' })])
      const smaller = events({ customer_id: 'int64', total: 'float64' })
      expect((await store.ensureTables([], [smaller])).ignoredColumns).toEqual([
        '"events"."payments": amount (double precision), not in event source "payments"; amount → total looks like a rename: the new column is empty; to take the values along: begin; alter table "events"."payments" drop column "total"; alter table "events"."payments" rename column "amount" to "total"; commit; or keep the name "amount" and say under `columns` what messages and files call it',
      ])
      await pool.query(createEventMonth('default', smaller, t))
      expect((await store.ensureTables([], [smaller])).ignoredColumns).toEqual([
        '"events"."payments": amount (double precision), not in event source "payments"',
      ])
    })

    it('refuses a column that differs, and changes nothing', async () => {
      await store.ensureTables([], [events({ customer_id: 'int64', amount: 'float64' })])
      const before = await stands()
      expect(await problemsOf([], [events({ customer_id: 'string', note: 'string' })])).toEqual([
        'table "events"."payments", column customer_id: event source "payments" says text, the table has bigint',
      ])
      expect(await stands()).toEqual(before)
    })

    it('checks a mapped table, which it never makes or changes', async () => {
      await pool.query(
        'create schema events; create table events.bought (at date, who text, id int, amount numeric)',
      )
      const mapped = (fields: Readonly<Record<string, ScalarType>>, table = 'events.bought') => ({
        ...events(fields),
        table,
      })
      const before = await stands()
      await store.ensureTables([], [mapped({ who: 'string', amount: 'float64' })])
      expect(await problemsOf([], [mapped({ who: 'int64', price: 'float64' })])).toEqual([
        'event source payments: field "who" (int64) needs one of smallint, integer, bigint; column "who" has text',
        'event source payments: field "price" (float64) is mapped to column "price", which is not there; it has at, who, id, amount',
      ])
      expect(await problemsOf([], [mapped({ who: 'string' }, 'events.absent')])).toEqual([
        'event source payments: its rows cannot be read: relation "events.absent" does not exist',
      ])
      expect(await stands()).toEqual(before)
    })
  })
})

function events(fields: Readonly<Record<string, ScalarType>>): StoredEventSource {
  return {
    name: 'payments',
    topic: null,
    table: null,
    indexedKeys: [],
    eventTimestamp: 'at',
    createdTimestamp: null,
    eventId: 'id',
    fields: Object.entries(fields).map(([name, type]) => ({ name, type, column: name })),
  }
}
