import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { at } from '../../graph/run-operation.ts'
import { definitions, everyType } from './import-definitions.ts'
import { importedAt, importWorld } from './import-world.ts'

let world: Awaited<ReturnType<typeof importWorld>>
beforeAll(async () => {
  world = await importWorld(definitions)
})
afterAll(() => world?.close())

const lines = (...rows: readonly string[]): string => `${rows.join('\n')}\n`
const quarantineOf = (name: string) =>
  world.rows(
    `select row_number::int, reason from featuregraph.quarantine where file like '%/${name}' order by row_number`,
  )
const violationsOf = (view: string) =>
  world.rows(
    `select feature, array_to_string(key, ','), rule, message, action from featuregraph.violations where view = '${view}' order by id`,
  )

describe("what is expected of an event source's fields", () => {
  it('is reported, kept out, or refused, before the event is stored', async () => {
    const row = (id: number, price: number, state: string, colour: string): string =>
      `2026-11-05T08:00:00Z,${id},${price},${state},${colour}`
    const content = lines(
      'ts,customer_id,price,state,colour',
      row(1, 1, 'paid', 'red'),
      row(2, 1, 'paid', ''),
      row(3, -1, 'paid', ''),
      row(4, -1, 'lost', 'red'),
    )
    const [outcome] = await world.importFile('orders', await world.file('orders.csv', content))
    expect(outcome).toMatchObject({
      read: 4,
      stored: 2,
      quarantined: { EXPECTATION: 1 },
      rejected: 1,
      violations: 5,
    })
    expect(
      await world.rows('select customer_id::int from events.orders where customer_id < 10 order by 1'),
    ).toEqual([[1], [2]])
    expect(await quarantineOf('orders.csv')).toEqual([
      [3, 'price: Value -1 below minimum 0; colour: Value is null'],
    ])
    expect(await violationsOf('orders')).toEqual([
      ['colour', '2', 'NOT_NULL', 'Value is null', 'warn'],
      ['price', '3', 'MIN', 'Value -1 below minimum 0', 'quarantine'],
      ['colour', '3', 'NOT_NULL', 'Value is null', 'warn'],
      ['price', '4', 'MIN', 'Value -1 below minimum 0', 'quarantine'],
      ['state', '4', 'ONE_OF', 'Value lost is none of paid, open', 'reject'],
    ])
  })
})

