import { fileURLToPath } from 'node:url'
import { batch, count, entity, eventSource, featureView, fileSource, sum, windowedView } from 'featuregraph'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ImportOptions } from '../../../src/ingest/files/import-file.ts'
import { importWorld } from './import-world.ts'

const driver = entity('driver', { joinKeys: { driver_id: 'int64' } })
const features = {
  conv_rate: 'float32',
  trips: 'int64',
  price: 'float64',
  emb: 'float32[]',
  tags: 'string[]',
  name: 'string',
  ok: 'bool',
  big: 'int64',
} as const
const times = { eventTimestamp: 'event_timestamp', createdTimestamp: 'created', timezone: 'UTC' } as const
const stats = (name: string, options: object, more: Readonly<Record<string, 'string' | 'timestamp'>> = {}) =>
  featureView(name, {
    entity: driver,
    source: fileSource(`${name}_src`, { ...times, ...options }),
    features: { ...features, ...more },
  })
const rider = entity('rider', { joinKeys: { rider_id: 'string' } })
const rides = (name: string, options: object) => {
  const source = eventSource(name, {
    ...{ eventTimestamp: 'at', timezone: 'America/New_York', ...options },
    fields: { rider_id: 'string', fare: 'float64', note: 'string', n: { type: 'int64', default: 0 } },
  })
  const aggregations = { rides_1d: count('1d'), fare_1d: sum('fare', '1d') }
  return [
    source,
    windowedView(`${name}_habits`, {
      ...{ entity: rider, source, compute: batch({ every: '1d' }), features: aggregations },
    }),
  ]
}

let world: Awaited<ReturnType<typeof importWorld>>
beforeAll(async () => {
  world = await importWorld([
    ...[
      driver,
      stats('stats', {}),
      stats('berlin', { timezone: 'Europe/Berlin' }),
      stats('epoch', { unit: 's' }),
    ],
    ...[stats('daily', {}, { day: 'string' }), stats('by_day', { eventTimestamp: 'day', dates: true })],
    ...[
      rider,
      ...rides('rides', {}),
      ...rides('dated', { dates: true }),
      ...rides('marked', { nulls: ['NULL'] }),
    ],
    ...rides('formatted', { format: '%m/%d/%Y %H:%M', unit: 's' }),
  ])
})
afterAll(() => world?.close())

const at = (name: string): string => fileURLToPath(new URL(`cases/${name}`, import.meta.url))
const utc = `to_char(event_timestamp, 'YYYY-MM-DD"T"HH24:MI:SS.US')`
const quarantined = (target: string) =>
  world.rows(
    `select row_number::int, reason from featuregraph.quarantine where view = '${target}' order by 1`,
  )
const collected = (): { readonly warnings: string[]; readonly options: Partial<ImportOptions> } => {
  const warnings: string[] = []
  return { warnings, options: { onWarning: (message) => warnings.push(message) } }
}

