import { access, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import {
  batch,
  count,
  countDistinct,
  entity,
  eventSource,
  last,
  max,
  mean,
  stddev,
  sum,
  windowedView,
} from 'featuregraph'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import { BadUserInput, Cancelled, EngineFailed } from '../../../src/errors.ts'
import { givenEvents } from '../../../src/gateway/given-events.ts'
import { exportSubject } from '../../../src/ingest/export/export-subject.ts'
import {
  type ComputedByEngine,
  computeByEngine,
  type EngineOptions,
  type EngineTargets,
} from '../../../src/ingest/snapshots/compute-by-engine.ts'
import type { EngineEvents } from '../../../src/ingest/snapshots/engine-events.ts'
import type { BatchScope } from '../../../src/ingest/snapshots/plan-run.ts'
import { duckDbEngine } from '../../../src/stores/duckdb/duckdb-engine.ts'
import { connectDuckDb } from '../../../src/stores/duckdb/open-duckdb.ts'
import { duckDbPartFiles } from '../../../src/stores/duckdb/part-files.ts'
import { duckDbSnapshotFiles } from '../../../src/stores/duckdb/snapshot-files.ts'
import { localExportFolder } from '../../../src/stores/files/local-folder.ts'
import { resultFolders } from '../../../src/stores/files/result-folders.ts'
import type { JobEngine } from '../../../src/stores/job-engine.ts'
import { postgresDeletionStore } from '../../../src/stores/postgres/deletion/deletion-store.ts'
import { postgresLaterChanges } from '../../../src/stores/postgres/deletion/later-changes.ts'
import { postgresRowsToExport } from '../../../src/stores/postgres/export/rows-to-export.ts'
import { eventTable } from '../../../src/stores/postgres/tables/event-table.ts'
import type { TestEvent } from '../../oracle/store-events.ts'
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

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const sales = eventSource('sales', {
  eventTimestamp: 'at',
  fields: { customer_id: 'int64', shop: 'string', amount: 'float64', items: 'int64', paid: 'bool' },
})
const hourly = windowedView('hourly', {
  ...{ entity: customer, source: sales, compute: batch({ every: '1h' }) },
  features: {
    n: count('3h', { hop: '1h' }),
    n_short: count('10m'),
    unpaid: count('3h', { hop: '1h', where: { paid: false } }),
    total: sum('amount', '90m', { hop: '30m' }),
    items: sum('items', '3h', { hop: '1h' }),
    average: mean('amount', '3h', { hop: '1h' }),
    most: max('items', '2h', { hop: '1h' }),
    deviation: stddev('amount', '3h', { hop: '1h' }),
    shops: countDistinct('shop', '3h', { hop: '1h' }),
    last_shop: last('shop', '2h', { hop: '1h' }),
  },
})
const daily = windowedView('daily', {
  ...{ entity: customer, source: sales, compute: batch({ every: '1d' }) },
  features: { n: count('3d', { hop: '1d' }), total: sum('amount', '3d', { hop: '1d' }) },
})

const lake = { extensionsFolder: null, s3: { credentials: null, region: 'us-east-1', endpoint: null } }
const files = duckDbSnapshotFiles({ memoryLimit: '256MB', lake })

const engine = duckDbEngine({ memoryLimit: '256MB', lake })

let bench: BatchBench
let folder: string
beforeAll(async () => {
  ;[bench, folder] = await Promise.all([
    openBatchBench(),
    mkdtemp(path.join(tmpdir(), 'featuregraph-engine-')),
  ])
})
afterAll(async () => {
  await Promise.all([bench?.close(), rm(folder, { recursive: true, force: true })])
})

let world: BatchWorld
let exported: string
let exports = 0

async function exportSales(place: string, from?: Micros, to?: Micros): Promise<string | null> {
  const { runs, clock } = world.targets
  const countNonFinite = (): void => {}
  const { parts } = await exportSubject(
    {
      ...{ runs, clock, openFolder: localExportFolder, partFiles: duckDbPartFiles(lake) },
      changes: postgresLaterChanges(bench.pool, 'default'),
      rowsToExport: postgresRowsToExport(bench.pool, { project: 'default', countNonFinite }),
    },
    {
      ...{
        project: 'default',
        subject: { kind: 'EVENTS', source: world.source },
        definition: null,
        path: place,
      },
      ...{ from, to, rebuild: false, onWait: () => {}, onProgress: () => {} },
    },
  )
  return parts.length === 0 ? null : place
}

async function compute(
  scope: BatchScope,
  { targets = {}, options = {} }: { targets?: Partial<EngineTargets>; options?: Partial<EngineOptions> } = {},
): Promise<ComputedByEngine> {
  const results = resultFolders(path.join(folder, 'results'))
  const events: EngineEvents = { kind: 'STORED', export: () => exportSales(exported) }
  return await computeByEngine(
    {
      ...{ ...world.targets, files, engine, events },
      results: { fresh: (view) => results.fresh(view.id), remove: results.remove },
      ...targets,
    },
    world.view,
    scope,
    {
      ...{
        createdAfterMicros: null,
        onWait: () => {},
        onProgress: () => {},
        onStep: () => {},
        onLog: () => {},
      },
      signal: new AbortController().signal,
      ...options,
    },
  )
}

async function openWorld(view: unknown): Promise<void> {
  await bench.pool.query(
    'truncate featuregraph.runs, featuregraph.deletions, featuregraph.deleted_kinds, featuregraph.violations',
  )
  world = await bench.makeWorld(customer, sales, view)
  exports += 1
  exported = path.join(folder, `sales-${exports}`)
}

const at = (...days: readonly number[]): BatchScope => ({
  kind: 'TIMES',
  times: days.map((one) => monday + one * day),
})
const stale: BatchScope = { kind: 'STALE', since: null }

describe('snapshots on an engine', () => {
  const value = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 4 })
  const event = fc
    .record({
      customer_id: fc.integer({ min: 1, max: 3 }),
      shop: value(fc.constantFrom('a', 'b', '😀', '\uffee')),
      amount: value(fc.integer({ min: -500, max: 500 }).map((cents) => cents / 100)),
      items: value(fc.integer({ min: -5, max: 9 })),
      paid: value(fc.boolean()),
    })
    .chain((fields) =>
      fc
        .oneof(
          fc.integer({ min: 0, max: 48 }).map((halves) => halves * 30 * minute),
          fc.integer({ min: 0, max: day }),
        )
        .map((offset): TestEvent => ({ at: monday + offset, fields })),
    )

  it('are those of Postgres: neither finds anything to add to the other, also once events came late', async () => {
    await openWorld(hourly)
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 40 }),
        fc.array(event, { maxLength: 10 }),
        fc.uniqueArray(fc.integer({ min: 1, max: 28 }), { minLength: 1, maxLength: 12 }),
        async (events, late, hours) => {
          await bench.pool.query(
            `truncate featuregraph.snapshots, featuregraph.event_arrivals, features.hourly, ${eventTable('default', world.source)}`,
          )
          exports += 1
          exported = path.join(folder, `sales-${exports}`)
          const scope = { kind: 'TIMES', times: hours.map((number) => monday + number * hour) } as const
          await world.keep(...events)
          await compute(scope)
          expect(await world.compute(scope)).toMatchObject({ written: 0 })
          await world.keep(...late)
          await compute(stale)
          expect(await world.compute(scope)).toMatchObject({ written: 0 })
          expect(await compute(scope)).toMatchObject({ written: 0 })
          expect(await world.compute(stale)).toMatchObject({ times: [] })
        },
      ),
      { numRuns: 4 },
    )
  })

  it('close keys, keep pushed rows and leave out who was deleted, as those of Postgres do', async () => {
    await openWorld(daily)
    const start = [1, 2, 3].map((id) => sale(id, monday + hour, { amount: id }))
    await world.keep(...start, sale(2, monday + 5 * day + hour, { amount: 9 }))
    const pushed = {
      key: [3],
      eventTimestamp: monday + day,
      createdTimestamp: world.time.now,
      values: [7, 7],
    }
    await bench.offline.insertRows(world.view, [pushed])
    const deleted = { entity: world.view.entity, key: [1], views: [world.view], sources: [world.source] }
    const deletions = postgresDeletionStore(bench.pool, 'default')
    await deletions.record(deleted, monday + 2 * day)
    await deletions.erase(deleted, monday + 2 * day)
    expect(await compute(at(1, 2, 3, 4, 5, 6))).toMatchObject({ deleted: 0 })
    expect(await world.compute(at(1, 2, 3, 4, 5, 6))).toMatchObject({ written: 0 })
    const answers = await Promise.all(
      [1, 2, 3].map(async (id) =>
        Promise.all([1, 4, 6].map(async (days) => (await world.asOf([id], monday + days * day))?.values)),
      ),
    )
    expect(answers).toEqual([
      [undefined, undefined, undefined],
      [
        [1, 2],
        [0, 0],
        [1, 9],
      ],
      [
        [7, 7],
        [0, 0],
        [0, 0],
      ],
    ])
    expect(await compute(at(1), { options: { replacePushed: { key: null } } })).toMatchObject({ written: 1 })
    expect((await world.asOf([3], monday + day))?.values).toEqual([1, 3])
  })

  it('are stale where events were stored while they were computed', async () => {
    await openWorld(daily)
    await world.keep(sale(1, monday + hour, { amount: 2 }))
    const slow: JobEngine = {
      ...engine,
      run: async (...job) => {
        await world.keep(sale(1, monday + 2 * hour, { amount: 5 }))
        return await engine.run(...job)
      },
    }
    await compute(at(1), { targets: { engine: slow } })
    expect((await world.asOf([1], monday + day))?.values).toEqual([1, 2])
    expect(await compute(stale)).toMatchObject({ times: [monday + day], written: 1 })
    expect(await compute(stale)).toMatchObject({ times: [] })
  })

  it('close every key where the windows hold no event any more, also when the engine has no row', async () => {
    await openWorld(daily)
    await world.keep(sale(1, monday + hour, { amount: 2 }))
    await compute(at(1))
    expect(await compute(at(9))).toMatchObject({ read: 0, written: 1 })
    expect(await world.asOf([1], monday + 9 * day)).toMatchObject({ closing: true })
  })
})