describe('rows of plain views', () => {
  const t = at('2026-11-01T08:00:00Z')
  const values = [
    ...[-7, '9007199254740993', 0.5, 1e-300, 'é\n"', true, t + 1, Buffer.from([0, 255])],
    ...[
      [1, '-9007199254740993'],
      [0.25, 2],
      ['a', ''],
      [true, false],
      [t],
      [Buffer.from('x'), Buffer.alloc(0)],
    ],
  ]
  const ask = async (shop: string) => {
    const views = ['profile', 'slim'].map((name) => {
      const view = world.registry.views.find((one) => one.name === name)
      if (!view) throw new Error(name)
      return view
    })
    const join = { views, rows: [{ key: [shop, 5], asOf: importedAt, knownAt: null }], visibleIn: null }
    return await world.offline.asOfJoin(join, new AbortController().signal)
  }
  const expected = [
    [{ eventTimestamp: t, createdTimestamp: importedAt, values, closing: false }],
    [{ eventTimestamp: t, createdTimestamp: importedAt, values: [-7], closing: false }],
  ]

  it('go to every view over the file source, every type, from Parquet', async () => {
    const file = await world.parquet(
      'scores.parquet',
      `select timestamptz '2026-11-01 08:00:00+00' as ts, 'parquet' as "Shop", 5::utinyint as device, -7::smallint as an_int32,
        9007199254740993 as an_int64, 0.5::float as a_float32, 1e-300::double as a_float64, 'é' || chr(10) || '"' as a_string, true as a_bool,
        timestamptz '2026-11-01 08:00:00.000001+00' as a_timestamp, '\\x00\\xFF'::blob as some_bytes,
        [1, -9007199254740993] as int64_list, [0.25, 2]::float[] as float32_list, ['a', ''] as string_list, [true, false] as bool_list,
        [timestamptz '2026-11-01 08:00:00+00'] as timestamp_list, ['x'::blob, ''::blob] as bytes_list`,
    )
    expect(await world.importFile('scores', file)).toMatchObject([
      { target: 'profile', read: 1, stored: 1 },
      { target: 'slim', read: 1, stored: 1 },
    ])
    expect(await ask('parquet')).toEqual(expected)
  })

  it('and from NDJSON', async () => {
    const content = `{"ts":"2026-11-01T08:00:00Z","Shop":"json","device":5,"an_int32":-7,"an_int64":9007199254740993,"a_float32":0.5,"a_float64":1e-300,
      "a_string":"é\\n\\"","a_bool":true,"a_timestamp":"2026-11-01T08:00:00.000001Z","some_bytes":"AP8=","int64_list":[1,-9007199254740993],
      "float32_list":[0.25,2],"string_list":["a",""],"bool_list":[true,false],"timestamp_list":["2026-11-01T08:00:00Z"],"bytes_list":["eA==",""]}`
    await world.importFile('scores', await world.file('s.ndjson', lines(content.replaceAll(/\n\s+/g, ''))))
    expect(await ask('json')).toEqual(expected)
  })

  it('and from CSV', async () => {
    const row = [
      ...['2026-11-01T08:00:00Z', 'csv', '5', '-7', '9007199254740993', '0.5', '1e-300', '"é\n"""', 'true'],
      ...[
        '2026-11-01T08:00:00.000001Z',
        'AP8=',
        '"[1,""-9007199254740993""]"',
        '"[0.25,2]"',
        '"[""a"",""""]"',
      ],
      ...['"[true,false]"', '"[""2026-11-01T08:00:00Z""]"', '"[""eA=="",""""]"'],
    ]
    const names = ['ts', 'Shop', 'device', ...Object.keys(everyType)]
    await world.importFile('scores', await world.file('s.csv', lines(names.join(), row.join())))
    expect(await ask('csv')).toEqual(expected)
  })

  it('bring their own created timestamp; without one they were known always', async () => {
    const content = lines(
      '{"ts":"2026-11-01T08:00:00Z","loaded":"2026-11-01T09:00:00Z","customer_id":1,"n":1}',
      '{"ts":"2026-11-01T08:00:00Z","customer_id":2,"n":11}',
      '{"ts":"2026-11-01T08:00:00Z","customer_id":3,"n":3}',
    )
    const [outcome] = await world.importFile('checks', await world.file('checks.ndjson', content))
    expect(outcome).toMatchObject({ stored: 2, quarantined: { EXPECTATION: 1 }, violations: 1 })
    const rows = `select customer_id::int, to_char(created_timestamp, 'DD"T"HH24:MI') from features.checked order by 1`
    expect(await world.rows(rows)).toEqual([
      [1, '01T09:00'],
      [3, null],
    ])
    expect(await violationsOf('checked')).toEqual([
      ['n', '2', 'MAX', 'Value 11 above maximum 10', 'quarantine'],
    ])
  })

  it('are known from the import on where the source says so of a null created timestamp', async () => {
    const content = lines(
      '{"ts":"2026-11-01T08:00:00Z","loaded":"2026-11-01T09:00:00Z","customer_id":1,"n":1}',
      '{"ts":"2026-11-01T08:00:00Z","loaded":null,"customer_id":2,"n":2}',
    )
    await world.importFile('arrivals', await world.file('arrivals.ndjson', content))
    const rows = `select customer_id::int, to_char(created_timestamp, 'DD"T"HH24:MI') from features.arrived order by 1`
    expect(await world.rows(rows)).toEqual([
      [1, '01T09:00'],
      [2, '23T12:00'],
    ])
  })

  it('are quarantined where their created timestamp is later than the import', async () => {
    const content = lines(
      '{"ts":"2026-11-01T08:00:00Z","loaded":"2026-11-23T12:00:00Z","customer_id":5,"n":1}',
      '{"ts":"2026-11-01T08:00:00Z","loaded":"2026-11-23T12:00:00.000001Z","customer_id":6,"n":2}',
    )
    const [outcome] = await world.importFile('arrivals', await world.file('ahead.ndjson', content))
    expect(outcome).toMatchObject({ read: 2, stored: 1, quarantined: { FUTURE: 1 } })
    const rows = `select reason from featuregraph.quarantine where view = 'arrived'`
    expect(await world.rows(rows)).toEqual([
      ['created timestamp: 2026-11-23T12:00:00.000001Z is in the future, later than the import'],
    ])
  })

  it('are refused as a whole by their number, which is recorded', async () => {
    const file = await world.file('few.ndjson', lines('{"ts":"2026-11-01T08:00:00Z","customer_id":9,"n":1}'))
    await expect(world.importFile('checks', file, { dryRun: true })).rejects.toThrow(
      /Row count 1 below minimum 2/,
    )
    expect(await violationsOf('checked')).toHaveLength(1)
    await expect(world.importFile('checks', file)).rejects.toThrow(
      /few\.ndjson: checked: Row count 1 below minimum 2; nothing of the file was imported$/,
    )
    expect((await violationsOf('checked')).at(-1)).toEqual([
      null,
      '',
      'ROW_COUNT',
      'Row count 1 below minimum 2',
      'reject',
    ])
    expect(await world.rows('select 1 from features.checked where customer_id = 9')).toEqual([])
  })
})