describe('Parquet as pandas and pyarrow write it', () => {
  it('has columns of nulls alone, which are null for every type', async () => {
    expect(await world.importFile('stats_src', at('all-null-columns.parquet'))).toMatchObject([{ stored: 2 }])
    const sql = 'select driver_id::int, trips::int, emb, price, tags, name, ok from features.stats order by 1'
    expect(await world.rows(sql)).toEqual([
      [1001, 1, [0.5], null, null, null, null],
      [1002, 2, [0.25], null, null, null, null],
    ])
  })

  it('has a date as event timestamp: midnight in the timezone of the source', async () => {
    await world.importFile('stats_src', at('date-as-event-timestamp.parquet'))
    await world.importFile('berlin_src', at('date-as-event-timestamp.parquet'))
    const sql = (view: string) => `select distinct ${utc} from features.${view} where big > 1 and ok`
    expect(await world.rows(sql('stats'))).toEqual([['2026-11-20T00:00:00.000000']])
    expect(await world.rows(sql('berlin'))).toEqual([['2026-11-19T23:00:00.000000']])
  })

  it('has seconds since 1970: taken by the unit, else refused with the likely one', async () => {
    const file = at('epoch-seconds.parquet')
    await world.importFile('epoch_src', file)
    expect(await world.rows(`select driver_id::int, ${utc} from features.epoch order by 1`)).toEqual([
      [1001, '2026-11-20T10:00:00.000000'],
      [1002, '2026-11-20T10:00:00.000000'],
    ])
    const half = { maxQuarantined: { kind: 'SHARE', share: 0.5 } } as const
    const reason =
      "event timestamp: expected an RFC 3339 timestamp, from 1684 to 2255, got 1795168800 (with unit: 's' on the source it is 2026-11-20T10:00:00.000000Z)"
    await expect(world.importFile('stats_src', file, half)).rejects.toThrow(
      `epoch-seconds.parquet: stats: 2 of 2 rows read would be quarantined, more than 50% of the rows; nothing of the file was imported. Change the file or its source's definition, or allow more by --max-quarantined. The first reasons:\n  row 1: ${reason} (2 rows like it)`,
    )
    await expect(world.importFile('stats_src', file, { ...half, dryRun: true })).rejects.toThrow(reason)
    expect(await quarantined('stats')).toEqual([])
    expect(await world.importFile('stats_src', file)).toMatchObject([{ quarantined: { TIMESTAMP: 2 } }])
    expect(await quarantined('stats')).toEqual([
      [1, reason],
      [2, reason],
    ])
  })

  it('has bools of 0 and 1', async () => {
    await world.importFile('berlin_src', at('bool-as-int8.parquet'))
    const sql = `select driver_id::int, ok from features.berlin where ${utc} like '2026-11-20T10:00:00.123456' or ok is not null order by 1, 2`
    expect((await world.rows(sql)).filter(([, ok]) => ok === false)).toEqual([[1002, false]])
    const wrong = await world.parquet(
      'two.parquet',
      `select 7 as driver_id, timestamp '2026-11-20 10:00:00' as event_timestamp, null::timestamp as created, 1.5 as conv_rate,
        3.0::double as trips, 1 as price, [1, null] as emb, [] as tags, 'x' as name, 2::tinyint as ok, 'nan'::double as big
      union all select 8, timestamp '2026-11-20 10:00:00', null, 1.5, 3.0, 1, [1, 2], [], 'x', null, 'nan'::double`,
    )
    await world.importFile('berlin_src', wrong)
    expect(await quarantined('berlin')).toEqual([
      [
        1,
        'emb: expected a list of float32 without nulls and NaN (item 2 is null), got [1,null]; ok: expected true or false, got 2',
      ],
    ])
    const kept = 'select trips::int, emb, tags, ok, big from features.berlin where driver_id = 8'
    expect(await world.rows(kept)).toEqual([[3, [1, 2], [], null, null]])
  })

  it('stands in folders that are columns, beside files that are not of the data', async () => {
    const found = await world.files.find(at('hive'))
    expect(found).toEqual({ kind: 'FOLDER', files: [at('hive/day=2026-11-20/part-0.parquet')] })
    expect((await world.files.find(at('hive/**/*.parquet'))).files).toEqual(found.files)
    const [file = ''] = found.files
    await world.importFile('daily_src', file)
    expect(await world.rows('select distinct day from features.daily')).toEqual([['2026-11-20']])
    await world.importFile('by_day_src', file)
    expect(await world.rows(`select distinct ${utc} from features.by_day`)).toEqual([
      ['2026-11-20T00:00:00.000000'],
    ])
  })
})

