import { mkdtemp, rm, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parquetSource } from '../../../../src/definitions/parquet-source.ts'
import { BadUserInput, FilesChanged } from '../../../../src/errors.ts'
import { openFileSnapshot } from '../../../../src/stores/duckdb/joins/file-snapshot.ts'
import type { ParquetOfflineView } from '../../../../src/stores/offline-view.ts'
import type { ReadFiles } from '../../../../src/stores/read-files.ts'
import { at, offlineView } from '../../../contract/offline-store.ts'
import { type DeltaTable, newDeltaTable } from '../../../services/delta-table.ts'
import { duckDbExtension } from '../../../services/duckdb-extensions.ts'

const delta = await duckDbExtension('delta')
const t = at('2026-11-20T12:00:00Z')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-delta-files-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const newTable = (place: string): Promise<DeltaTable> =>
  newDeltaTable(place, [
    { name: 'id', type: 'long' },
    { name: 'n', type: 'long' },
    { name: 'event_timestamp', type: 'timestamp' },
  ])
const row = (n: number, seconds: number): string =>
  `select 1::BIGINT as id, ${n}::BIGINT as n, make_timestamptz(${t + seconds * 1_000_000}) as event_timestamp`

function viewOf(place: string): ParquetOfflineView {
  const source = {
    ...parquetSource('table', { path: place, eventTimestamp: 'event_timestamp' }),
    ...{ kind: 'parquet' as const, format: 'delta' as const, columns: {}, partitions: {}, empty: {} },
  }
  return {
    ...offlineView('table', { id: 'int64' }, { n: 'int64' }),
    kind: 'PLAIN',
    source,
  } as ParquetOfflineView
}

/** What is answered a minute later, and of which files; of those of an earlier training set where they are given. */
async function read(place: string, earlier: readonly ReadFiles[] = []) {
  const snapshot = await openFileSnapshot(earlier, {
    ...{ memoryLimit: '256MB', threads: 1, deletions: async () => null, countNonFinite: () => {} },
    lake: { extensionsFolder: delta, s3: { credentials: null, region: 'us-east-1', endpoint: null } },
  })
  try {
    const { columns } = await snapshot.asOfColumns(viewOf(place), {
      ...{ length: 1, keys: [[1]], asOf: Float64Array.of(t + 60_000_000), knownAt: () => null },
    })
    return { n: columns[0]?.at(0), files: snapshot.files() }
  } finally {
    await snapshot.close()
  }
}

describe.skipIf(delta === null)('the files of a Delta table in a training set', () => {
  it('are those of one version, which is read again whatever has been committed since', async () => {
    const place = path.join(folder, "it's one")
    const table = await newTable(place)
    await table.commit({ 'a.parquet': row(1, 0), 'b.parquet': row(2, 1), 'gone.parquet': row(9, 9) })
    await table.commit({}, ['gone.parquet'])
    const made = await read(place)
    expect(made).toMatchObject({ n: 2, files: [{ of: 'table', path: place, version: 1 }] })
    expect(made.files[0]?.files.map((file) => path.basename(file.path))).toEqual(['a.parquet', 'b.parquet'])
    expect(made.files[0]?.files.every(({ bytes, checksum }) => bytes > 0 && checksum.length === 64)).toBe(
      true,
    )
    await table.commit({ 'd.parquet': row(4, 4) }, ['b.parquet'])
    expect(await read(place)).toMatchObject({ n: 4, files: [{ version: 2 }] })
    expect(await read(place, made.files)).toEqual(made)
  })

  it('are refused where one was written again, is gone, or the table was created again', async () => {
    const place = path.join(folder, 'changed')
    const table = await newTable(place)
    await table.commit({ 'a.parquet': row(1, 0), 'b.parquet': row(2, 1) })
    const { files } = await read(place)
    await (await newTable(path.join(folder, 'other'))).commit({ '../changed/b.parquet': row(7, 1) })
    await expect(read(place, files)).rejects.toThrow(FilesChanged)
    await unlink(path.join(place, 'b.parquet'))
    await expect(read(place, files)).rejects.toThrow(/b\.parquet is not there any more/)
    await rm(place, { recursive: true })
    await expect(read(place, files)).rejects.toThrow(FilesChanged)
    await (await newTable(place)).commit({ 'a.parquet': row(1, 0) })
    await expect(read(place, files)).rejects.toThrow(/b\.parquet is not of version 0 of .* any more/)
    await expect(read(folder)).rejects.toThrow(BadUserInput)
  })
})
