import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BadUserInput, StoreFailed } from '../../../src/errors.ts'
import { importTargets } from '../../../src/ingest/files/import-target.ts'
import { definitions } from './import-definitions.ts'
import { importWorld } from './import-world.ts'

let world: Awaited<ReturnType<typeof importWorld>>
beforeAll(async () => {
  world = await importWorld(definitions)
})
afterAll(() => world?.close())

const lines = (...rows: readonly string[]): string => `${rows.join('\n')}\n`
describe('the same file again', () => {
  const content = lines('{"ts":"2026-11-05T08:00:00Z","customer_id":55}')
  const there = () => world.rows('select count(*)::int from events.visits where customer_id = 55')

  it('adds nothing, under another name neither, and three at once add it once', async () => {
    const [one, two] = [await world.file('v.ndjson', content), await world.file('other.jsonl', content)]
    const outcomes = await Promise.all([one, two, one].map((file) => world.importFile('visits', file)))
    expect(outcomes.map(([outcome]) => outcome?.status).sort()).toEqual([
      'ALREADY_IMPORTED',
      'ALREADY_IMPORTED',
      'IMPORTED',
    ])
    expect(await world.importFile('visits', two)).toEqual([
      {
        ...{ target: 'visits', status: 'ALREADY_IMPORTED', read: 0, stored: 0, storedBefore: 0 },
        ...{ quarantined: {}, rejected: 0, deleted: 0, violations: 0, reasons: [] },
      },
    ])
    expect(await there()).toEqual([[1]])
  })

  it('waits for an import that does not hold the lock of the run, and adds nothing behind it', async () => {
    const file = await world.file('w.ndjson', lines('{"ts":"2026-11-05T08:00:00Z","customer_id":56}'))
    const digest = await world.files.digest(file)
    const client = await world.pool.connect()
    await client.query('begin')
    await client.query(
      `insert into featuregraph.imports (project, kind, target, digest, file, imported_at) values ('default', 'EVENTS', 'visits', $1, 'x', now())`,
      [digest],
    )
    const importing = world.importFile('visits', file)
    await new Promise((resolve) => setTimeout(resolve, 200))
    await client.query('commit')
    client.release()
    expect(await importing).toMatchObject([{ status: 'ALREADY_IMPORTED' }])
  })

  it('is a run each time, with what was read and written', async () => {
    const runs = await world.rows(
      `select state, rows_read::int, rows_written::int from featuregraph.runs where kind = 'IMPORT' and view = 'visits' order by rows_read desc, started_at`,
    )
    expect(runs[0]).toEqual(['SUCCEEDED', 1, 1])
    expect(runs.slice(1).every((run) => run.join() === 'SUCCEEDED,0,0')).toBe(true)
  })
})

describe('--dry-run', () => {
  it('reports the same and writes nothing', async () => {
    const content = lines(
      '{"ts":"2026-11-05T08:00:00Z","customer_id":44}',
      '{"ts":"2026-11-05T08:00:00Z"}',
      'x',
    )
    const file = await world.file('dry.ndjson', content)
    const everything = () =>
      world.rows(`select (select count(*) from events.visits), (select count(*) from featuregraph.quarantine),
        (select count(*) from featuregraph.imports), (select count(*) from featuregraph.runs), (select count(*) from featuregraph.event_topics)`)
    const before = await everything()
    const dry = await world.importFile('visits', file, { dryRun: true })
    expect(await everything()).toEqual(before)
    expect(dry).toMatchObject([{ read: 3, stored: 1, quarantined: { MISSING_KEY: 1, MALFORMED: 1 } }])
    expect(await world.importFile('visits', file)).toEqual(dry)
    expect(await world.importFile('visits', file, { dryRun: true })).toMatchObject([
      { status: 'ALREADY_IMPORTED' },
    ])
  })
})

describe('times without an offset', () => {
  const refused = /times without an offset; give the source a timezone.*--assume-utc/
  const naive = lines(
    '{"ts":"2026-11-05T08:00:00Z","customer_id":33}',
    '{"ts":"2026-07-05 08:00:00","customer_id":33}',
  )
  const times = (source: string) =>
    world.rows(
      `select to_char(event_timestamp, 'YYYY-MM-DD"T"HH24:MI') from events.${source} where customer_id = 33 order by 1`,
    )

  it('refuse a file whose source has no zone, as a whole', async () => {
    const file = await world.file('naive.ndjson', naive)
    await expect(world.importFile('orders', file)).rejects.toThrow(refused)
    const typed = await world.parquet(
      'n.parquet',
      `select timestamp '2026-07-05 08:00:00' as ts, 33 as customer_id, 1 as price, 'paid' as state, 'c' as colour`,
    )
    await expect(world.importFile('orders', typed)).rejects.toThrow(refused)
    await expect(world.importFile('orders', typed)).rejects.toThrow(BadUserInput)
    expect(await times('orders')).toEqual([])
  })

  it('are UTC with --assume-utc', async () => {
    const typed = await world.parquet(
      'utc.parquet',
      `select timestamp_ns '2026-07-05 08:00:00' as ts, 33 as customer_id, 1 as price, 'paid' as state, 'c' as colour`,
    )
    await world.importFile('orders', typed, { assumeUtc: true })
    expect(await times('orders')).toEqual([['2026-07-05T08:00']])
  })

  it("are in the source's zone, which --assume-utc does not replace", async () => {
    await world.importFile('visits', await world.file('zone.ndjson', naive), { assumeUtc: true })
    const typed = await world.parquet(
      'zone.parquet',
      `select timestamp '2026-01-05 08:00:00' as ts, 33 as customer_id`,
    )
    await world.importFile('visits', typed)
    expect(await times('visits')).toEqual([['2026-01-05T07:00'], ['2026-07-05T06:00'], ['2026-11-05T08:00']])
  })
})

