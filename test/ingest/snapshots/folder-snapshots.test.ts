import { access, appendFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { batch, count, countDistinct, entity, eventSource, last, mean, sum, windowedView } from 'featuregraph'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import { OtherDefinitions, RowCountRefused } from '../../../src/errors.ts'
import { exportSubject } from '../../../src/ingest/export/export-subject.ts'
import { computeByEngine } from '../../../src/ingest/snapshots/compute-by-engine.ts'
import { writeComputedTimes } from '../../../src/ingest/snapshots/folder-manifest.ts'
import { openFolderSnapshots } from '../../../src/ingest/snapshots/folder-snapshots.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { BatchView } from '../../../src/registry/registry.ts'
import type { AsOfEntry, AsOfReader } from '../../../src/stores/as-of-reader.ts'
import { duckDbEngine } from '../../../src/stores/duckdb/duckdb-engine.ts'
import { duckDbHeldSnapshots } from '../../../src/stores/duckdb/lake/held-snapshots.ts'
import { duckDbPartFiles } from '../../../src/stores/duckdb/part-files.ts'
import { duckDbSnapshotFiles } from '../../../src/stores/duckdb/snapshot-files.ts'
import type { ExportFolder } from '../../../src/stores/export-files.ts'
import { localExportFolder } from '../../../src/stores/files/local-folder.ts'
import { resultFolders } from '../../../src/stores/files/result-folders.ts'
import type { OfflineView, ParquetOfflineView } from '../../../src/stores/offline-view.ts'
import { postgresLaterChanges } from '../../../src/stores/postgres/deletion/later-changes.ts'
import { postgresRowsToExport } from '../../../src/stores/postgres/export/rows-to-export.ts'
import { eventTable } from '../../../src/stores/postgres/tables/event-table.ts'
import { snapshotsSql } from '../../../src/stores/window-sql/snapshots-sql.ts'
import { neverAborted } from '../../contract/offline-store.ts'
import type { TestEvent } from '../../oracle/store-events.ts'
import { isLong } from '../../services/long-run.ts'
import { openParquetFiles, openParquetRows, type ParquetFiles } from '../../services/parquet-files.ts'
import {
  type BatchBench,
  type BatchWorld,
  day,
  hour,
  minute,
  monday,
  openBatchBench,
  sale,
} from './batch-world.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64', shop: 'string' } })
const sales = eventSource('sales', {
  eventTimestamp: 'at',
  fields: { customer_id: 'int64', shop: 'string', amount: 'float64', items: 'int64' },
})
const features = {
  n: count('3h', { hop: '1h' }),
  total: sum('amount', '90m', { hop: '30m' }),
  average: mean('amount', '3h', { hop: '1h' }),
  different: countDistinct('items', '3h', { hop: '1h' }),
  last_items: last('items', '2h', { hop: '1h' }),
}
const options = { entity: customer, source: sales, compute: batch({ every: '1h' }) }
const hourly = windowedView('hourly', { ...options, features })

const lake = { extensionsFolder: null, s3: { credentials: null, region: 'us-east-1', endpoint: null } }
const engine = duckDbEngine({ memoryLimit: '256MB', lake })
const held = duckDbHeldSnapshots({ memoryLimit: '256MB', lake })
const inFiles = openParquetRows()

let bench: BatchBench
let world: BatchWorld
let files: ParquetFiles
let root: string
let folders = 0
beforeAll(async () => {
  ;[bench, files, root] = await Promise.all([
    openBatchBench(),
    openParquetFiles(),
    mkdtemp(path.join(tmpdir(), 'featuregraph-held-')),
  ])
  world = await bench.makeWorld(customer, sales, hourly)
})
afterAll(async () => {
  await Promise.all([held.close(), inFiles.close(), files?.close(), bench?.close()])
  await rm(root, { recursive: true, force: true })
})

const newPlace = (): string => {
  folders += 1
  return path.join(root, String(folders))
}