describe('a run on an engine', () => {
  const states = async () => {
    const filter = { kind: 'BATCH', view: null, since: null, first: 9, after: null } as const
    return (await world.targets.runs.runs(filter)).map(({ state, error }) => [state, error])
  }
  const left = async () => (await readdir(path.join(folder, 'results', 'daily')).catch(() => [])).length

  beforeEach(async () => {
    await openWorld(daily)
    await world.keep(sale(1, monday + hour, { amount: 2 }))
  })

  it('that fails leaves nothing, and is recorded with what the engine said last', async () => {
    const failing: JobEngine = {
      ...engine,
      run: async ({ output }) => {
        await mkdir(output)
        await writeFile(path.join(output, 'part.parquet'), 'half')
        throw new EngineFailed('spark-submit ended with 1: OutOfMemoryError')
      },
    }
    await expect(compute(at(1), { targets: { engine: failing } })).rejects.toThrow('OutOfMemoryError')
    expect(await states()).toEqual([['FAILED', 'spark-submit ended with 1: OutOfMemoryError']])
    expect(await left()).toBe(0)
    await expect(world.asOf([1], monday + day)).rejects.toThrow('NEVER_FILLED')
    expect(await compute(at(1))).toMatchObject({ written: 1 })
  })

  it('that ends without _SUCCESS is refused', async () => {
    const early: JobEngine = {
      ...engine,
      run: async ({ output }) => {
        await mkdir(output)
        return { rows: null }
      },
    }
    await expect(compute(at(1), { targets: { engine: early } })).rejects.toThrow(/has no _SUCCESS/)
  })

  it('that is cancelled ends as CANCELLED, with the engine', async () => {
    const cancel = new AbortController()
    const waiting: JobEngine = {
      ...engine,
      run: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
          cancel.abort(new Cancelled('cancelled by SIGTERM'))
        }),
    }
    const running = compute(at(1), { targets: { engine: waiting }, options: { signal: cancel.signal } })
    await expect(running).rejects.toBeInstanceOf(Cancelled)
    expect(await states()).toEqual([['CANCELLED', 'cancelled by SIGTERM']])
    expect(await left()).toBe(0)
  })

  it('removes what a run that was killed has left', async () => {
    const killed = path.join(folder, 'results', 'daily', 'of-a-killed-run')
    await mkdir(killed, { recursive: true })
    await writeFile(path.join(killed, 'part.parquet'), 'half')
    await compute(at(1))
    await expect(access(killed)).rejects.toThrow('ENOENT')
    expect(await left()).toBe(0)
  })
})

