import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EntityKey } from '../../../../src/definitions/value.ts'
import type { JoinKeyType, ValueType } from '../../../../src/definitions/value-type.ts'
import { StoreFailed } from '../../../../src/errors.ts'
import type { ParquetOfflineView } from '../../../../src/stores/offline-view.ts'
import type { ParquetRows } from '../../../../src/stores/parquet-rows.ts'
import { asOfJoin, at, neverAborted } from '../../../contract/offline-store.ts'
import { int96File } from '../../../services/int96-file.ts'
import { openParquetFiles, openParquetRows, type ParquetFiles } from '../../../services/parquet-files.ts'

const t = at('2026-11-20T12:00:00Z')
/** As SQL. */
const now = `timestamptz '2026-11-20 12:00:00Z'`

let files: ParquetFiles
let rows: ParquetRows
let nonFinite: string[] = []

beforeAll(async () => {
  files = await openParquetFiles()
  rows = openParquetRows({ countNonFinite: (view) => nonFinite.push(view) })
})
afterAll(async () => {
  await rows?.close()
  await files?.close()
})

let names = 0
/** Of files that have the keys, the features and `ts` alone. */
function newView(
  features: Readonly<Record<string, ValueType>>,
  source: Partial<ParquetOfflineView['source']> = {},
  joinKeys: Readonly<Record<string, JoinKeyType>> = { id: 'int64' },
): ParquetOfflineView {
  names += 1
  const { source: all, ...view } = files.view(`unfit_${names}`, joinKeys, features)
  const { createdTimestamp, rowId, closing, ...bare } = all
  return { ...view, source: { ...bare, eventTimestamp: 'ts', ...source } }
}

const put = (view: ParquetOfflineView, file: string, select: string): Promise<string> =>
  files.copy(path.join(view.source.path, file), select)

const valuesAt = async (view: ParquetOfflineView, keys: readonly EntityKey[], asOf = t) => {
  const [answer = []] = await asOfJoin(rows, {
    views: [view],
    rows: keys.map((key) => ({ key, asOf, knownAt: null })),
  })
  return answer.map((row) => row?.values ?? null)
}

it('a file with INT96 times is read as of UTC, which its writers mean', async () => {
  const view = newView(
    { n: 'int64', total: 'float64' },
    { eventTimestamp: 'event_timestamp' },
    { customer_id: 'int64' },
  )
  await mkdir(view.source.path, { recursive: true })
  await writeFile(path.join(view.source.path, 'a.parquet'), Buffer.from(int96File, 'base64'))
  expect(await rows.checkViews([view])).toEqual([])
  const written = at('2026-11-17T00:00:00Z')
  expect(await valuesAt(view, [[1]], written - 1)).toEqual([null])
  expect(await valuesAt(view, [[1]], written)).toEqual([[1, 2]])
})