async function exportSales(place: string): Promise<string | null> {
  const { parts } = await exportSubject(
    {
      ...{ runs: world.targets.runs, clock: world.targets.clock, openFolder: localExportFolder },
      ...{ partFiles: duckDbPartFiles(lake), changes: postgresLaterChanges(bench.pool, 'default') },
      rowsToExport: postgresRowsToExport(bench.pool, { project: 'default', countNonFinite: () => {} }),
    },
    {
      ...{ project: 'default', subject: { kind: 'EVENTS', source: world.source }, definition: null },
      ...{ path: place, from: undefined, to: undefined, rebuild: false },
      ...{ onWait: () => {}, onProgress: () => {} },
    },
  )
  return parts.length === 0 ? null : place
}

/** As `--out` does into a new folder. */
async function begin(place: string, events: string, times: readonly Micros[]): Promise<void> {
  const known = { now: world.time.now, afterMicros: null }
  const sql = snapshotsSql(world.view, { times, previous: null, events, output: place, known }, 'duckdb')
  await engine.run(
    { name: 'begin', sql, inputs: [events], output: place },
    { signal: new AbortController().signal, onLog: () => {} },
  )
  const folder = localExportFolder(place)
  await writeComputedTimes(folder, world.view, times)
  await folder.close()
}

/** As `--out` does into one that is there. */
async function add(
  place: string,
  events: string,
  times: readonly Micros[],
  { view = world.view, folder = localExportFolder(place) }: { view?: BatchView; folder?: ExportFolder } = {},
) {
  const parts = { folder, held, partFiles: duckDbPartFiles(lake), clock: world.targets.clock }
  const violations = { record: async () => {} }
  try {
    const { snapshots, clock } = await openFolderSnapshots({ ...parts, violations }, view)
    const results = resultFolders(place)
    return await computeByEngine(
      {
        ...{
          engine,
          clock,
          violations,
          runs: { withRun: async (_run, _how, work) => (await work(() => {})).result },
        },
        snapshots: {
          ...{ ...snapshots, storedSince: async () => null },
          arrivals: async () => ({ snapshotXmin: '0', systemIdentifier: '' }),
        },
        files: duckDbSnapshotFiles({ memoryLimit: '256MB', lake }),
        events: { kind: 'STORED', export: () => exportSales(events) },
        results: { fresh: () => results.fresh('_computed'), remove: results.remove },
      },
      view,
      { kind: 'TIMES', times },
      {
        ...{ createdAfterMicros: null, onWait: () => {}, onProgress: () => {}, onStep: () => {} },
        ...{ onLog: () => {}, signal: new AbortController().signal },
      },
    )
  } finally {
    await folder.close()
  }
}

const ids = [1, 2] as const
const shops = ['a', 'é'] as const

/** What both stores say of all keys, at and around the times, as known at some moments. */
async function answers(moments: readonly Micros[], place: string) {
  const rows = ids.flatMap((id) =>
    shops.flatMap((shop) =>
      Array.from({ length: 14 }, (_, hours) => monday + hours * hour + 1).flatMap((asOf) =>
        [null, ...moments].map((knownAt) => ({ key: [id, shop], asOf, knownAt })),
      ),
    ),
  )
  const { id, name, entity: of, features: all } = world.view
  const source = { ...files.view(name, {}, {}).source, path: place }
  const view: ParquetOfflineView = { kind: 'PLAIN', id, name, entity: of, features: all, source }
  const ask = async (store: Pick<AsOfReader, 'asOfJoin'>, of: OfflineView) =>
    (await store.asOfJoin({ views: [of], rows, visibleIn: null }, neverAborted))[0] ?? []
  const [stored, found] = await Promise.all([ask(bench.offline, world.view), ask(inFiles, view)])
  // Before the first snapshot Postgres says that there is none; files cannot.
  const isKnown = (row: AsOfEntry): boolean => row === null || 'values' in row
  const known = stored.flatMap((row, index) => (isKnown(row) ? [index] : []))
  return {
    stored: known.map((index) => close(stored[index])),
    found: known.map((index) => close(found[index])),
  }
}