describe('what is no import', () => {
  it.each([
    ['paymnets', /no event source or file source "paymnets"; did you mean "payments"\?/],
    [
      'profile',
      /no event source or file source "profile"; known: "payments", "visits", "orders", "refunds", "scores", "checks", "arrivals"$/,
    ],
    [
      'shop_orders',
      /the rows of source "shop_orders" stand in Postgres and are read there; it needs no import/,
    ],
    [
      'mapped_events',
      /the events of source "mapped_events" stand in the table shop.events .*it needs no import/,
    ],
  ])('a source %s', (name, reported) => {
    expect(() => importTargets(world.registry, name)).toThrow(reported)
  })

  it('a file whose name says no format, lacks columns, has other types, or is broken', async () => {
    await expect(world.importFile('visits', await world.file('a.xlsx', ''))).rejects.toThrow(
      /a\.xlsx: its name says no format; expected one of \.parquet, \.csv, /,
    )
    const lacks = await world.file('lacks.csv', lines('time,id,customer_id,amount,note,loaded'))
    await expect(world.importFile('payments', lacks)).rejects.toThrow(
      /no column "ts" for the event timestamp; .*\nno column "Amount" for "amount"; did you mean "amount"\?\nthe file has "time", "id", "customer_id", "amount", "note", "loaded"$/,
    )
    const lines0 = await world.file('lacks.ndjson', lines('{"time":1,"customer_id":3}'))
    await expect(world.importFile('visits', lines0)).rejects.toThrow(/no column "ts" for the event timestamp/)
    const typed = await world.parquet('types.parquet', `select time '08:00:00' as ts, 1 as customer_id`)
    await expect(world.importFile('visits', typed)).rejects.toThrow(
      /column "ts" is TIME, which cannot become timestamp/,
    )
    await expect(world.importFile('visits', await world.file('broken.parquet', 'PAR1'))).rejects.toThrow(
      /broken\.parquet cannot be read as Parquet: /,
    )
    for (const file of ['empty.ndjson', 'empty.jsonl'])
      expect(await world.importFile('visits', await world.file(file, ''))).toMatchObject([{ read: 0 }])
  })

  it('a path or pattern that names no file', async () => {
    const first = await world.file('glob-1.ndjson', lines('{"ts":"2026-11-05T08:00:00Z","customer_id":1}'))
    const folder = first.replace('/glob-1.ndjson', '')
    await Promise.all(['glob-2.ndjson', 'glob-[3].ndjson'].map((name) => world.file(name, '')))
    const names = async (pattern: string) =>
      (await world.files.find(`${folder}/${pattern}`)).files.map((file) => file.slice(folder.length + 1))
    expect(await names('glob-?.ndjson')).toEqual(['glob-1.ndjson', 'glob-2.ndjson'])
    expect(await names('glob-[3].ndjson')).toEqual(['glob-[3].ndjson'])
    await expect(names('absent.csv')).rejects.toThrow(/no file matches ".*absent\.csv"/)
    await expect(names('absent-*.csv')).rejects.toThrow(/no file matches/)
  })
})

describe('an import that fails while its rows are going in', () => {
  const rowsOf = (bad: string) =>
    lines(
      ...Array.from(
        { length: 20_000 },
        (_, index) => `{"ts":"2026-03-03T00:00:00Z","customer_id":${index + 500_000}}`,
      ),
      bad,
    )
  const there = () => world.rows('select count(*)::int from events.visits where customer_id >= 500000')

  it('by its last row leaves nothing, and the next one is not held up', async () => {
    const file = await world.file('late-stop.ndjson', rowsOf('{"ts":"2026-03-03T00:00:00Z"}'))
    await expect(world.importFile('visits', file, { onError: 'stop' })).rejects.toThrow(
      /row 20001: customer_id: missing/,
    )
    expect(await there()).toEqual([[0]])
    expect(await world.importFile('visits', file)).toMatchObject([{ stored: 20_000 }])
    await world.pool.query('delete from events.visits where customer_id >= 500000')
  })

  it('by the database leaves nothing either, and says so', async () => {
    await world.pool.query('alter table events.visits add constraint small check (customer_id <> 500007)')
    const file = await world.file('refused.ndjson', rowsOf('{"ts":"2026-03-03T00:00:00Z","customer_id":1}'))
    await expect(world.importFile('visits', file)).rejects.toThrow(StoreFailed)
    await expect(world.importFile('visits', file)).rejects.toThrow(
      /Postgres failed at importing into visits: .*"small"/,
    )
    await world.pool.query('alter table events.visits drop constraint small')
    expect(await there()).toEqual([[0]])
    expect(await world.importFile('visits', file)).toMatchObject([{ stored: 20_001 }])
  })
})

describe('a month that is missing', () => {
  it('is made while someone waits for a lock on the whole table', async () => {
    const rows = Array.from(
      { length: 14_000 },
      (_, index) => `{"ts":"${index < 13_000 ? '2025-01' : '2025-02'}-03T00:00:00Z","customer_id":${index}}`,
    )
    const file = await world.file('months.ndjson', lines(...rows))
    let waiting: Promise<unknown> | undefined
    const imported = await world.importFile('visits', file, {
      onProgress: (_, read) => {
        if (read > 10_000)
          waiting ??= world.pool.query('begin; lock table events.visits in share mode; commit')
      },
    })
    await waiting
    expect(imported).toMatchObject([{ stored: 14_000 }])
  })
})