describe('files of different columns', () => {
  it('give nulls for a column that one of them lacks, and one type where they differ without loss', async () => {
    const view = newView({ n: 'int64', x: 'float64', price: 'decimal(2)', tags: 'string[]' })
    await put(view, 'a.parquet', `select 1 as id, ${now} as ts, 1::tinyint as n, 1.5::float as x`)
    await put(
      view,
      'b.parquet',
      `select 2::bigint as id, ${now} as ts, 2::bigint as n, 2.5::double as x, 3.50::decimal(5,1) as price, ['a', 'b'] as tags, 1 as more`,
    )
    await put(view, 'c.parquet', `select ['x'] as tags, 3::integer as price, ${now} as ts, 3 as id`)
    expect(await valuesAt(view, [[1], [2], [3]])).toEqual([
      [1, 1.5, null, null],
      [2, 2.5, 3.5, ['a', 'b']],
      [null, null, 3, ['x']],
    ])
    expect(await rows.checkViews([view])).toEqual([])
  })

  it('are refused where a type cannot hold another, by file, column and both types, at the check and in reading', async () => {
    const view = newView({ n: 'int32', price: 'decimal(1)' })
    const good = await put(view, 'a.parquet', `select 1 as id, ${now} as ts, 7 as n`)
    const bad = await put(
      view,
      'b.parquet',
      `select 'x' as id, ${now} as ts, 7::bigint as n, 1.25::decimal(5,2) as price`,
    )
    const place = `feature view ${view.name}, source ${view.name}, ${bad}`
    expect(await rows.checkViews([view])).toMatchObject([
      {
        path: place,
        message:
          'join key "id" (int64) needs one of TINYINT, SMALLINT, INTEGER, UTINYINT, USMALLINT, UINTEGER, BIGINT; column "id" has VARCHAR',
      },
      {
        path: place,
        message:
          'feature "n" (int32) needs one of TINYINT, SMALLINT, INTEGER, UTINYINT, USMALLINT; column "n" has BIGINT',
      },
      {
        path: place,
        message:
          'feature "price" (decimal(1)) needs at most 1 digits behind the point; declare more digits; column "price" has DECIMAL(5,2)',
      },
    ])
    await expect(valuesAt(view, [[1]])).rejects.toThrow(StoreFailed)
    await expect(valuesAt(view, [[1]])).rejects.toThrow(`${bad}: feature "n" (int32) needs one of`)
    expect(good).toContain('a.parquet')
  })

  it('are refused without a join key or an event timestamp, with the columns that there are', async () => {
    const view = newView({ n: 'int64' })
    const file = await put(view, 'a.parquet', 'select 1 as n, 2 as other')
    expect((await rows.checkViews([view])).map(({ message }) => message)).toEqual([
      'join key "id" (int64) is read from column "id", which is not there; it has n, other',
      'the event timestamp is read from column "ts", which is not there; it has n, other',
    ])
    await expect(valuesAt(view, [[1]])).rejects.toThrow(file)
  })

  it('may have a join key in their path alone, and columns under other names', async () => {
    const view = newView(
      { n: 'int64' },
      { columns: { country: 'land', n: 'a "count"' } },
      {
        country: 'string',
        id: 'int32',
      },
    )
    const select = (n: number): string => `select 1 as id, ${now} as ts, ${n} as "a ""count"""`
    await put(view, 'land=DE/a.parquet', select(1))
    await put(view, 'land=a%2Fb c/a.parquet', select(2))
    expect(
      await valuesAt(view, [
        ['DE', 1],
        ['a/b c', 1],
        ['FR', 1],
      ]),
    ).toEqual([[1], [2], null])
  })
})

describe('times in files', () => {
  const stored =
    'UEFSMRUAFSwVLCwVBBUAFQYVBhwAAAACAAAABAEBAAAAAAAAAAIAAAAAAAAAFQAVPBU8LBUEFQAVBhUGHAAAAAIAAAAEAeiDp0hKJwAAtY4lABj8TpGUTgAAiz0lABUAFSwVLCwVBBUAFQYVBhwAAAACAAAABAEHAAAAAAAAAAgAAAAAAAAAFQQZTDUAGAZzY2hlbWEVBgAVBCUCGAJpZAAVBiUCGA9ldmVudF90aW1lc3RhbXAAFQQlAhgBbgAWBBkcGTwmABwVBBklBgAZGAJpZBUAFgQWUhZSJghJHBUAFQAVAgA8KQYZJgAEAAAAJgAcFQYZJQYAGRgPZXZlbnRfdGltZXN0YW1wFQAWBBZiFmImWkkcFQAVABUCADwpBhkmAAQAAAAmABwVBBklBgAZGAFuFQAWBBZSFlImvAFJHBUAFQAVAgA8KQYZJgAEAAAAFoYCFgQmCBaGAgAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGTwcAAAcAAAcAAAABQEAAFBBUjE='

  it('are UTC in the old form of 96 bits (written by pyarrow)', async () => {
    const view = newView({ n: 'int64' }, { eventTimestamp: 'event_timestamp' })
    await mkdir(view.source.path)
    await writeFile(path.join(view.source.path, 'spark.parquet'), Buffer.from(stored, 'base64'))
    const asked = [
      [1, t + 1],
      [1, t],
      [2, -1],
      [2, -2],
    ] as const
    const [answer] = await asOfJoin(rows, {
      views: [view],
      rows: asked.map(([id, asOf]) => ({ key: [id], asOf, knownAt: null })),
    })
    expect(answer?.map((row) => row?.eventTimestamp ?? null)).toEqual([t + 1, null, -1, null])
  })

  it('without a zone are refused, unless the source says which', async () => {
    const view = newView({ seen: 'timestamp' })
    await put(
      view,
      'a.parquet',
      `select 1 as id, timestamp '2026-11-20 13:00:00' as ts, date '2026-11-20' as seen`,
    )
    expect((await rows.checkViews([view])).map(({ message }) => message)).toEqual([
      'the event timestamp needs TIMESTAMP WITH TIME ZONE; timestamps without a zone need the source\'s option timezone; column "ts" has TIMESTAMP',
      'feature "seen" (timestamp) needs TIMESTAMP WITH TIME ZONE; timestamps without a zone need the source\'s option timezone; column "seen" has DATE',
    ])
    const berlin = { ...view, source: { ...view.source, timezone: 'Europe/Berlin' } }
    expect(await valuesAt(berlin, [[1]])).toEqual([[at('2026-11-19T23:00:00Z')]])
    expect(await valuesAt(berlin, [[1]], t - 1)).toEqual([null])
  })
})

