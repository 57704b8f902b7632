import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { definitions } from './import-definitions.ts'
import { importWorld } from './import-world.ts'

let world: Awaited<ReturnType<typeof importWorld>>
beforeAll(async () => {
  world = await importWorld(definitions)
})
afterAll(() => world?.close())

const lines = (...rows: readonly string[]): string => `${rows.join('\n')}\n`
const paymentsOf = (name: string) =>
  world.rows(`select e."offset"::int, customer_id::int, amount, note, success, event_id, to_char(event_timestamp, 'YYYY-MM-DD"T"HH24:MI:SS.US'),
      to_char(ingested_at, 'YYYY-MM-DD"T"HH24:MI')
    from events.payments as e join featuregraph.event_topics as t on t.id = e.topic_id
    join featuregraph.imports as i on t.topic = 'file:' || i.digest where i.file like '%/${name}' order by 1`)
const quarantineOf = (name: string) =>
  world.rows(
    `select row_number::int, reason from featuregraph.quarantine where file like '%/${name}' order by row_number`,
  )
describe('events of a file', () => {
  const kept = [
    [1, 1, 12.5, 'a', true, 'p1', '2026-11-01T08:00:00.000001', '2026-11-02T00:00'],
    [2, 2, null, null, true, null, '2026-10-31T23:30:00.000000', '2026-10-31T23:30'],
    [3, 3, null, '', false, '7', '2026-11-20T10:00:00.000000', '2026-11-20T10:00'],
  ]

  it('are stored by their own columns, from CSV', async () => {
    const file = await world.file(
      'p.csv',
      lines(
        'ts,loaded,id,customer_id,Amount,note,success,other',
        '2026-11-01T08:00:00.000001Z,2026-11-02T00:00:00Z,p1,1,12.5,a,TRUE,x',
        '2026-11-01 00:30:00+01:00,,,2,nan,,,x',
        '2026-11-20 10:00:00+00,,7,3.0,,"",false,x',
      ),
    )
    const [outcome] = await world.importFile('payments', file)
    expect(outcome).toEqual({
      ...{ target: 'payments', status: 'IMPORTED', read: 3, stored: 3, storedBefore: 0 },
      ...{ quarantined: {}, rejected: 0, deleted: 0, violations: 0, reasons: [] },
    })
    expect(await paymentsOf('p.csv')).toEqual(kept)
  })

  it('are known from the import on where the source says so of a null created timestamp, and never from later', async () => {
    const content = lines(
      'ts,loaded,customer_id',
      '2026-11-01T08:00:00Z,2026-11-02T00:00:00Z,1',
      '2026-11-01T08:00:00Z,,2',
      '2026-11-01T08:00:00Z,2026-11-23T12:00:01Z,3',
    )
    const [outcome] = await world.importFile('refunds', await world.file('r.csv', content))
    expect(outcome).toMatchObject({ read: 3, stored: 2, quarantined: { FUTURE: 1 } })
    expect(await quarantineOf('r.csv')).toEqual([
      [3, 'created timestamp: 2026-11-23T12:00:01.000000Z is in the future, later than the import'],
    ])
    const stored = `select customer_id::int, to_char(ingested_at, 'YYYY-MM-DD"T"HH24:MI') from events.refunds order by 1`
    expect(await world.rows(stored)).toEqual([
      [1, '2026-11-02T00:00'],
      [2, '2026-11-23T12:00'],
    ])
  })

  it('are stored alike from NDJSON', async () => {
    const file = await world.file(
      'p.ndjson',
      lines(
        '{"ts":"2026-11-01T08:00:00.000001Z","loaded":"2026-11-02T00:00:00Z","id":"p1","customer_id":1,"Amount":12.5,"note":"a","success":true}',
        '{"ts":"2026-11-01T00:30:00+01:00","customer_id":"2","Amount":null}',
        '{"id":7,"ts":"2026-11-20T10:00:00Z","customer_id":3,"note":"","success":false}',
      ),
    )
    await world.importFile('payments', file)
    expect(await paymentsOf('p.ndjson')).toEqual(kept)
  })

  it('are stored alike from Parquet, whatever its types', async () => {
    const file = await world.parquet(
      'p.parquet',
      `select * from (values
        (timestamptz '2026-11-01 08:00:00.000001+00', timestamptz '2026-11-02 00:00:00+00', 'p1', 1::double, 12.5::decimal(9,2), 'a', true),
        (timestamptz '2026-10-31 23:30:00+00', null, null, 2, null, null, null),
        (timestamptz '2026-11-20 10:00:00+00', null, '7', 3, null, '', false)) as t(ts, loaded, id, customer_id, "Amount", note, success)`,
    )
    await world.importFile('payments', file)
    expect(await paymentsOf('p.parquet')).toEqual(kept)
  })

  it('record which hours of event time got some, once', async () => {
    const arrivals = await world.rows(
      `select to_char(hour, 'MM-DD"T"HH24'), latest_xid > '0'::xid8 from featuregraph.event_arrivals where source = 'payments' order by hour`,
    )
    expect(arrivals).toEqual([
      ['10-31T23', true],
      ['11-01T08', true],
      ['11-20T10', true],
    ])
    const newest = () =>
      world.rows(
        `select max(latest_xid)::text from featuregraph.event_arrivals where source = 'payments' and hour = '2026-11-20T10:00Z'`,
      )
    const before = await newest()
    const late = lines('{"ts":"2026-11-20T10:59:59.999999Z","customer_id":9}')
    await world.importFile('payments', await world.file('late.ndjson', late))
    expect(Number((await newest())[0]?.[0])).toBeGreaterThan(Number(before[0]?.[0]))
  })

  it('take a default where the file lacks the column, and columns in any order', async () => {
    const content = lines('Amount,id,customer_id,note,loaded,ts', '1,,1,,,2026-11-01T08:00:00Z')
    await world.importFile('payments', await world.file('default.csv', content))
    expect((await paymentsOf('default.csv'))[0]?.slice(0, 5)).toEqual([1, 1, 1, null, true])
  })

  it('may be of many months and hours, in any order', async () => {
    const file = await world.parquet(
      'many.parquet',
      `select make_timestamptz(1600000000000000 + (hash(i) % 2000)::bigint * 3600000000) as ts, null::timestamp as loaded, null as id,
        i + 1000000 as customer_id, 1.0 as "Amount", 'x' as note from range(20000) t(i)`,
    )
    const [outcome] = await world.importFile('payments', file, { assumeUtc: true })
    expect(outcome).toMatchObject({ read: 20_000, stored: 20_000 })
    // Row numbers are the file's.
    const wrong = `select count(*)::int from events.payments where note = 'x' and "offset" <> customer_id - 999999`
    expect(await world.rows(wrong)).toEqual([[0]])
  })
})