describe('events of a folder', () => {
  const given = (place: string) => givenEvents(place, world.view, lake)
  const plain = async (select: string): Promise<string> => {
    exports += 1
    const place = path.join(folder, `plain-${exports}`)
    await mkdir(place)
    const { connection, close } = await connectDuckDb()
    await connection.run(`copy (${select}) to '${place}/events.parquet' (format parquet)`)
    close()
    return place
  }

  beforeEach(async () => {
    await openWorld(daily)
    await world.keep(sale(1, monday + hour, { amount: 2 }), sale(2, monday + 30 * hour, { amount: 5 }))
  })

  it('that featuregraph exported are computed over as stored ones, and what was stored since is stale', async () => {
    await exportSales(exported)
    await world.keep(sale(1, monday + 2 * hour, { amount: 9 }))
    const events = await given(exported)
    expect(await compute(at(1), { targets: { events } })).toMatchObject({ written: 1 })
    expect((await world.asOf([1], monday + day))?.values).toEqual([1, 2])
    expect(await world.compute(stale)).toMatchObject({ times: [monday + day], written: 1 })
  })

  it('that featuregraph exported without any are none: every key closes', async () => {
    await world.at(monday + 2 * day)
    await exportSales(exported, monday - 20 * day, monday - 10 * day)
    const none = { ...(await given(exported)), from: null, to: null }
    expect(none).toMatchObject({ isEmpty: true })
    expect(await compute(at(2), { targets: { events: none } })).toMatchObject({ read: 0, written: 2 })
  })

  it('of any Parquet count at their timestamps', async () => {
    const place = await plain(
      `select 7::BIGINT as customer_id, make_timestamptz(${monday + hour}) as event_timestamp, 2.5::FLOAT as amount, 'x' as other`,
    )
    expect(await compute(at(1), { targets: { events: await given(place) } })).toMatchObject({ written: 1 })
    expect((await world.asOf([7], monday + day))?.values).toEqual([1, 2.5])
    expect(await world.asOf([1], monday + day)).toBeNull()
  })

  it('are refused where they say of themselves that they are others, lack some or are not whole', async () => {
    await exportSales(exported, monday + day)
    const late = await given(exported)
    await expect(compute(at(2), { targets: { events: late } })).rejects.toThrow(
      /need events from 2026-11-15T00:00:00.000000Z to 2026-11-18T.*was exported from 2026-11-17T00:00:00.000000Z$/,
    )
    await rm(path.join(exported, '_SUCCESS'))
    await expect(given(exported)).rejects.toThrow(
      /has no _SUCCESS: an export is under way there, or has not ended/,
    )
    const cases: readonly (readonly [select: string, said: RegExp])[] = [
      ['select 1 as customer_id, now() as event_timestamp', /column "amount" is missing; expected float64/],
      [
        'select 1 as customer_id, 1.0 as amount, localtimestamp as event_timestamp',
        /"event_timestamp" is TIMESTAMP, which is no instant/,
      ],
      [
        'select true as customer_id, 1.0 as amount, now() as event_timestamp',
        /"customer_id" is BOOLEAN, which cannot become int64/,
      ],
      [
        'select 1 as customer_id, 1.0 as amount, now() as event_timestamp, now() as _counted_at',
        /has only _counted_at; expected all of them/,
      ],
    ]
    for (const [select, said] of cases) await expect(given(await plain(select))).rejects.toThrow(said)
    const nothing = await mkdtemp(path.join(folder, 'nothing-'))
    await expect(given(nothing)).rejects.toThrow(/has no Parquet file/)
    await expect(given(nothing)).rejects.toBeInstanceOf(BadUserInput)
  })
})
