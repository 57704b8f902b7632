import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expandPattern } from '../../../src/stores/duckdb/duckdb-files.ts'
import { connectDuckDb } from '../../../src/stores/duckdb/open-duckdb.ts'
import { parquetFiles } from '../../../src/stores/duckdb/parquet-file.ts'
import { duckDbPartFiles } from '../../../src/stores/duckdb/part-files.ts'
import type { FileStore } from '../../../src/stores/file-reader.ts'
import { csvFiles } from '../../../src/stores/files/csv-file.ts'
import { localFiles } from '../../../src/stores/files/local-files.ts'
import type { LakeAccess } from '../../../src/stores/lake-access.ts'
import { objectExportFolder } from '../../../src/stores/s3/export-folder.ts'
import { withObjects } from '../../../src/stores/s3/object-files.ts'
import { type ObjectStore, openObjectStore } from '../../../src/stores/s3/object-store.ts'
import { duckDbExtension } from '../../services/duckdb-extensions.ts'
import { startObjectStore, type TestObjectStore } from '../../services/object-store.ts'

const extensionsFolder = await duckDbExtension('httpfs')

let server: TestObjectStore
let objects: ObjectStore
let folder: string
let lake: LakeAccess
let files: FileStore & { readonly close: () => Promise<void> }
beforeAll(async () => {
  ;[server, folder] = await Promise.all([
    startObjectStore(),
    mkdtemp(join(tmpdir(), 'featuregraph-objects-')),
  ])
  objects = openObjectStore(server.access)
  lake = { extensionsFolder, s3: server.access }
  const local = localFiles({
    readers: { parquet: parquetFiles, csv: csvFiles, ndjson: csvFiles, json: csvFiles, arrow: csvFiles },
    expand: expandPattern,
  })
  files = withObjects({
    local,
    objects: async () => objects,
    expand: (pattern) => expandPattern(pattern, lake),
  })
})
afterAll(async () => {
  await files?.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

async function valuesOf(path: string, format: 'parquet' | 'csv'): Promise<readonly unknown[]> {
  const opened = await files.open(path, format)
  const values: unknown[] = []
  for await (const batch of opened.read([{ column: 'n', type: null }]))
    values.push(...(batch.columns[0] ?? []))
  await opened.close()
  return values
}

describe('files in an object store', () => {
  it('are read as those of this machine, by the bytes that their digest was made of', async () => {
    await objects.write('s3://lake/in/one.csv', 'n\n1\n2\n')
    const digest = await files.digest('s3://lake/in/one.csv')
    await writeFile(join(folder, 'one.csv'), 'n\n1\n2\n')
    expect(digest).toBe(await files.digest(join(folder, 'one.csv')))
    await objects.write('s3://lake/in/one.csv', 'n\n3\n')
    expect(await valuesOf('s3://lake/in/one.csv', 'csv')).toEqual(['1', '2'])
    await files.digest('s3://lake/in/one.csv')
    expect(await valuesOf('s3://lake/in/one.csv', 'csv')).toEqual(['3'])
  })

  it('are refused by their own name where they are gone, or are no files of the format', async () => {
    await expect(files.digest('s3://lake/in/none.csv')).rejects.toThrow('s3://lake/in/none.csv is not there')
    await objects.write('s3://lake/in/no.parquet', 'n\n1\n')
    await expect(files.open('s3://lake/in/no.parquet', 'parquet')).rejects.toThrow(
      's3://lake/in/no.parquet cannot be read as Parquet',
    )
  })

  it('of a folder are found without those that are not of the data', async () => {
    for (const name of ['a.csv', 'deep/b.csv', '_SUCCESS', '.part.csv'])
      await objects.write(`s3://lake/some/${name}`, 'n\n')
    expect(await files.find('s3://lake/some/')).toEqual({
      kind: 'FOLDER',
      files: ['s3://lake/some/a.csv', 's3://lake/some/deep/b.csv'],
    })
    await expect(files.find('s3://lake/nowhere/')).rejects.toThrow('no object matches "s3://lake/nowhere/"')
  })
})

describe("an export's folder in an object store", () => {
  it('takes whole files, lists and reads them by their names', async () => {
    const opened = objectExportFolder(objects, 's3://lake/out/')
    expect(await opened.list()).toEqual([])
    const staged = join(await opened.stage(), 'part')
    await writeFile(staged, 'rows')
    await opened.publish(staged, 'day=2026-11-20/part-1.parquet')
    await opened.write('_export.json', '{}')
    expect(await opened.list()).toEqual(['_export.json', 'day=2026-11-20/part-1.parquet'])
    expect([await opened.read('_export.json'), await opened.read('_SUCCESS')]).toEqual(['{}', null])
    await opened.remove(['day=2026-11-20/part-1.parquet'])
    expect(await opened.list()).toEqual(['_export.json'])
    await opened.close()
  })
})

describe('DuckDB without an extension', () => {
  it('says which file is expected where, and how it is had', async () => {
    const paths = ['s3://lake/x.parquet']
    await expect(connectDuckDb({ paths, lake: { ...lake, extensionsFolder: null } })).rejects.toThrow(
      /^s3:\/\/lake\/x\.parquet needs DuckDB's extension httpfs: set FEATUREGRAPH_DUCKDB_EXTENSIONS to a folder with httpfs\.duckdb_extension of DuckDB \d+\.\d+\.\d+; take it from `pip download/,
    )
    await expect(connectDuckDb({ paths, lake: { ...lake, extensionsFolder: folder } })).rejects.toThrow(
      `has none: expected ${folder}/httpfs.duckdb_extension of DuckDB`,
    )
    await writeFile(join(folder, 'delta.duckdb_extension'), 'no extension')
    await expect(
      connectDuckDb({ paths: ['/table'], isDelta: true, lake: { ...lake, extensionsFolder: folder } }),
    ).rejects.toThrow('delta.duckdb_extension cannot be loaded into DuckDB')
  })
})

describe.skipIf(extensionsFolder === null)('DuckDB with httpfs', () => {
  it('reads and writes Parquet of an object store, with its times in UTC, and shows no credential', async () => {
    const url = 's3://lake/duck/day=2026-11-20/rows.parquet'
    const { connection, close } = await connectDuckDb({ lake, paths: [url] })
    try {
      await connection.run(
        `copy (select range as n, '2026-11-20T12:00:00Z'::TIMESTAMPTZ as happened from range(3)) to '${url}'`,
      )
      const read = await connection.runAndReadAll(
        `select n, happened::VARCHAR, day::VARCHAR from read_parquet('s3://lake/duck/*/*.parquet', hive_partitioning = true) where day = '2026-11-20' order by n limit 1`,
      )
      expect(read.getRows()).toEqual([[0n, '2026-11-20 12:00:00+00', '2026-11-20']])
      const secrets = await connection.runAndReadAll('select secret_string from duckdb_secrets()')
      expect(String(secrets.getRows())).not.toContain('secret=S3RVER')
    } finally {
      close()
    }
    const credentials = { accessKeyId: 'not-the-key', secretAccessKey: 'not-the-secret', sessionToken: null }
    const other = { ...lake, s3: { ...lake.s3, credentials } }
    const reason = await expandPattern('s3://lake/duck/*/*.parquet', other).catch(String)
    expect(reason).toContain('the pattern "s3://lake/duck/*/*.parquet" cannot be read: ')
    expect(reason).toContain('403')
    expect(reason).not.toContain('not-the')
    expect(await files.find('s3://lake/duck/*/*.parquet')).toEqual({ kind: 'FILES', files: [url] })
    expect(await valuesOf(url, 'parquet')).toEqual(['0', '1', '2'])
    const some = (meant: number) => duckDbPartFiles(lake).someKey(url, ['n'], ([n]) => Number(n) === meant)
    expect([await some(2), await some(7)]).toEqual([true, false])
  })
})
