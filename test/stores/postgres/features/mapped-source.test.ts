import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type PostgresSource, postgresSourceDefinition } from '../../../../src/definitions/data-source.ts'
import type { EntityKey, Value } from '../../../../src/definitions/value.ts'
import type { JoinKeyType, ValueType } from '../../../../src/definitions/value-type.ts'
import { TablesDiffer } from '../../../../src/errors.ts'
import type { OfflineStore } from '../../../../src/stores/offline-store.ts'
import type { OfflineView, StoredOfflineView } from '../../../../src/stores/offline-view.ts'
import { asOfJoinSql } from '../../../../src/stores/postgres/features/as-of-join.ts'
import { asOfJoin, at, neverAborted, offlineView } from '../../../contract/offline-store.ts'
import { joinsBothWays } from '../../../services/joins-both-ways.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../../services/test-pool.ts'

const t = at('2026-11-20T12:00:00Z')

describe('a mapped source of the Postgres offline store', () => {
  let database: TestDatabase
  let pool: pg.Pool
  let store: OfflineStore
  let nonFinite: string[] = []

  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 2)
    store = joinsBothWays(
      database.url,
      testOfflineStore(database.url, { countNonFinite: (view) => nonFinite.push(view) }),
    )
    await pool.query(`
      create schema sales;
      create table sales.orders (
        customer int not null, "Placed At" timestamp not null, loaded timestamptz, seq bigserial,
        amount numeric(12, 2), score real, ratio double precision, items smallint, note varchar(40), code char(4),
        device uuid, paid boolean, due date, seen timestamp[], labels varchar(8)[], weights numeric[], raw bytea
      );
      insert into sales.orders values
        (1, '2026-11-20 11:00:00.000001', '2026-11-20 11:30Z', 1, 12.50, 0.1, 0.1, 3, 'first', 'ab',
          '00000000-0000-0000-0000-00000000000A', true, '2026-12-01', '{2026-01-01,2026-01-02 00:00:00.5}', '{x,y}', '{1.5,2}', '\\x00ff'),
        (1, '2026-11-20 11:00:00.000001', '2026-11-20 13:00Z', 2, 99.99, 1, 1, 4, 'second', 'cd', null, false, null, null, null, null, null),
        (2, '2026-11-20 11:00:00', null, 3, 'NaN', 'Infinity', '-Infinity', null, null, null, null, null, null, null, null, null, null),
        (2, '2026-11-20 12:00:00.000001', null, 4, 7, 7, 7, 7, 'too late', null, null, null, null, null, null, null, null);
      create view sales.paid_orders as select * from sales.orders where paid;
      create table names (id text, ts timestamptz, v int);
      insert into names values ('a', '2026-11-20', 1), ('', '2026-11-20', 2);
    `)
  })
  beforeEach(() => {
    nonFinite = []
  })
  afterAll(async () => {
    await Promise.all([pool.end(), store.close()])
    await database.drop()
  })

  function source(options: Readonly<Record<string, unknown>>): PostgresSource {
    return postgresSourceDefinition.parse({
      kind: 'postgres',
      name: 'orders',
      eventTimestamp: 'Placed At',
      ...options,
    })
  }
  const orders = (
    features: Readonly<Record<string, ValueType>>,
    options: Readonly<Record<string, unknown>> = {},
    joinKeys: Readonly<Record<string, JoinKeyType>> = { customer_id: 'int64' },
  ): OfflineView =>
    offlineView(
      'orders',
      joinKeys,
      features,
      source({ table: 'sales.orders', columns: { customer_id: 'customer' }, ...options }),
    )

  async function read(
    view: OfflineView,
    keys: readonly EntityKey[],
    knownAt: number | null = null,
    asOf = t,
  ): Promise<((Value | null)[] | null)[]> {
    await store.ensureTables([view], [])
    const rows = keys.map((key) => ({ key, asOf, knownAt }))
    const [answer] = await asOfJoin(store, { views: [view], rows })
    return (answer ?? []).map((row) => (row ? [...row.values] : null))
  }

  async function problemsOf(view: OfflineView): Promise<readonly string[]> {
    const error = await store.ensureTables([view], []).then(
      () => null,
      (reason: unknown) => reason,
    )
    if (!(error instanceof TablesDiffer)) throw new Error(`expected TablesDiffer, got ${String(error)}`)
    return error.problems.map((problem) => `${problem.path}: ${problem.message}`)
  }

  it('answers a table through its mapping, each column as the type that the view says', async () => {
    const view = orders(
      {
        amount: 'float64',
        score: 'float32',
        ratio: 'float64',
        items: 'int64',
        remark: 'string',
        device: 'string',
        paid: 'bool',
        due: 'timestamp',
        seen: 'timestamp[]',
        labels: 'string[]',
        weights: 'float64[]',
        raw: 'bytes',
      },
      { rowId: 'seq', createdTimestamp: 'loaded', columns: { customer_id: 'customer', remark: 'note' } },
    )
    expect(await read(view, [[1], [9], [1]], at('2026-11-20T12:00:00Z'))).toEqual([
      [
        12.5,
        Math.fround(0.1),
        0.1,
        3,
        'first',
        '00000000-0000-0000-0000-00000000000a',
        true,
        at('2026-12-01T00:00:00Z'),
        [at('2026-01-01T00:00:00Z'), at('2026-01-02T00:00:00.5Z')],
        ['x', 'y'],
        [1.5, 2],
        Buffer.from([0, 255]),
      ],
      null,
      [expect.closeTo(12.5), ...Array.from({ length: 11 }, () => expect.anything())],
    ])
  })

  it('reads a naive timestamp as UTC, to the microsecond, whatever the database thinks', async () => {
    await pool.query(
      `alter database "${new URL(database.url).pathname.slice(1)}" set timezone = 'America/New_York'`,
    )
    const fresh = testOfflineStore(database.url)
    const view = orders({ note: 'string' }, { createdTimestamp: 'loaded' })
    const event = at('2026-11-20T11:00:00.000001Z')
    const rows = [event - 1, event].map((asOf) => ({ key: [1], asOf, knownAt: at('2026-11-20T11:30:00Z') }))
    const [answer] = await fresh.asOfJoin({ views: [view], rows, visibleIn: null }, neverAborted)
    expect(answer).toEqual([
      null,
      {
        eventTimestamp: event,
        createdTimestamp: at('2026-11-20T11:30:00Z'),
        values: ['first'],
        closing: false,
      },
    ])
    await fresh.close()
  })

  it('sees a row only once it is known, orders ties by the created timestamp, then by the row id', async () => {
    const view = orders({ note: 'string' }, { createdTimestamp: 'loaded' })
    const known = [
      null,
      at('2026-11-20T13:00:00Z'),
      at('2026-11-20T12:59:59.999999Z'),
      at('2026-11-20T11:29:59Z'),
    ]
    const seen = []
    for (const knownAt of known) seen.push(...(await read(view, [[1]], knownAt)))
    expect(seen).toEqual([['second'], ['second'], ['first'], null])
    const byRowId = orders({ note: 'string' }, { rowId: 'seq' })
    expect(await read(byRowId, [[1]], at('2000-01-01T00:00:00Z'))).toEqual([['second']])
    const reversed = orders(
      { note: 'string' },
      { table: undefined, query: 'select *, -seq as back from sales.orders', rowId: 'back' },
    )
    expect(await read(reversed, [[1]])).toEqual([['first']])
  })

  it('answers NaN and infinities of mapped columns as null, and counts each', async () => {
    const view = orders({ amount: 'float64', score: 'float32', ratio: 'float64', items: 'int32' })
    expect(await read(view, [[2]])).toEqual([[null, null, null, null]])
    expect(nonFinite).toEqual(['orders', 'orders', 'orders'])
  })

  it('answers a list with a hole as null', async () => {
    const view = orders(
      { labels: 'string[]', weights: 'float64[]' },
      {
        table: undefined,
        query: `select 1 as customer, timestamp '2026-01-01' as "Placed At", array['a', null] as labels, array[1, 'NaN']::real[] as weights`,
      },
    )
    expect(await read(view, [[1]])).toEqual([[null, null]])
    expect(nonFinite).toEqual(['orders'])
  })

  it('answers from a view and from a table outside of any named schema', async () => {
    const paid = orders({ note: 'string' }, { table: 'sales.paid_orders' })
    expect(await read(paid, [[1], [2]])).toEqual([['first'], null])
    const names = offlineView(
      'names',
      { id: 'string' },
      { v: 'int32' },
      source({ name: 'names', table: 'names', eventTimestamp: 'ts' }),
    )
    expect(await read(names, [[''], ['a'], ['A']])).toEqual([[2], [1], null])
  })

  it.each([
    ['as it is', 'select customer, "Placed At", note from sales.orders'],
    ['with a semicolon', 'select customer, "Placed At", note from sales.orders ; \n'],
    ['with a comment at its end', 'select customer, "Placed At", note from sales.orders -- all of them'],
    ['with a comment, then a semicolon', 'select customer, "Placed At", note from sales.orders -- all\n;'],
    [
      'with a semicolon, then a comment',
      'select customer, "Placed At", note from sales.orders; -- all of them',
    ],
    [
      'with a semicolon, then a block comment',
      'select customer, "Placed At", note from sales.orders; /* all\n */\n',
    ],
    [
      'with a clause in front',
      'with o as (select * from sales.orders) select customer, "Placed At", note from o',
    ],
    ['with a semicolon in a text', `select customer, "Placed At", note from sales.orders where note <> ';'`],
  ])('answers from a query %s', async (_how, query) => {
    const view = orders({ note: 'string' }, { table: undefined, query, createdTimestamp: undefined })
    const answer = await read(view, [[2]], null, at('2026-11-20T11:30:00Z') + 3_600_000_000)
    expect(answer).toEqual([['too late']])
  })

  it('joins by string keys of every text type, uuid included', async () => {
    for (const [column, key, note] of [
      ['note', 'first', 'first'],
      ['code', 'ab', 'first'],
      ['device', '00000000-0000-0000-0000-00000000000a', 'first'],
    ] as const) {
      const view = orders({ text: 'string' }, { columns: { id: column, text: 'note' } }, { id: 'string' })
      expect(await read(view, [[key], ['no such key']])).toEqual([[note], null])
    }
  })

  it('answers null for infinite timestamps of features, and no row from before all time', async () => {
    const query = `select * from (values
      (1, timestamp '-infinity', null, timestamp 'infinity', 'at the beginning'),
      (1, timestamp '2026-01-01', timestamp '2026-01-02', timestamp 'infinity', 'then'),
      (1, timestamp 'infinity', null, null, 'at the end'),
      (2, timestamp '-infinity', null, timestamp '-infinity', 'at the beginning'))
      as x (customer, "Placed At", loaded, due, note)`
    const options = { table: undefined, query, createdTimestamp: 'loaded' }
    const view = orders(
      { note: 'string', due: 'timestamp', list: 'timestamp[]' },
      {
        ...options,
        query: query.replace('select *', 'select *, array[due] as list'),
      },
    )
    expect(await read(view, [[1], [2]])).toEqual([['then', null, null], null])
  })

  it('probes the index of a mapped table whose key is text or varchar', async () => {
    for (const type of ['text', 'varchar(20)']) {
      await pool.query(`drop table if exists keyed;
        create table keyed (id ${type}, ts timestamptz, n int);
        insert into keyed select 'k' || i % 1000, timestamptz '2026-01-01' + i * interval '1 minute', i from generate_series(1, 5000) as i;
        create index on keyed (id, ts desc);
        analyze keyed`)
      const keyed = offlineView(
        'keyed',
        { id: 'string' },
        { n: 'int64' },
        source({ table: 'keyed', eventTimestamp: 'ts' }),
      )
      const sql = asOfJoinSql('default', {
        views: [keyed],
        rows: [{ key: ['k7'], asOf: t, knownAt: null }],
        visibleIn: null,
      })
      const { rows } = await pool.query(`explain ${sql.text}`, [...sql.values])
      const plan = JSON.stringify(rows)
      expect(plan).toContain('Index Scan using keyed_id_ts_idx')
      expect(plan).toMatch(/Index Cond: [^"]*id[^"]*key_0/)
    }
  })

  it('lists every missing column and every wrong type of a source at once', async () => {
    const view = orders(
      { nothing: 'float64', note: 'int64', amount: 'int64', labels: 'string', ratio: 'float64[]' },
      { createdTimestamp: 'created', rowId: 'row', columns: {} },
      { customer_id: 'int64', customer: 'string' },
    )
    const has =
      'customer, Placed At, loaded, seq, amount, score, ratio, items, note, code, device, paid, due, seen, labels, weights, raw'
    const missing = (meaning: string, column: string): string =>
      `feature view orders, source orders: ${meaning} is mapped to column "${column}", which is not there; it has ${has}`
    const texts = 'text, character varying, character, uuid, name, citext'
    const numbers = 'smallint[], integer[], bigint[], real[], double precision[], numeric[]'
    const wrong = (meaning: string, types: string, column: string, type: string): string =>
      `feature view orders, source orders: ${meaning} needs one of ${types}; column "${column}" has ${type}`
    expect(await problemsOf(view)).toEqual([
      missing('the created timestamp', 'created'),
      missing('the row id', 'row'),
      missing('join key "customer_id" (int64)', 'customer_id'),
      wrong('join key "customer" (string)', texts, 'customer', 'integer'),
      missing('feature "nothing" (float64)', 'nothing'),
      wrong('feature "note" (int64)', 'smallint, integer, bigint', 'note', 'character varying'),
      wrong('feature "amount" (int64)', 'smallint, integer, bigint', 'amount', 'numeric'),
      wrong('feature "labels" (string)', texts, 'labels', 'character varying[]'),
      wrong('feature "ratio" (float64[])', numbers, 'ratio', 'double precision'),
    ])
    const noTime = orders({ note: 'string' }, { eventTimestamp: 'note' })
    expect(await problemsOf(noTime)).toEqual([
      wrong(
        'the event timestamp',
        'timestamp with time zone, timestamp without time zone, date',
        'note',
        'character varying',
      ),
    ])
  })

  it('reads enums as strings and domains as what they stand on, in lists too', async () => {
    await pool.query(`
      create type sales.mood as enum ('glad', 'cross');
      create domain sales.cents as numeric(18, 2) check (value >= 0);
      create domain sales.mark as sales.mood;
      create domain sales.person as uuid;
      create table sales.visits (who sales.person, ts timestamptz, mood sales.mood, mark sales.mark, moods sales.mood[],
        spent sales.cents, parts sales.cents[], price numeric);
      insert into sales.visits values ('00000000-0000-0000-0000-00000000000A', '2026-11-20', 'glad', 'cross', '{cross,glad}',
        92233720368547.07, '{1.5,2}', 7.129);
    `)
    const visits = (
      features: Readonly<Record<string, ValueType>>,
      joinKeys: Readonly<Record<string, JoinKeyType>>,
    ) => offlineView('visits', joinKeys, features, source({ table: 'sales.visits', eventTimestamp: 'ts' }))
    const who = '00000000-0000-0000-0000-00000000000a'
    const features = {
      mood: 'string',
      mark: 'string',
      moods: 'string[]',
      spent: 'decimal(2)',
      parts: 'float64[]',
      price: 'decimal(2)',
    } as const
    const values = ['glad', 'cross', ['cross', 'glad'], '92233720368547.07', [1.5, 2], null]
    expect(await read(visits(features, { who: 'uuid' }), [[who]])).toEqual([values])
    expect(await read(visits({ who: 'uuid' }, { mood: 'string' }), [['glad'], ['sad']])).toEqual([
      [who],
      null,
    ])
    // The price has a digit more than the definition says.
    expect(nonFinite).toEqual(['visits'])
    const newest: (readonly unknown[])[] = []
    await store.newestRows(
      { view: visits(features, { who: 'uuid' }) as StoredOfflineView, now: t, scope: { kind: 'FULL' } },
      async (rows) => {
        newest.push(...rows.map((row) => [row.key, row.values]))
      },
    )
    expect(newest).toEqual([[[who], values]])
  })

  it('refuses a composite column, a decimal of fewer digits than the column has, and a key that is no UUID, each by its name', async () => {
    await pool.query(`create type sales.address as (street text, town text);
      create table sales.places (id text, ts timestamptz, address sales.address, rent numeric(12, 4))`)
    const places = offlineView(
      'places',
      { id: 'uuid' },
      { address: 'string', rent: 'decimal(2)' },
      source({ table: 'sales.places', eventTimestamp: 'ts' }),
    )
    const said = (message: string) => `feature view places, source orders: ${message}`
    expect(await problemsOf(places)).toEqual([
      said('join key "id" (uuid) needs one of uuid; column "id" has text'),
      said(
        'feature "address" (string) is mapped to column "address" of the composite type sales.address, which is not supported; map a query that selects one of its fields, as ("address").field',
      ),
      said(
        'feature "rent" (decimal(2)) has 2 digits behind the point, column "rent" has 4; declare more digits, or map a query that rounds the column',
      ),
    ])
  })

  it('says what Postgres says against a query', async () => {
    const view = orders({ note: 'string' }, { table: undefined, query: 'select nothing from sales.orders' })
    expect(await problemsOf(view)).toEqual([
      'feature view orders, source orders: its rows cannot be read: column "nothing" does not exist',
    ])
  })
})
