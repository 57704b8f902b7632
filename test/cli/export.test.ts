import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exportFiles } from '../../src/cli/export.ts'
import { connectDuckDb } from '../../src/stores/duckdb/open-duckdb.ts'
import { type ObjectStore, openObjectStore } from '../../src/stores/s3/object-store.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { duckDbExtension } from '../services/duckdb-extensions.ts'
import { startObjectStore, type TestObjectStore } from '../services/object-store.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'

const httpfs = await duckDbExtension('httpfs')

const definitions = `
  export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
  export const orders = { kind: 'event-source', name: 'orders', eventTimestamp: 'at',
    fields: { customer_id: 'int64', amount: 'float64' } }
  const over = (mode) => ({ kind: 'windowed-view', entity: 'customer', source: 'orders', compute: mode,
    features: { n: { aggregate: 'count', window: '1d' } } })
  export const recent = { ...over({ mode: 'stream' }), name: 'recent', online: false }
  export const daily = { ...over({ mode: 'batch', every: '1d' }), name: 'daily', online: false }
  export const lake_daily = { kind: 'feature-view', name: 'lake_daily', entity: 'customer', online: false, features: { n: 'int64' },
    source: { kind: 'parquet', name: 'snapshots', path: 's3://lake/snapshots', eventTimestamp: 'event_timestamp',
      createdTimestamp: 'created_timestamp', rowId: 'row_id', closing: 'closing' } }`

let folder: string
let work: string
let database: TestDatabase
let server: TestObjectStore
let objects: ObjectStore
let environment: Readonly<Record<string, string>>
let runs = 0

/** What the command writes to standard output, in this process, with the settings. */
async function withSettings(command: () => Promise<unknown>): Promise<string> {
  const [before, write] = [{ ...process.env }, process.stdout.write]
  const written: string[] = []
  Object.assign(process.env, environment)
  process.stdout.write = ((text: string) => {
    written.push(text)
    return true
  }) as typeof process.stdout.write
  try {
    await command()
  } finally {
    process.env = before
    process.stdout.write = write
  }
  return written.join('')
}

/** The command line, from its arguments on. */
async function run(...args: readonly string[]): Promise<string> {
  const { argv } = process
  process.argv = ['node', 'featuregraph', ...args]
  runs += 1
  const program = `${new URL('../../src/cli.ts', import.meta.url).pathname}?export=${runs}`
  return await withSettings(() => import(/* @vite-ignore */ program)).finally(() => {
    process.argv = argv
  })
}

beforeAll(async () => {
  ;[folder, work, database, server] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-export-')),
    mkdtemp(join(tmpdir(), 'featuregraph-export-work-')),
    createTestDatabase(),
    startObjectStore(),
  ])
  objects = openObjectStore(server.access)
  await writeFile(join(folder, 'world.mjs'), definitions)
  await applyFolder({ OFFLINE_URL: database.url, PROJECT: 'default', SCHEMA: folder })
  environment = {
    ...{
      FEATUREGRAPH_OFFLINE_URL: database.url,
      FEATUREGRAPH_SCHEMA: folder,
      FEATUREGRAPH_LOG_LEVEL: 'warn',
      FEATUREGRAPH_FILES: work,
    },
    ...(httpfs === null ? {} : { FEATUREGRAPH_DUCKDB_EXTENSIONS: httpfs }),
    ...server.environment,
  }
})
afterAll(async () => {
  await Promise.all([
    ...[folder, work].map((one) => one && rm(one, { recursive: true, force: true })),
    database?.drop(),
    server?.stop(),
  ])
})

