import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parquetSource } from '../../../src/definitions/parquet-source.ts'
import type { FeatureRow } from '../../../src/definitions/value.ts'
import { duckDbParquetRows } from '../../../src/stores/duckdb/lake/parquet-rows.ts'
import { duckDbPartFiles } from '../../../src/stores/duckdb/part-files.ts'
import type { LakeAccess } from '../../../src/stores/lake-access.ts'
import type { ParquetOfflineView } from '../../../src/stores/offline-view.ts'
import type { ParquetRows } from '../../../src/stores/parquet-rows.ts'
import { objectExportFolder } from '../../../src/stores/s3/export-folder.ts'
import { type ObjectStore, openObjectStore } from '../../../src/stores/s3/object-store.ts'
import { asOfJoin, at, offlineView } from '../../contract/offline-store.ts'
import { newDeltaTable } from '../../services/delta-table.ts'
import { duckDbExtension } from '../../services/duckdb-extensions.ts'
import { startObjectStore, type TestObjectStore } from '../../services/object-store.ts'
import { type ExportWorld, exportWorld } from './export-world.ts'

const noon = at('2026-11-20T12:00:00Z')
const hour = 3_600_000_000
const httpfs = await duckDbExtension('httpfs')
const delta = await duckDbExtension('delta')

const joinKeys = { id: 'int64', shop: 'string' } as const
const view = offlineView('sales', joinKeys, { n: 'int64', rate: 'float32', tags: 'string[]' })

let world: ExportWorld
let server: TestObjectStore
let objects: ObjectStore
beforeAll(async () => {
  ;[world, server] = await Promise.all([exportWorld(), startObjectStore()])
  objects = openObjectStore(server.access)
  await world.offline.ensureTables([view], [])
  await world.offline.insertRows(view, manyRows())
})
afterAll(async () => {
  await Promise.all([world?.close(), server?.stop()])
})

/** Ties of all kinds, over five days. */
function manyRows(): readonly FeatureRow[] {
  return Array.from({ length: 240 }, (_, index) => ({
    key: [index % 4, ['a', `it's`][index % 2] ?? ''],
    eventTimestamp: noon + (index % 11) * 11 * hour,
    createdTimestamp: index % 3 === 0 ? null : noon + (index % 7) * 24 * hour,
    values: [index, index / 10, index % 5 === 0 ? null : [`t${index}`]],
  }))
}

function filesOf(path: string, more: Partial<ParquetOfflineView['source']> = {}): ParquetOfflineView {
  const times = { eventTimestamp: 'event_timestamp', createdTimestamp: 'created_timestamp', rowId: 'row_id' }
  const source = {
    ...parquetSource('sales', { path, ...times, closing: 'closing' }),
    ...{ kind: 'parquet' as const, format: 'parquet' as const, columns: {}, empty: {} },
    ...{ partitions: { day: 'day' as const }, ...more },
  }
  return { ...view, kind: 'PLAIN', source } as ParquetOfflineView
}

function rowsOf(lake: LakeAccess): ParquetRows {
  return duckDbParquetRows({
    memoryLimit: '512MB',
    lake,
    database: {
      deletedRows: async (_view, rows) => rows.map(() => false),
      now: async () => Number.MAX_SAFE_INTEGER,
    },
    timeoutMs: 60_000,
    countNonFinite: () => {},
  })
}

/** What both stores answer for keys, times and moments around the rows. */
async function answers(store: Parameters<typeof asOfJoin>[0], of: typeof view): Promise<unknown> {
  const rows = [0, 1, 2, 3, 9].flatMap((id) =>
    ['a', `it's`].flatMap((shop) =>
      [-1, 0, 22, 50, 300].flatMap((hours) =>
        [null, noon - hour, noon + 50 * hour].map((knownAt) => ({
          ...{ key: [id, shop], asOf: noon + hours * hour, knownAt },
        })),
      ),
    ),
  )
  return await asOfJoin(store, { views: [of], rows })
}