it('answers null for NaN and the infinite, and counts them', async () => {
  const view = newView({ x: 'float64', y: 'float32', xs: 'float64[]' })
  await put(
    view,
    'a.parquet',
    `select 1 as id, ${now} as ts, 'nan'::double as x, 'inf'::float as y, [1.0, 'nan'::double] as xs`,
  )
  nonFinite = []
  expect(await valuesAt(view, [[1]])).toEqual([[null, null, null]])
  expect(nonFinite).toEqual([view.name, view.name, view.name])
})

it('takes ties without a row id in the order of their contents, and leaves out rows without a key or a time', async () => {
  const view = newView({ n: 'int64', text: 'string' })
  const row = (id: string, ts: string, n: string): string =>
    `select ${id} as id, ${ts} as ts, ${n} as n, 'a' as text`
  await put(
    view,
    'a.parquet',
    `${row('1', now, '3')} union all ${row('1', now, '9')} union all ${row('null', now, '1')}`,
  )
  await put(view, 'b.parquet', `${row('1', now, '5')} union all ${row('2', 'null::timestamptz', '1')}`)
  expect(await valuesAt(view, [[1], [2]])).toEqual([[9, 'a'], null])
  const { rows: newest, reading } = await readNewest(view)
  expect(newest.map(({ key, values }) => [key, values])).toEqual([[[1], [9, 'a']]])
  expect(reading.scope).toBe('FULL')
})

async function readNewest(view: ParquetOfflineView, since?: Awaited<ReturnType<ParquetRows['newestRows']>>) {
  const found: Parameters<Parameters<ParquetRows['newestRows']>[1]>[0][number][] = []
  const scope = since
    ? ({ kind: 'ARRIVED', since: { ...since, materializedUntil: t } } as const)
    : ({ kind: 'FULL' } as const)
  const reading = await rows.newestRows({ view, now: t, scope }, async (batch) => {
    found.push(...batch)
  })
  return { rows: found, reading }
}

