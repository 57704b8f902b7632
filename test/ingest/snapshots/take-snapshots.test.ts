import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { batch, count, entity, eventSource, first, sum, windowedView } from 'featuregraph'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { EntityKey } from '../../../src/definitions/value.ts'
import { BadUserInput, RowCountRefused } from '../../../src/errors.ts'
import {
  type SnapshotsTaken,
  type TakeOptions,
  takeSnapshots,
} from '../../../src/ingest/snapshots/take-snapshots.ts'
import { connectDuckDb } from '../../../src/stores/duckdb/open-duckdb.ts'
import { duckDbSnapshotFiles } from '../../../src/stores/duckdb/snapshot-files.ts'
import { postgresDeletionStore } from '../../../src/stores/postgres/deletion/deletion-store.ts'
import type { SnapshotFiles } from '../../../src/stores/snapshot-files.ts'
import { int96File } from '../../services/int96-file.ts'
import { type BatchBench, type BatchWorld, day, hour, monday, openBatchBench, sale } from './batch-world.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const sales = eventSource('sales', {
  eventTimestamp: 'at',
  fields: { customer_id: 'int64', shop: 'string', amount: 'float64', seen: 'timestamp' },
})
const features = { n: count('3d', { hop: '1d' }), total: sum('amount', '3d', { hop: '1d' }) }
const daily = windowedView('daily', {
  entity: customer,
  source: sales,
  compute: batch({ every: '1d' }),
  features,
})

let bench: BatchBench
let folder: string
let files: SnapshotFiles
let duckDb: Awaited<ReturnType<typeof connectDuckDb>>
beforeAll(async () => {
  ;[bench, folder, duckDb] = await Promise.all([
    openBatchBench(),
    mkdtemp(path.join(tmpdir(), 'featuregraph-take-')),
    connectDuckDb(),
  ])
  const s3 = { credentials: null, region: 'us-east-1', endpoint: null }
  files = duckDbSnapshotFiles({ memoryLimit: '256MB', lake: { extensionsFolder: null, s3 } })
})
afterAll(async () => {
  duckDb?.close()
  await Promise.all([bench?.close(), rm(folder, { recursive: true, force: true })])
})

/** A folder with one Parquet file per select. */
async function written(...selects: readonly string[]): Promise<string> {
  const place = path.join(folder, randomUUID())
  await mkdir(place)
  for (const [index, select] of selects.entries())
    await duckDb.connection.run(`copy (${select}) to '${place}/part-${index}.parquet' (format parquet)`)
  await writeFile(path.join(place, '_SUCCESS'), '')
  return place
}

/** Rows as `(customer, time in days, n, total)`. */
function rows(...values: readonly string[]): string {
  const list = values.map((value) => `(${value})`).join(', ')
  return `select c::BIGINT as customer_id, make_timestamptz((${monday} + d * ${day})::BIGINT) as event_timestamp, n::BIGINT as n,
    t::DOUBLE as total from (values ${list}) as v(c, d, n, t)`
}

function take(
  world: BatchWorld,
  place: string,
  options: Partial<TakeOptions> & { readonly asked?: Parameters<typeof takeSnapshots>[2]['asked'] } = {},
): Promise<SnapshotsTaken> {
  const { asked = null, ...own } = options
  return takeSnapshots(
    { ...world.targets, files },
    world.view,
    { folder: place, asked },
    {
      ...{ createdAfterMicros: null, onWait: () => {}, onProgress: () => {} },
      signal: new AbortController().signal,
      ...own,
    },
  )
}