describe('a view that was moved to files by an export', () => {
  it('answers on both clocks what it answered before, from a folder', async () => {
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'ROWS', view })
    const files = rowsOf({ extensionsFolder: null, s3: server.access })
    try {
      expect(await answers(files, filesOf(path))).toEqual(await answers(world.offline, view))
    } finally {
      await files.close()
    }
  })

  it.skipIf(httpfs === null)('does so from an object store, after a deletion too', async () => {
    const lake = { extensionsFolder: httpfs, s3: server.access }
    const others = {
      partFiles: duckDbPartFiles(lake),
      openFolder: (path: string) => objectExportFolder(objects, path),
    }
    const path = 's3://lake/sales'
    const files = rowsOf(lake)
    try {
      await world.exportTo(path, { kind: 'ROWS', view }, {}, others)
      expect(await answers(files, filesOf(path))).toEqual(await answers(world.offline, view))
      await world.erase({ id: 'int64' }, [2], { views: [{ ...view, online: false }] })
      await world.exportTo(path, { kind: 'ROWS', view }, {}, others)
      expect(await answers(files, filesOf(path))).toEqual(await answers(world.offline, view))
      const names = await objects.list('s3://lake/sales/')
      expect(names).toContain('s3://lake/sales/_SUCCESS')
    } finally {
      await files.close()
    }
  })
})

describe.skipIf(delta === null || httpfs === null)('a Delta table', () => {
  it('is read as its log says, from a folder and from an object store', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'featuregraph-delta-'))
    const extensions = join(folder, 'extensions')
    const table = join(folder, 'table')
    await makeDelta(table)
    for (const file of [
      'a.parquet',
      'b.parquet',
      'gone.parquet',
      '_delta_log/00000000000000000000.json',
      '_delta_log/00000000000000000001.json',
    ])
      await objects.put(join(table, file), `s3://lake/delta/${file}`)
    await mkdir(extensions)
    const both = { httpfs, delta }
    for (const [name, found] of Object.entries(both)) {
      const file = `${name}.duckdb_extension`
      await writeFile(join(extensions, file), await readFile(join(found ?? '', 'v1.5.5', file)))
    }
    const files = rowsOf({ extensionsFolder: extensions, s3: server.access })
    try {
      for (const path of [table, 's3://lake/delta']) {
        const of = filesOf(path, { format: 'delta', partitions: {} })
        const [found] = await asOfJoin(files, {
          views: [of],
          rows: [{ key: [1, 'a'], asOf: noon + 9 * hour, knownAt: null }],
        })
        expect(found).toMatchObject([{ eventTimestamp: noon + hour, values: [2, 0.5, ['b']] }])
      }
    } finally {
      await files.close()
      await rm(folder, { recursive: true, force: true })
    }
  })
})

/** Two files of the table, and one that its second version has removed. */
async function makeDelta(folder: string): Promise<void> {
  const table = await newDeltaTable(folder, [
    ...[
      { name: 'id', type: 'long' },
      { name: 'shop', type: 'string' },
      { name: 'n', type: 'long' },
    ],
    { name: 'rate', type: 'float' },
    { name: 'tags', type: { type: 'array', elementType: 'string', containsNull: true } },
    ...[
      { name: 'event_timestamp', type: 'timestamp' },
      { name: 'created_timestamp', type: 'timestamp' },
    ],
    ...[
      { name: 'row_id', type: 'long' },
      { name: 'closing', type: 'boolean' },
    ],
  ])
  const row = (n: number, hours: number): string =>
    `select 1::BIGINT as id, 'a' as shop, ${n}::BIGINT as n, 0.5::FLOAT as rate, [chr(96 + ${n})] as tags,
       make_timestamptz(${noon + hours * hour}) as event_timestamp, null::TIMESTAMPTZ as created_timestamp, ${n}::BIGINT as row_id,
       false as closing`
  await table.commit({ 'a.parquet': row(1, 0), 'b.parquet': row(2, 1), 'gone.parquet': row(3, 2) })
  await table.commit({}, ['gone.parquet'])
}