describe('a folder', () => {
  it('without files is a problem, and nothing is answered from it', async () => {
    const view = newView({ n: 'int64' })
    const nothing = 'there are no Parquet files; expected a folder with *.parquet files in it or below'
    expect((await rows.checkViews([view]))[0]?.message).toContain(nothing)
    await mkdir(path.join(view.source.path, '_temporary'), { recursive: true })
    await put(view, '_temporary/0/a.parquet', `select 1 as id, ${now} as ts, 1 as n`)
    await put(view, '.hidden.parquet', `select 1 as id, ${now} as ts, 1 as n`)
    await writeFile(path.join(view.source.path, '_SUCCESS'), '')
    await expect(valuesAt(view, [[1]])).rejects.toThrow(nothing)
  })

  it('may be a pattern or one file instead, whose own name may begin with _', async () => {
    const view = newView({ n: 'int64' })
    const file = await put(view, '_kept/a.parquet', `select 1 as id, ${now} as ts, 1 as n`)
    await put(view, '_kept/b.parquet', `select 2 as id, ${now} as ts, 2 as n`)
    const of = (place: string): ParquetOfflineView => ({ ...view, source: { ...view.source, path: place } })
    expect(await valuesAt(of(file), [[1], [2]])).toEqual([[1], null])
    expect(await valuesAt(of(path.join(view.source.path, '_kept/[b-z]*.parquet')), [[1], [2]])).toEqual([
      null,
      [2],
    ])
    expect(await valuesAt(of(path.join(view.source.path, '_kept')), [[1], [2]])).toEqual([[1], [2]])
  })

  it('that an export wrote has the files that its manifest lists, and none before its first run has ended', async () => {
    const view = newView({ n: 'int64' })
    const folder = view.source.path
    const one = (id: number): string => `select ${id} as id, ${now} as ts, ${id} as n`
    const list = (point: object | null, ...parts: readonly string[]): Promise<void> =>
      writeFile(
        path.join(folder, '_export.json'),
        JSON.stringify({
          ...{ format: 'featuregraph export 1', point },
          parts: parts.map((file) => ({ file, day: 0, rows: 1, bytes: 1 })),
        }),
      )
    await put(view, 'day=2026-11-20/part-1.parquet', one(1))
    await put(view, 'day=2026-11-20/part-2.parquet', one(2))
    await list(null, 'day=2026-11-20/part-1.parquet')
    await expect(valuesAt(view, [[1]])).rejects.toThrow('an export is under way there, or has not ended')
    await list({}, 'day=2026-11-20/part-1.parquet')
    expect(await valuesAt(view, [[1], [2]])).toEqual([[1], null])
    await list({}, 'day=2026-11-20/part-3.parquet')
    await expect(valuesAt(view, [[1]])).rejects.toThrow('files that its _export.json lists are not there')
    await list({})
    expect(await valuesAt(view, [[1], [2]])).toEqual([null, null])
  })

  it('that is no Parquet fails by its file', async () => {
    const view = newView({ n: 'int64' })
    await mkdir(view.source.path)
    await writeFile(path.join(view.source.path, 'a.parquet'), 'id,n\n1,2\n')
    expect((await rows.checkViews([view]))[0]?.message).toContain('a.parquet')
    await expect(valuesAt(view, [[1]])).rejects.toThrow(StoreFailed)
  })
})

describe('partitions that follow the event timestamp', () => {
  it('keep files of other times from being read', async () => {
    const view = newView({ n: 'int64' }, { partitions: { day: 'day' } })
    const broken = async (day: string): Promise<void> => {
      await mkdir(path.join(view.source.path, `day=${day}`), { recursive: true })
      await writeFile(path.join(view.source.path, `day=${day}/broken.parquet`), 'no Parquet at all')
    }
    await put(view, 'day=2026-11-20/a.parquet', `select 1 as id, ${now} as ts, 1 as n`)
    await put(view, 'day=2026-11-19/a.parquet', `select 1 as id, ${now} - interval 1 day as ts, 0 as n`)
    await broken('2026-11-21')
    expect(await valuesAt(view, [[1]])).toEqual([[1]])
    await broken('2026-11-18')
    await expect(valuesAt(view, [[1]])).rejects.toThrow('broken.parquet')
    const day = 86_400_000_000
    const range = { from: t - day, to: t + 1, knownAt: null, after: null }
    const [page] = await rows.storedRows({ view, ranges: [{ ...range, key: [1] }], first: 9 }, neverAborted)
    expect(page?.rows.map(({ values }) => values)).toEqual([[1], [0]])
  })

  it('are refused by their path where a value is no such moment', async () => {
    const view = newView({ n: 'int64' }, { partitions: { month: 'month', day: 'day', year: 'year' } })
    const file = await put(
      view,
      'year=2026/month=11/day=31/a.parquet',
      `select 1 as id, ${now} as ts, 1 as n`,
    )
    const message = 'the partition day=31 is no day; expected as 2026-11-28, or 28 below a month'
    expect(await rows.checkViews([view])).toEqual([
      { path: `feature view ${view.name}, source ${view.name}, ${file}`, message, isLasting: true },
    ])
    await expect(valuesAt(view, [[1]])).rejects.toThrow(message)
    await put(view, 'year=2026/month=11/day=20/a.parquet', `select 1 as id, ${now} as ts, 1 as n`)
    await rm(file)
    expect(await valuesAt(view, [[1]])).toEqual([[1]])
  })
})