describe('snapshots of files', () => {
  let world: BatchWorld
  const total = (n: number, amount: number) => ({ closing: false, values: [n, amount] })
  const closed = { closing: true, values: [0, 0] }
  const asOf = (key: EntityKey, days: number, knownAt?: Micros) =>
    world.asOf(key, monday + days * day, knownAt)
  const at = (...days: readonly number[]) => days.map((one) => monday + one * day)

  beforeEach(async () => {
    await bench.pool.query(
      'truncate featuregraph.violations, featuregraph.quarantine, featuregraph.deletions, featuregraph.deleted_kinds',
    )
    world = await bench.makeWorld(customer, sales, daily)
  })

  it('answer as if they had been computed here, and the same files again write nothing', async () => {
    const place = await written(rows('2, 1, 1, 0.1', '1, 1, 2, 5'), rows('1, 2, 3, 7.5', '10, 1, 1, null'))
    const first = await take(world, place)
    expect(first).toEqual({ times: at(1, 2), read: 4, deleted: 0, written: 6, closedAtOthers: 0 })
    expect(await asOf([1], 1)).toMatchObject(total(2, 5))
    expect(await asOf([1], 2)).toMatchObject(total(3, 7.5))
    expect((await asOf([10], 1))?.values).toEqual([1, null])
    // The files have no row of them at the second time.
    expect(await asOf([2], 2)).toMatchObject(closed)
    expect(await asOf([10], 2)).toMatchObject(closed)
    expect(await take(world, place)).toMatchObject({ read: 4, written: 0 })
    expect(await world.compute({ kind: 'STALE', since: null })).toMatchObject({ times: [] })
  })

  it('hold one row where they are equal within the tolerance of the file, and a later created one beyond it', async () => {
    await take(world, await written(rows('1, 1, 2, 1000', '2, 1, 1, 1000')))
    const before = world.time.now
    world.time.now += hour
    const withDifference = (difference: number) =>
      `select *, 1e-3::DOUBLE as total__tolerance from (${rows(
        `1, 1, 2, ${1000 + difference}`,
        '2, 1, 1, 1000.0000001',
      )})`
    expect(await take(world, await written(withDifference(5e-4)))).toMatchObject({ written: 0 })
    expect(await take(world, await written(withDifference(2e-3)))).toMatchObject({ written: 1 })
    expect((await asOf([1], 1))?.values).toEqual([2, 1000.002])
    expect(await asOf([1], 1, before)).toMatchObject(total(2, 1000))
    // Without a tolerance a billionth of the value.
    expect(await take(world, await written(rows('1, 1, 2, 1000.0020000001', '2, 1, 1, 1001')))).toMatchObject(
      {
        written: 1,
      },
    )
  })

  it('take their closing rows as what they are, and only where a key had a row', async () => {
    const closing = (...values: readonly string[]) => `select *, true as closing from (${rows(...values)})`
    const open = (...values: readonly string[]) =>
      `select *, null::BOOLEAN as closing from (${rows(...values)})`
    const place = await written(open('1, 1, 1, 4'), closing('1, 2, 0, 0', '2, 2, 0, 0'))
    expect(await take(world, place)).toMatchObject({ written: 2 })
    expect(await asOf([1], 2)).toMatchObject(closed)
    expect(await asOf([2], 2)).toBeNull()
  })

  it('equal those computed here: neither way in finds anything to add to the other', async () => {
    await world.keep(sale(1, monday + hour, { amount: 2 }), sale(2, monday + 30 * hour, { amount: 0.3 }))
    await world.at(...at(1, 2, 3, 4, 5))
    const here = rows(
      '1, 1, 1, 2',
      '1, 2, 1, 2',
      '1, 3, 1, 2',
      '2, 2, 1, 0.3',
      '2, 3, 1, 0.3',
      '2, 4, 1, 0.3',
    )
    expect(await take(world, await written(here))).toMatchObject({ times: at(1, 2, 3, 4), written: 0 })
    expect(await world.at(...at(1, 2, 3, 4, 5))).toMatchObject({ written: 0 })
  })

  it('leave a recorded snapshot behind them as it was: a key that opens before it closes there', async () => {
    await world.keep(sale(1, monday + hour, { amount: 2 }))
    await world.at(...at(1, 5))
    const place = await written(rows('1, 1, 1, 2', '7, 1, 3, 9', '7, 2, 3, 9'))
    expect(await take(world, place)).toMatchObject({ times: at(1, 2), written: 4, closedAtOthers: 1 })
    expect(await asOf([7], 4)).toMatchObject(total(3, 9))
    expect(await asOf([7], 5)).toMatchObject({ ...closed, eventTimestamp: monday + 5 * day })
    // Nothing of what stood there has changed, and the second time nothing is missing.
    expect(await asOf([1], 5)).toMatchObject(closed)
    expect(await take(world, place)).toMatchObject({ written: 0, closedAtOthers: 0 })
  })

  it('can be chosen by their times, and one without a row is refused', async () => {
    const place = await written(rows('1, 1, 1, 2', '1, 2, 1, 2', '1, 3, 1, 2'))
    const range = { from: monday + day, to: monday + 3 * day, everyMicros: 2 * day }
    expect(await take(world, place, { asked: range })).toMatchObject({ times: at(1, 3) })
    const single = { from: monday + 4 * day, to: monday + 4 * day, everyMicros: day }
    await expect(take(world, place, { asked: single })).rejects.toThrow(
      /has no row of 2026-11-20T00:00:00.000000Z, and a snapshot without any would close every key; it has 3 times from 2026-11-17T/,
    )
  })

  it('are known so long after their time as was said, and corrections from now on', async () => {
    await take(world, await written(rows('1, 1, 1, 2')), { createdAfterMicros: hour })
    const known = monday + day + hour
    expect(await asOf([1], 1, known)).toMatchObject({ createdTimestamp: known })
    await take(world, await written(rows('1, 1, 2, 4')), { createdAfterMicros: hour })
    expect(await asOf([1], 1)).toMatchObject({ createdTimestamp: world.time.now, values: [2, 4] })
  })

  it('leave pushed rows as they stand, until they are replaced', async () => {
    await take(world, await written(rows('1, 1, 1, 2', '2, 1, 1, 2')))
    const pushed = {
      key: [1],
      eventTimestamp: monday + day,
      createdTimestamp: world.time.now,
      values: [9, 9],
    }
    await bench.offline.insertRows(world.view, [pushed])
    const corrected = await written(rows('1, 1, 2, 4', '2, 1, 1, 2'))
    expect(await take(world, corrected)).toMatchObject({ written: 0 })
    expect(await asOf([1], 1)).toMatchObject(total(9, 9))
    expect(await take(world, corrected, { replacePushed: { key: [2] } })).toMatchObject({ written: 0 })
    expect(await take(world, corrected, { replacePushed: { key: null } })).toMatchObject({ written: 1 })
    expect(await asOf([1], 1)).toMatchObject(total(2, 4))
  })

  it('leave out rows of an entity that was deleted at their time or later', async () => {
    const deletions = postgresDeletionStore(bench.pool, 'default')
    const deletedAt = monday + day + hour
    const deleted = { entity: world.view.entity, key: [1], views: [world.view], sources: [world.source] }
    await deletions.record(deleted, deletedAt)
    const place = await written(rows('1, 1, 1, 2', '1, 2, 1, 2', '2, 1, 1, 2'))
    expect(await take(world, place)).toMatchObject({ read: 3, deleted: 1, written: 3 })
    expect(await asOf([1], 1)).toBeNull()
    expect(await asOf([1], 2)).toMatchObject(total(1, 2))
  })

  it('pass the expectations of their view, also those of how many rows there are', async () => {
    world = await bench.makeWorld(
      customer,
      sales,
      windowedView('checked', {
        ...{ entity: customer, source: sales, compute: batch({ every: '1d' }) },
        features: {
          ...features,
          total: sum('amount', '3d', { hop: '1d', expect: { max: 5, action: 'reject' } }),
        },
        expectRows: { min: 2, action: 'reject' },
      }),
    )
    expect(await take(world, await written(rows('1, 1, 1, 2', '2, 1, 1, 9')))).toMatchObject({ written: 1 })
    const single = take(world, await written(rows('1, 2, 1, 2')))
    await expect(single).rejects.toBeInstanceOf(RowCountRefused)
    await expect(single).rejects.toThrow('nothing of these snapshots was written')
    expect(await asOf([1], 2)).toMatchObject({ eventTimestamp: monday + day })
    const { rows: found } = await bench.pool.query('select rule from featuregraph.violations order by id')
    expect(found.map(({ rule }) => rule)).toEqual(['MAX', 'ROW_COUNT'])
  })

  it('are not half written where the run is cancelled or fails, and the run says how it ended', async () => {
    await world.keep(sale(1, monday))
    const place = await written(rows('1, 1, 1, 2', '2, 2, 1, 2'))
    const cancel = new AbortController()
    cancel.abort(new BadUserInput('stopped'))
    await expect(take(world, place, { signal: cancel.signal })).rejects.toThrow('stopped')
    const failing = take(world, place, {
      onProgress: () => {
        throw new Error('the process is gone')
      },
    })
    await expect(failing).rejects.toThrow('the process is gone')
    await expect(asOf([1], 1)).rejects.toThrow('NEVER_FILLED')
    expect(await take(world, place)).toMatchObject({ written: 3 })
    const filter = { kind: null, view: null, since: null, first: 100, after: null } as const
    const runs = await world.targets.runs.runs(filter)
    expect(runs.map(({ state, rowsRead }) => [state, rowsRead])).toContainEqual(['SUCCEEDED', 2])
    expect(runs.filter(({ state }) => state === 'FAILED')).not.toHaveLength(0)
  })
})