describe('featuregraph export', () => {
  it('writes what was imported from an object store into a folder and into an object store', async () => {
    await objects.write(
      's3://lake/in/a.csv',
      'at,customer_id,amount\n2026-10-01T12:00:00Z,1,2.5\n2026-10-02T12:00:00Z,2,3\n',
    )
    await objects.write('s3://lake/in/b.ndjson', '{"at":"2026-10-02T12:30:00Z","customer_id":1,"amount":7}\n')
    expect(await run('import', 'orders', 's3://lake/in/')).toMatch(
      /^orders: s3:\/\/lake\/in\/a\.csv: 2 rows read, 2 stored, .*\norders: s3:\/\/lake\/in\/b\.ndjson: 1 rows read, 1 stored, /,
    )
    if (httpfs !== null)
      expect(await run('import', 'orders', 's3://lake/in/*.csv')).toBe(
        'orders: s3://lake/in/a.csv: already imported\n',
      )
    const local = join(folder, 'lake')
    expect(await run('export', 'orders', local)).toMatch(
      new RegExp(
        `^orders: 3 rows written; ${local} holds 3 rows of 2 days in 2 files, \\d+ bytes, as of \\d{4}-`,
      ),
    )
    expect((await readdir(local)).toSorted()).toEqual([
      '_SUCCESS',
      '_export.json',
      'day=2026-10-01',
      'day=2026-10-02',
    ])
    await run('batch', 'daily', '--as-of', '2026-10-02T12:30:00Z')
    expect(await run('export', 'daily', 's3://lake/daily')).toMatch(
      /^daily: \d rows written; s3:\/\/lake\/daily holds/,
    )
    expect(await objects.list('s3://lake/daily/')).toContain('s3://lake/daily/_SUCCESS')
    expect(await run('export', 'daily', 's3://lake/daily/')).toMatch(/^daily: 0 rows written/)
    const { runs: listed } = JSON.parse(await run('runs', '--kind', 'export', '--json'))
    expect(listed).toMatchObject([
      { view: 'daily', state: 'SUCCEEDED', rowsWritten: 0 },
      { view: 'daily', state: 'SUCCEEDED' },
      { view: 'orders', state: 'SUCCEEDED', rowsWritten: 3 },
    ])
  })

  it('puts a training set with its card into an object store, and nothing where it fails', async () => {
    const spine = 's3://lake/in/spine/labels.csv'
    await objects.write(spine, 'customer_id,event_timestamp\n1,2026-10-01T12:30:00Z\n')
    const out = 's3://lake/sets/train.parquet'
    const request = ['training-set', '--features', 'recent:n', '--spine', spine, '--out']
    expect(await run(...request, out)).toMatch(/^s3:\/\/lake\/sets\/train\.parquet: 1 rows/)
    expect(await objects.list('s3://lake/sets/')).toEqual([out, `${out}.card.json`])
  })

  // Settings are those of the commands before: the orders are imported, and one snapshot is stored.
  it.skipIf(httpfs === null)(
    'gives batch its events, whose snapshots go into an object store, are added to, taken, and joined to a training set by DuckDB',
    async () => {
      await run('export', 'orders', 's3://lake/orders')
      const over = ['batch', 'daily', '--engine', 'duckdb', '--events', 's3://lake/orders', '--out']
      const [day, range] = [
        ['--as-of', '2026-10-02T00:00:00Z'],
        ['--from', '2026-10-02T00:00:00Z', '--to', '2026-10-03T00:00:00Z'],
      ]
      expect(await run(...over, 's3://lake/snapshots', ...day)).toBe(
        'daily: the snapshot of 2026-10-02T00:00:00.000000Z on duckdb, 1 rows in s3://lake/snapshots\n',
      )
      const added = /^daily: 2 snapshots from .* on duckdb, 3 rows computed, (\d) rows written in .*\n$/
      for (const written of ['2', '0'])
        expect((await run(...over, 's3://lake/snapshots', ...range)).replace(added, '$1')).toBe(written)
      const names = (await objects.list('s3://lake/snapshots/')).map((url) => url.split('/').at(-1) ?? '')
      expect(names.map((name) => /^(?:_.*|[a-z]+)/.exec(name)?.[0])).toEqual([
        ...['_SUCCESS', '_snapshots.json', 'data', 'snapshots'],
      ])
      await run(...over, 's3://lake/once', ...range)
      expect(await run('batch', 'daily', '--from-files', 's3://lake/once')).toMatch(
        /of s3:\/\/lake\/once, 3 rows read, 2 rows written$/m,
      )
      const { connection, close } = await connectDuckDb()
      const [spine, out] = ['labels.parquet', 'train.parquet'].map((name) => join(work, name))
      await connection.run(
        `copy (select * from (values (1::BIGINT, timestamptz '2026-10-02 01:00:00+00'), (2, '2026-10-03 01:00:00+00'), (2, '2026-10-02 01:00:00+00'))
           as s(customer_id, event_timestamp)) to '${spine}' (format parquet)`,
      )
      await run(
        'training-set',
        '--features',
        'lake_daily:n',
        '--spine',
        spine ?? '',
        '--out',
        out ?? '',
        '--engine',
        'duckdb',
      )
      const made = await connection.runAndReadAll(
        `select customer_id, n from '${out}' order by n nulls last, 1`,
      )
      expect(made.getRowsJson()).toEqual([
        ['1', '1'],
        ['2', '1'],
        ['2', null],
      ])
      close()
      const card = JSON.parse(await readFile(`${out}.card.json`, 'utf8'))
      expect(card).toMatchObject({
        engine: 'duckdb',
        files: [{ of: 'lake_daily', path: 's3://lake/snapshots' }],
      })
    },
  )

  it('of a time without events gives batch a source that is empty', async () => {
    const from = ['--from', '2026-01-01T00:00:00Z', '--to', '2026-01-02T00:00:00Z']
    await run('export', 'orders', 's3://lake/none', ...from)
    const over = [
      'batch',
      'daily',
      '--engine',
      'duckdb',
      '--events',
      's3://lake/none',
      '--out',
      's3://lake/empty',
    ]
    expect(await run(...over, '--as-of', '2026-01-02T00:00:00Z')).toBe(
      'daily: the snapshot of 2026-01-02T00:00:00.000000Z on duckdb, 0 rows in s3://lake/empty\n',
    )
    expect(await objects.list('s3://lake/empty/')).toEqual([
      ...['s3://lake/empty/_SUCCESS', 's3://lake/empty/_snapshots.json'],
    ])
  })

  it('says what is wrong with its arguments', async () => {
    const path = join(folder, 'none')
    const refused = (name: string, to: string, options = {}) =>
      expect(withSettings(() => exportFiles(name, to, options))).rejects
    await refused('order', path).toThrow('there is no event source or feature view "order"')
    await refused('recent', path).toThrow('`featuregraph export orders <folder>`')
    const from = '2026-10-02T00:00:00Z'
    await refused('orders', path, { from, to: from }).toThrow('is not before --to')
    await refused('orders', 's3://other/x').toThrow('there is no such bucket')
  })
})