describe('files that are replaced', () => {
  it('are seen all or none: each answer is whole while a compaction goes on', async () => {
    const view = newView({ n: 'int64' })
    const keys = [1, 2, 3, 4]
    const one = (id: number): string => `select ${id} as id, ${now} as ts, ${id} as n`
    const folder = view.source.path
    for (const id of keys) await put(view, `part_${id}.parquet`, one(id))
    let [isDone, reads, rounds] = [false, 0, 0]
    // Else it could be faster than every listing.
    const nextRead = async (): Promise<void> => {
      const before = reads
      while (!isDone && reads <= before + 1) await new Promise((resolve) => setImmediate(resolve))
    }
    const compact = async (): Promise<void> => {
      while (!isDone) {
        rounds += 1
        await nextRead()
        await put(view, `all_${rounds}.parquet`, keys.map(one).join(' union all '))
        await Promise.all(keys.map((id) => rm(path.join(folder, `part_${id}.parquet`), { force: true })))
        await nextRead()
        for (const id of keys) await put(view, `part_${id}.parquet`, one(id))
        await rm(path.join(folder, `all_${rounds}.parquet`))
      }
    }
    const read = async (): Promise<void> => {
      while (reads < 30 || rounds < 10) {
        expect(
          await valuesAt(
            view,
            keys.map((id) => [id]),
          ),
        ).toEqual(keys.map((id) => [id]))
        reads += 1
      }
    }
    await Promise.all([
      compact(),
      read().finally(() => {
        isDone = true
      }),
    ])
  })

  it('are read as new files, or all again where one that was read has changed or is gone', async () => {
    const view = newView({ n: 'int64' })
    const folder = view.source.path
    const one = (id: number, n: number, hour = 0): string =>
      `select ${id} as id, ${now} - interval ${hour} hour as ts, ${n} as n`
    await put(view, 'a.parquet', `${one(1, 1)} union all ${one(2, 2)}`)
    const full = await readNewest(view)
    expect(full.reading.files).toHaveLength(1)
    expect((await readNewest(view, full.reading)).rows).toEqual([])
    await put(view, 'b.parquet', `${one(2, 22, 5)} union all ${one(3, 3, 7)}`)
    const arrived = await readNewest(view, full.reading)
    expect(arrived.reading.scope).toBe('ARRIVED')
    expect(arrived.rows.map(({ key, values }) => [key[0], values[0]]).sort()).toEqual([
      [2, 2],
      [3, 3],
    ])
    await rename(path.join(folder, 'b.parquet'), path.join(folder, 'c.parquet'))
    expect((await readNewest(view, arrived.reading)).reading.scope).toBe('FULL')
    await rename(path.join(folder, 'c.parquet'), path.join(folder, 'b.parquet'))
    await put(view, 'b.parquet', `${one(2, 22, 5)} union all ${one(3, 4, 7)}`)
    const changed = await readNewest(view, arrived.reading)
    expect([changed.reading.scope, changed.rows.length]).toEqual(['FULL', 3])
  })
})

it('stops at an aborted signal', async () => {
  const view = newView({ n: 'int64' })
  await put(view, 'a.parquet', `select 1 as id, ${now} as ts, 1 as n`)
  const question = { views: [view], rows: [{ key: [1], asOf: t, knownAt: null }], visibleIn: null }
  await expect(rows.asOfJoin(question, AbortSignal.abort())).rejects.toThrow('the caller went away')
  const hasty = openParquetRows({ timeoutMs: 0 })
  await expect(hasty.asOfJoin(question, neverAborted)).rejects.toThrow('DuckDB did not answer in time')
  await hasty.close()
})