describe('files that cannot be taken', () => {
  let world: BatchWorld
  beforeAll(async () => {
    world = await bench.makeWorld(customer, sales, daily)
    await world.keep(sale(1, monday))
  })
  const good = () => rows('1, 1, 1, 2')
  const altered = (list: string) => `select * replace (${list}) from (${good()})`
  const cases: readonly (readonly [what: string, selects: () => readonly string[], said: RegExp])[] = [
    [
      'a null key',
      () => [altered('null::BIGINT as customer_id')],
      /customer_id is null; a row is about an entity/,
    ],
    [
      'two rows of a key and time',
      () => [good(), good()],
      /the row of customer_id 1 at 2026-11-17T00:00:00.000000Z: there are two of this key and time/,
    ],
    [
      'a time that is no snapshot time',
      () => [rows('1, 1.5, 1, 2')],
      /1 row of 2026-11-17T12:00:00.000000Z, which is no snapshot time of feature view "daily"; they are the multiples of 1d/,
    ],
    [
      'a time that has not come yet',
      () => [rows('1, 40, 1, 2')],
      /1 row of 2026-12-26T.*which has not come yet/,
    ],
    [
      'a row without a time',
      () => [altered('null::TIMESTAMPTZ as event_timestamp')],
      /1 row without an event_timestamp/,
    ],
    ['no row', () => [`${good()} limit 0`], /has no row/],
    [
      'a column that is missing',
      () => [`select * exclude (n) from (${good()})`],
      /column "n" is missing; expected int64/,
    ],
    [
      'a type that cannot become the feature’s',
      () => [altered("'many' as n")],
      /column "n" is VARCHAR, which cannot become int64/,
    ],
    [
      'a value that is none of the type',
      () => [altered('1.5::DOUBLE as n')],
      /n: expected a 64-bit integer.*, got 1.5/,
    ],
    [
      'a float that is not finite',
      () => [altered("'inf'::DOUBLE as total")],
      /total: expected a finite float64, got "Infinity"/,
    ],
    [
      'local times',
      () => [altered('event_timestamp::TIMESTAMP as event_timestamp')],
      /column "event_timestamp" is TIMESTAMP, which is no instant; expected a timestamp in UTC/,
    ],
    [
      'types that differ between files',
      () => [good(), altered('n::INTEGER as n')],
      /column "n" differs between files: BIGINT in .*part-0.parquet, INTEGER in .*part-1.parquet/,
    ],
    [
      'a column that only some files have',
      () => [good(), `select * exclude (total) from (${rows('2, 1, 1, 2')})`],
      /column "total" differs between files: DOUBLE in .*, missing in/,
    ],
  ]

  it.each(cases)('are refused for %s, and nothing is written', async (_, selects, said) => {
    const refused = await take(world, await written(...selects())).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(BadUserInput)
    expect(String(refused)).toMatch(said)
    await expect(world.asOf([1], monday + day)).rejects.toThrow('NEVER_FILLED')
  })

  it('are refused with INT96 times, whose zone is not known', async () => {
    const place = await written()
    await writeFile(path.join(place, 'part.parquet'), Buffer.from(int96File, 'base64'))
    await expect(take(world, place)).rejects.toThrow(/"event_timestamp" is INT96, .*TIMESTAMP_MICROS/)
  })

  it('are refused without _SUCCESS, without a file, without a folder and where one is broken off', async () => {
    const unfinished = await written(good())
    await rm(path.join(unfinished, '_SUCCESS'))
    await expect(take(world, unfinished)).rejects.toThrow(/has no _SUCCESS: what wrote it has not finished/)
    await expect(take(world, await written())).rejects.toThrow(/has no row: expected Parquet files/)
    await expect(take(world, path.join(folder, 'nowhere'))).rejects.toThrow(/cannot be read: ENOENT/)
    const broken = await written(good())
    await writeFile(path.join(broken, 'part-1.parquet'), 'PAR1')
    await expect(take(world, broken)).rejects.toThrow(/cannot be read as Parquet: /)
  })

  it('are refused where one is gone, written again or new once they are read, and nothing is written', async () => {
    const changes: readonly (readonly [change: (place: string) => Promise<unknown>, said: RegExp])[] = [
      [
        (place) => rm(path.join(place, 'part-1.parquet')),
        /changed while it was read: .*part-1.parquet is gone/,
      ],
      [(place) => utimes(path.join(place, 'part-0.parquet'), 1, 1), /part-0.parquet was written again/],
      [(place) => writeFile(path.join(place, 'part-2.parquet'), ''), /part-2.parquet is new/],
      [(place) => rm(path.join(place, '_SUCCESS')), /_SUCCESS is gone/],
    ]
    for (const [change, said] of changes) {
      const place = await written(good(), rows('2, 1, 1, 2'))
      // As if it happened behind the check of the columns.
      const changing: SnapshotFiles = {
        open: async (...question) => {
          const opened = await files.open(...question)
          await change(place)
          return opened
        },
      }
      const refused = takeSnapshots(
        { ...world.targets, files: changing },
        world.view,
        { folder: place, asked: null },
        {
          ...{ createdAfterMicros: null, onWait: () => {}, onProgress: () => {} },
          signal: new AbortController().signal,
        },
      )
      await expect(refused).rejects.toThrow(said)
      await expect(world.asOf([1], monday + day)).rejects.toThrow('NEVER_FILLED')
    }
  })

  it('leaves out what begins with _ or ., and takes keys and values of every type in our order', async () => {
    const terminals = entity('terminal', { joinKeys: { shop: 'string', till: 'int32', id: 'uuid' } })
    const source = eventSource('scans', {
      eventTimestamp: 'at',
      fields: {
        shop: 'string',
        till: 'int32',
        id: 'uuid',
        seen: 'timestamp',
        price: 'decimal(2)',
        weight: 'float32',
        ok: 'bool',
      },
    })
    const scanned = await bench.makeWorld(
      terminals,
      source,
      windowedView('scanned', {
        ...{ entity: terminals, source, compute: batch({ every: '1d' }) },
        features: {
          price: sum('price', '3d', { hop: '1d' }),
          seen: first('seen', '3d', { hop: '1d' }),
          weight: first('weight', '3d', { hop: '1d' }),
          ok: first('ok', '3d', { hop: '1d' }),
          shop_seen: first('shop', '3d', { hop: '1d' }),
        },
      }),
    )
    const id = '123E4567-e89b-12d3-a456-426614174000'
    const place = await written(
      `select s as shop, 1::INTEGER as till, '${id}' as id, make_timestamptz(${monday + day}) as event_timestamp,
         92233720368547758.07::DECIMAL(19,2) as price, make_timestamptz(${monday}) as seen, 0.1::FLOAT as weight, true as ok, s as shop_seen
       from (values ('a'), (''), ('\u{ffee}'), ('\u{1f600}'), ('B')) as v(s)`,
    )
    await mkdir(path.join(place, '_temporary'))
    await writeFile(path.join(place, '_temporary', 'part.parquet'), 'none')
    await writeFile(path.join(place, '.part.parquet'), 'none')
    expect(await take(scanned, place)).toMatchObject({ written: 5 })
    expect(await take(scanned, place)).toMatchObject({ written: 0 })
    const row = await scanned.asOf(['\u{1f600}', 1, id.toLowerCase()], monday + day)
    expect(row?.values).toEqual(['92233720368547758.07', monday, Math.fround(0.1), true, '\u{1f600}'])
  })
})