describe('rows that do not fit', () => {
  const bad = [
    ['not a number', '2026-11-01T08:00:00Z,1,abc,n', 'amount: expected a number, got "abc"'],
    ['an infinite number', '2026-11-01T08:00:00Z,1,inf,n', 'amount: expected a finite float64, got "inf"'],
    ['a fraction', '2026-11-01T08:00:00Z,1.5,1,n', 'customer_id: expected a 64-bit integer, got "1.5"'],
    [
      'beyond 64 bits',
      '2026-11-01T08:00:00Z,9223372036854775808,1,n',
      'customer_id: expected a value within int64, from -9223372036854775808 to 9223372036854775807, got "9223372036854775808"',
    ],
    ['no key', '2026-11-01T08:00:00Z,,1,n', 'customer_id: missing'],
    ['no timestamp', ',1,1,n', 'event timestamp: missing'],
    [
      'a date',
      '2026-11-01,1,1,n',
      /^event timestamp: expected an RFC 3339 timestamp.* got "2026-11-01" \(a date alone .*dates: true on the source\)$/,
    ],
    ['a number as timestamp', '1790000000,1,1,n', /^event timestamp: expected an RFC 3339 timestamp/],
    ['no such day', '2026-02-30T08:00:00Z,1,1,n', /^event timestamp: expected an RFC 3339 timestamp/],
    ['after 2255', '2300-01-01T00:00:00Z,1,1,n', /^event timestamp: expected an RFC 3339 timestamp/],
    [
      'too far ahead',
      '2026-11-23T12:10:00.000001Z,1,1,n',
      'event timestamp: 2026-11-23T12:10:00.000001Z is more than 10 minutes ahead of the import',
    ],
    [
      'U+0000',
      '2026-11-01T08:00:00Z,1,1,a\0b',
      'note: expected a string without U+0000 and lone surrogates, got "a\\u0000b"',
    ],
    ['a malformed line', '2026-11-01T08:00:00Z,1,"1"2,n', 'line 14: something stands behind a closing quote'],
    ['too few fields', '2026-11-01T08:00:00Z,1', 'line 15: expected 4 fields, as the header has, got 2'],
    [
      'several',
      'soon,,x,n',
      /^event timestamp: expected .*; customer_id: missing; amount: expected a number, got "x"$/,
    ],
  ] as const
  const good = '2026-11-23T12:10:00.000000Z,9223372036854775807,1e3,"quoted, line\n"'
  const header = 'ts,customer_id,Amount,note'
  // The mapped columns that are left out would be an error of the file.
  const wide = (row: string): string =>
    row === header
      ? `${header},loaded,id`
      : row.includes('"1"2') || row.split(',').length < 4
        ? row
        : `${row},,`

  it('go to the quarantine with file, number and reason, and the good ones around them arrive', async () => {
    const rows = [header, ...bad.map(([, row]) => row), good].map(wide)
    const file = await world.file('bad.csv', lines(...rows))
    const [outcome] = await world.importFile('payments', file)
    expect(outcome).toMatchObject({
      ...{ read: 16, stored: 1, rejected: 0 },
      quarantined: { TYPE: 5, MISSING_KEY: 1, TIMESTAMP: 6, FUTURE: 1, MALFORMED: 2 },
    })
    const reported = await quarantineOf('bad.csv')
    expect(reported.map(([row]) => row)).toEqual(bad.map((_, index) => index + 1))
    bad.forEach(([name, , reason], index) => {
      const expected =
        typeof reason === 'string' ? reason.replace('expected 4 fields', 'expected 6 fields') : reason
      expect([name, reported[index]?.[1]]).toEqual([
        name,
        typeof expected === 'string' ? expected : expect.stringMatching(expected),
      ])
    })
    const events = `select "offset"::int, customer_id::text, amount, note from events.payments where customer_id = 9223372036854775807`
    expect(await world.rows(events)).toEqual([[16, '9223372036854775807', 1_000, 'quoted, line\n']])
  })

  it('are stored there as they came, by registry name, U+0000 too', async () => {
    const content = await world.rows(
      `select content from featuregraph.quarantine where file like '%/bad.csv' and row_number in (12, 13) order by row_number`,
    )
    expect(content).toEqual([
      [
        {
          key: { customer_id: '1' },
          values: { amount: '1', note: 'a␀b', success: null },
          eventTimestamp: '2026-11-01T08:00:00Z',
          createdTimestamp: null,
          eventId: null,
        },
      ],
      [{ line: '2026-11-01T08:00:00Z,1,"1"2,n' }],
    ])
  })

  it('are found in JSON by its own types', async () => {
    const row = (fields: string): string => `{"ts":"2026-11-01T08:00:00Z","customer_id":77,${fields}}`
    const content = lines(
      '{"ts":"2026-11-01T08:00:00Z",',
      row('"Amount":"12"'),
      row('"success":"true"'),
      row('"note":"a\\ud800"'),
      '[]',
      row('"note":5'),
      row('"id":{"a":1}'),
      row('"note":"good"'),
    )
    await world.importFile('payments', await world.file('bad.ndjson', content))
    expect(await quarantineOf('bad.ndjson')).toEqual([
      [1, 'not JSON'],
      [2, 'amount: expected a number, got "12"'],
      [3, 'success: expected true or false, got "true"'],
      [4, 'note: expected a string without U+0000 and lone surrogates, got "a\\ud800"'],
      [5, 'expected a JSON object, one a line'],
      [6, 'note: expected a string without U+0000 and lone surrogates, got 5'],
      [7, 'event id: expected a string, got {"a":1}'],
    ])
    expect(
      await world.rows(`select note, "offset"::int from events.payments where customer_id = 77`),
    ).toEqual([['good', 8]])
  })

  it('are found in Parquet by their values', async () => {
    const file = await world.parquet(
      'bad.parquet',
      `select * from (values
        ('2026-11-01T08:00:00Z', 88::ubigint, 'infinity'::double, 'a'),
        ('2026-11-01T08:00:00Z', 9223372036854775808, 1, 'b'),
        ('2026-11-01T08:00:00Z', 88, 'nan', 'c'),
        (null, 88, 1, 'd' || chr(0))) as t(ts, customer_id, "Amount", note), (select null::timestamptz as loaded, null as id)`,
    )
    await world.importFile('payments', file)
    expect(await quarantineOf('bad.parquet')).toEqual([
      [1, 'amount: expected a finite float64, got "Infinity"'],
      [
        2,
        'customer_id: expected a value within int64, from -9223372036854775808 to 9223372036854775807, got "9223372036854775808"',
      ],
      [
        4,
        'event timestamp: missing; note: expected a string without U+0000 and lone surrogates, got "d\\u0000"',
      ],
    ])
    expect(await world.rows('select amount, note from events.payments where customer_id = 88')).toEqual([
      [null, 'c'],
    ])
  })

  it('--on-error stop: the first ends the import, and nothing of the file is there', async () => {
    const content = lines(
      `${header},loaded,id`,
      '2026-11-01T08:00:00Z,66,1,n,,',
      '2026-11-01T08:00:00Z,66,x,n,,',
    )
    const file = await world.file('stop.csv', content)
    await expect(world.importFile('payments', file, { onError: 'stop' })).rejects.toThrow(
      /stop\.csv: row 2: amount: expected a number, got "x"; nothing of the file was imported$/,
    )
    expect(await world.rows('select 1 from events.payments where customer_id = 66')).toEqual([])
    expect(await world.rows(`select 1 from featuregraph.imports where file like '%stop.csv'`)).toEqual([])
    expect(await world.importFile('payments', file)).toMatchObject([{ read: 2, stored: 1 }])
  })

  it('are all recorded, however many, and take no memory', async () => {
    const rows = Array.from({ length: 5_000 }, (_, index) => `{"customer_id":${index}}`)
    const [outcome] = await world.importFile(
      'orders',
      await world.file('none.ndjson', lines('{"ts":null}', ...rows)),
    )
    expect(outcome).toMatchObject({ read: 5_001, stored: 0, quarantined: { TIMESTAMP: 5_001 } })
    expect(await quarantineOf('none.ndjson')).toHaveLength(5_001)
  })
})