/** Floats of two engines, but for their last digits; of a closing row the values are those of no event. */
function close(row: AsOfEntry | undefined) {
  if (row === null || row === undefined || !('values' in row)) return row
  const { eventTimestamp, createdTimestamp, closing } = row
  const values = row.values.map((value) => (typeof value === 'number' ? Number(value.toFixed(6)) : value))
  return { eventTimestamp, createdTimestamp, closing, values: closing ? [] : values }
}

const event = fc
  .record({
    customer_id: fc.constantFrom(...ids),
    shop: fc.constantFrom(...shops),
    amount: fc.option(
      fc.integer({ min: -500, max: 500 }).map((cents) => cents / 100),
      { freq: 4 },
    ),
    items: fc.option(fc.integer({ min: -5, max: 9 }), { freq: 4 }),
    minutes: fc.integer({ min: 0, max: 24 }).map((halves) => halves * 30 * minute),
  })
  .map(({ minutes, ...fields }): TestEvent => ({ at: monday + minutes, fields }))
const someHours = fc
  .uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 })
  .map((all) => all.sort((left, right) => left - right).map((number) => monday + number * hour))

describe('snapshots in a folder', () => {
  it('are on both clocks those that Postgres has of the same runs: corrections, closing rows, times in between', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { minLength: 1, maxLength: 20 }),
        fc.array(fc.tuple(fc.array(event, { maxLength: 6 }), someHours), { minLength: 1, maxLength: 2 }),
        someHours,
        async (events, later, hours) => {
          await bench.pool.query(
            `truncate featuregraph.snapshots, featuregraph.event_arrivals, features.hourly, ${eventTable('default', world.source)}`,
          )
          const [place, exported] = [newPlace(), newPlace()]
          world.time.now = monday + 30 * day
          await world.keep(...events)
          await exportSales(exported)
          await begin(place, exported, hours)
          await world.at(...hours)
          const moments: Micros[] = []
          for (const [late, times] of later) {
            moments.push(world.time.now)
            world.time.now += day
            await world.keep(...late)
            const { written } = await add(place, exported, times)
            expect(await world.at(...times)).toMatchObject({ written })
            expect(await add(place, exported, times)).toMatchObject({ written: 0 })
          }
          const { stored, found } = await answers(moments, place)
          expect(found).toEqual(stored)
        },
      ),
      isLong ? { numRuns: 20 } : { numRuns: 1, seed: 2 },
    )
  }, 600_000)

  it('of a run that fails or is killed are not there, and those of the run after it are', async () => {
    const [place, exported] = [newPlace(), newPlace()]
    const at = (hours: number): Micros => monday + 40 * day + hours * hour
    world.time.now = at(100)
    await world.keep(
      sale(1, at(0), { shop: 'a', amount: 1 }),
      sale(2, at(1) + minute, { shop: 'a', amount: 2 }),
    )
    await exportSales(exported)
    await begin(place, exported, [at(1)])
    const there = (await readdir(place)).toSorted()
    const fails = (): never => {
      throw new Error('the disk is gone')
    }
    const interrupted = (broken: Partial<ExportFolder>) =>
      expect(add(place, exported, [at(2)], { folder: { ...localExportFolder(place), ...broken } })).rejects
    await interrupted({ publish: fails }).toThrow('disk')
    expect((await readdir(place)).filter((name) => !name.startsWith('_computed')).toSorted()).toEqual(there)
    // Killed between the rows and the list of the times.
    await interrupted({ write: fails }).toThrow('disk')
    expect((await readdir(place)).filter((name) => name.startsWith('snapshots-'))).toHaveLength(1)
    expect(await add(place, exported, [at(2)])).toMatchObject({ read: 2, written: 0 })
    // An empty snapshot has no row, and closes keys all the same, once.
    expect(await add(place, exported, [at(9)])).toMatchObject({ read: 0, written: 2 })
    expect(await add(place, exported, [at(2), at(9)])).toMatchObject({ written: 0 })
  })

  it('are refused with their rows where the view does not accept so many, and written by no one else meanwhile', async () => {
    const [place, exported] = [newPlace(), newPlace()]
    const times = [monday + 50 * day]
    world.time.now = monday + 60 * day
    await world.keep(sale(1, monday + 50 * day - minute, { shop: 'a' }))
    await exportSales(exported)
    await begin(place, exported, [monday + 51 * day])
    const before = await readdir(place)
    const strict = viewOf(
      windowedView('hourly', { ...options, features, expectRows: { min: 5, action: 'reject' } }),
    )
    await expect(add(place, exported, times, { view: strict })).rejects.toBeInstanceOf(RowCountRefused)
    const folder = localExportFolder(place)
    const rivalled: ExportFolder = {
      ...folder,
      async stage() {
        await files.copy(path.join(place, 'rival.parquet'), 'select 1 as customer_id')
        return await folder.stage()
      },
    }
    await expect(add(place, exported, times, { folder: rivalled })).rejects.toThrow(
      /changed while its rows were compared/,
    )
    await rm(path.join(place, 'rival.parquet'))
    expect((await readdir(place)).filter((name) => name !== '_computed').toSorted()).toEqual(
      before.toSorted(),
    )
  })
})