describe('CSV as tools write it', () => {
  const taken = [
    ['bq utc', '2026-11-10T10:00:00.000000'],
    ['lower', '2026-11-10T10:00:00.000000'],
    ['nocolon', '2026-11-10T10:00:00.000000'],
    ['ns', '2026-11-10T10:00:00.123456'],
  ]
  const notes = (source: string) =>
    world.rows(`select note, ${utc} from events.${source} where rider_id = 'G' order by note`)

  it('has times in many forms, those that are clear are taken, and the others name their option', async () => {
    const [outcome] = await world.importFile('rides', at('time-forms.csv'))
    expect(await notes('rides')).toEqual(taken)
    const expected = 'event timestamp: expected an RFC 3339 timestamp, from 1684 to 2255, got'
    const reasons = [
      [
        1,
        `${expected} "11/10/2026 10:00" (another form is read with a format on the source, as format: '%m/%d/%Y %H:%M')`,
      ],
      [2, `${expected} "1795168800" (with unit: 's' on the source it is 2026-11-20T10:00:00.000000Z)`],
      [3, `${expected} "2026-11-10" (a date alone is its midnight with dates: true on the source)`],
      [7, `${expected} "2026-11-10T24:00:00Z" (hours end at 23: 24:00 is 00:00 of the next day)`],
      [8, `${expected} "2026-06-30T23:59:60Z" (seconds end at 59: a leap second is the next second)`],
    ]
    expect(await quarantined('rides')).toEqual(reasons)
    expect(outcome?.reasons).toEqual(reasons.map(([rowNumber, reason]) => ({ rowNumber, reason, rows: 1 })))
  })

  it('has dates, other forms and epoch numbers where the source says so', async () => {
    await world.importFile('dated', at('time-forms.csv'))
    // Midnight in New York.
    const day = ['date only', '2026-11-10T05:00:00.000000']
    expect(await notes('dated')).toEqual([taken[0], day, ...taken.slice(1)])
    await world.importFile('formatted', at('time-forms.csv'))
    const others = [
      ['epoch', '2026-11-20T10:00:00.000000'],
      ['us date', '2026-11-10T15:00:00.000000'],
    ]
    expect(await notes('formatted')).toEqual([taken[0], others[0], ...taken.slice(1), others[1]])
  })

  it('has an index without a name, and marks of null, which are text for strings until they are declared', async () => {
    const { warnings, options } = collected()
    const file = at('pandas-index-and-null-marks.csv')
    await world.importFile('rides', file, options)
    const kept = (source: string) =>
      world.rows(
        `select rider_id, fare, note from events.${source} where rider_id in ('D', 'NULL') order by event_timestamp`,
      )
    const same = [
      ['D', 1.5, null],
      ['D', null, 'NULL'],
      ['D', null, 'NA'],
      ['D', 1_000, '\\N'],
    ]
    expect(await kept('rides')).toEqual([...same, ['NULL', 1, 'null key']])
    expect((await quarantined('rides')).slice(3, 4)).toEqual([[5, 'rider_id: missing']])
    expect(warnings).toEqual([
      `${file}: rider_id: "NULL" is stored as it stands (first in row 6); if it means null, give the source nulls: ["NULL"]`,
    ])
    const again = collected()
    await world.importFile('marked', file, again.options)
    expect(await kept('marked')).toEqual([same[0], ['D', null, null], ...same.slice(2)])
    expect(await quarantined('marked')).toEqual([
      [5, 'rider_id: missing'],
      [6, 'rider_id: missing, got the null mark "NULL"'],
    ])
    expect(again.warnings).toEqual([])
  })

  it('has numbers with spaces and signs; what is no number, or out of range, is shown', async () => {
    await world.importFile('dated', at('number-forms.csv'))
    expect(await world.rows(`select fare, n::int from events.dated where rider_id = 'I'`)).toEqual([[7, 8]])
    expect(
      (await quarantined('dated')).filter(([row]) => Number(row) < 5).map(([, reason]) => reason),
    ).toEqual(
      expect.arrayContaining([
        'fare: expected a number, got "$1.50"; n: expected a 64-bit integer, got "1,000"',
        'fare: expected a number, got "1_000"; n: expected a 64-bit integer, got "0x10"',
        'n: expected a value within int64, from -9223372036854775808 to 9223372036854775807, got "9223372036854775808"',
      ]),
    )
  })
})