function viewOf(view: unknown): BatchView {
  const registry = buildRegistry(
    [customer, sales, view].map((value, index) => ({ path: String(index), value })),
  )
  const found = registry.views.at(-1)
  if (found?.kind !== 'BATCH') throw new Error('no batch view')
  return found
}

describe('a folder', () => {
  it('of something else is refused, with what it holds and what to do, and stays as it is', async () => {
    const [place, exported] = [newPlace(), newPlace()]
    const times = [monday + 70 * day]
    world.time.now = monday + 80 * day
    await world.keep(sale(1, monday + 70 * day - minute, { shop: 'a' }))
    await exportSales(exported)
    await begin(place, exported, times)
    const refused = (of: string, view = world.view) => expect(add(of, exported, times, { view })).rejects
    const meaning = windowedView('hourly', {
      ...options,
      features: { ...features, n: count('2h', { hop: '1h' }) },
    })
    await refused(place, viewOf(meaning)).toBeInstanceOf(OtherDefinitions)
    await refused(place, viewOf(windowedView('other', { ...options, features }))).toThrow(
      /holds the snapshots of feature view "hourly"; expected a folder of its own for "other"/,
    )
    await refused(exported).toThrow(/is an export, whose next run removes what it has not written/)
    await writeFile(path.join(place, 'notes.txt'), '')
    await refused(place).toThrow(/holds notes\.txt, which is no Parquet file/)
    await rm(path.join(place, 'notes.txt'))
    await appendFile(path.join(place, '_snapshots.json'), '}')
    await refused(place).toThrow(/_snapshots\.json is not what `featuregraph batch --out` writes/)
    const cases: readonly (readonly [columns: string, said: RegExp])[] = [
      [
        'now() as event_timestamp',
        /created timestamp is read from column "created_timestamp", which is not there/,
      ],
      [
        'now() as event_timestamp, now() as created_timestamp, 1 as row_id, 1.5 as n',
        /feature "n" \(int64\) needs .*; column "n" has DECIMAL.*; name another folder$/,
      ],
      [
        'now() as event_timestamp, now() as created_timestamp, 1 as row_id, 1 as n',
        /the column "total" of a feature \(float64\) is missing/,
      ],
    ]
    for (const [columns, said] of cases) {
      const other = newPlace()
      await mkdir(other)
      await files.copy(path.join(other, 'rows.parquet'), `select 1 as customer_id, 'a' as shop, ${columns}`)
      await refused(other).toThrow(said)
      await expect(access(path.join(other, '_snapshots.json'))).rejects.toThrow('ENOENT')
    }
  })
})
