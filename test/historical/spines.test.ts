import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkSpine, openSpine } from '../../src/cli/spine-source.ts'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import { BadUserInput } from '../../src/errors.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { readLimit, usualReadLimit } from '../../src/historical/plan/read-limit.ts'
import { type MadeTrainingSet, makeTrainingSet } from '../../src/historical/training/make-training-set.ts'
import { selectedFeatures } from '../../src/historical/training/selected-features.ts'
import { formatOf } from '../../src/ingest/files/file-format.ts'
import { duckDbTrainingFiles } from '../../src/stores/duckdb/training-file.ts'
import { writeArrow } from '../../src/stores/duckdb/write-arrow.ts'
import { postgresAsOfSnapshots } from '../../src/stores/postgres/features/as-of-snapshot.ts'
import type { TrainingFormat } from '../../src/stores/training-file.ts'
import { newProject, startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { execute } from '../services/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'

const hour = 3_600_000_000
const now = systemClock()
const project = newProject()
let folder: string
let database: TestDatabase
let gateway: TestGateway

beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-spines-')),
    createTestDatabase(),
  ])
  await mkdir(join(folder, 'schema'))
  await writeFile(
    join(folder, 'schema', 'shop.mjs'),
    `export const shop = { kind: 'entity', name: 'shop', joinKeys: { shop_id: 'string' } }
     export const profile = { kind: 'feature-view', name: 'profile', entity: 'shop', features: { seats: 'int64' } }
     export const served = { kind: 'feature-service', name: 'demand_v1', features: [{ kind: 'pick', view: 'profile', features: [{ name: 'seats' }] }] }`,
  )
  gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: 'memory:',
    makeTables: false,
    settings: { PROJECT: project, SCHEMA: join(folder, 'schema'), WORKER: 'false' },
  })
  await gateway.write(
    'profile',
    [8, 4].map((hours) => ({ key: { shop_id: 'a' }, at: now - hours * hour, values: { seats: hours } })),
  )
})

afterAll(async () => {
  await gateway?.close()
  await Promise.all([folder && rm(folder, { recursive: true, force: true }), database?.drop()])
})

async function withDuckDb<T>(
  work: (connection: Awaited<ReturnType<DuckDBInstance['connect']>>) => Promise<T>,
): Promise<T> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    await connection.run(`set timezone = 'UTC'`)
    return await work(connection)
  } finally {
    connection.disconnectSync()
    instance.closeSync()
  }
}

const rowsOf = (path: string) =>
  withDuckDb(async (connection) =>
    (await connection.runAndReadAll(`select * from '${path}'`)).getRowObjectsJson(),
  )

interface Asked {
  readonly out?: string
  readonly format?: TrainingFormat
  readonly timezone?: string
}

async function make(spine: string, asked: Asked = {}): Promise<MadeTrainingSet & { readonly out: string }> {
  const { stores, registry } = gateway.gateway
  const { out = join(folder, 'made.parquet'), format = 'parquet', timezone = null } = asked
  const opened = await stores.files.open(spine, formatOf(spine))
  try {
    const snapshots = postgresAsOfSnapshots(stores.system, { project, countNonFinite: () => {} })
    const made = await makeTrainingSet(
      { snapshots, trainingFiles: duckDbTrainingFiles, onDemand: { folder, onFailure: () => {} } },
      {
        service: selectedFeatures(registry, { service: 'demand_v1' }, false),
        spine: { path: spine, opened, map: new Map(), time: null, timezone, timeUnit: null },
        ...{
          rows: null,
          knownAt: { kind: 'ALL' },
          visibleIn: null,
          files: [],
          out,
          format,
          vector: false,
          statuses: false,
          limit: readLimit(usualReadLimit, ''),
        },
        onProgress: () => {},
        signal: new AbortController().signal,
      },
    )
    return { ...made, out }
  } finally {
    await opened.close()
  }
}

/** Two hours ago, six hours ago and never: 4 seats, 8 and none. */
const spine = `select shop_id, make_timestamptz((${now} - hours * ${hour})::BIGINT) as event_timestamp, label, note from
  (values ('a', 2, 1::TINYINT, 'ü'), ('a', 6, null, null), ('b', 2, 0::TINYINT, '')) as v(shop_id, hours, label, note)`

const write = (name: string, text: string | Uint8Array): Promise<string> => {
  const path = join(folder, name)
  return writeFile(path, text).then(() => path)
}
const at = (hours: number): string => formatTimestamp(now - hours * hour)
const seatsOf = async (path: string) => (await rowsOf(path)).map((row) => row['seats'])

describe('a spine', () => {
  it('of Arrow gives the rows and types that one of Parquet gives, and so does a training set as Arrow', async () => {
    const [parquet, arrow] = [join(folder, 'spine.parquet'), join(folder, 'spine.feather')]
    await withDuckDb(async (connection) => {
      await connection.run(`copy (${spine}) to '${parquet}'`)
      await writeArrow(connection, spine, arrow)
    })
    const described = async (path: string) => [
      await rowsOf(path),
      await withDuckDb(async (connection) =>
        (await connection.runAndReadAll(`describe select * from '${path}'`)).getRowsJson(),
      ),
    ]
    const expected = await described((await make(parquet)).out)
    expect(await seatsOf(join(folder, 'made.parquet'))).toEqual(['4', '8', null])
    expect(await described((await make(arrow, { out: join(folder, 'of-arrow.parquet') })).out)).toEqual(
      expected,
    )
    const { out } = await make(parquet, { out: join(folder, 'made.arrow'), format: 'arrow' })
    const opened = await gateway.gateway.stores.files.open(out, 'arrow')
    expect(await described(opened.parquet ?? '')).toEqual(expected)
    await opened.close()
  })

  it('may be a select on the offline database, whose columns keep their types', async () => {
    await execute(
      database.url,
      `create table labels (shop_id varchar(9), event_timestamp timestamptz, label smallint, score numeric(8,3), total numeric, day date,
         local timestamp, ok bool, raw bytea, tags text[], nums float4[], empty text, id uuid);
       insert into labels values ('a', '${at(2)}', 1, 1.5, 2.25, '2026-11-01', '2026-11-01 10:00:00.5', true, '\\x00ff', '{a,"b,\\"c"}', '{1.5,null}', '', 'ffffffff-ffff-4fff-bfff-ffffffffffff'),
         ('a', '${at(6)}'), ('b', '${at(2)}')`.replaceAll(
        /\('([ab])', '([^']*)'\)/g,
        "('$1', '$2', null, 'NaN', null, null, null, null, null, null, null, null, null)",
      ),
    )
    const source = await openSpine(
      gateway.gateway.stores.system,
      {
        spineSql: 'select * from labels order by event_timestamp desc, shop_id; -- all',
        out: join(folder, 'x.parquet'),
      },
      null,
    )
    const { out, spine: counts } = await make(source.path)
    await source.close()
    expect(counts).toMatchObject({ rows: 3, missingKeys: 0, missingTimes: 0 })
    const rows = await rowsOf(out)
    expect(rows[0]).toEqual({
      ...{
        shop_id: 'a',
        label: 1,
        score: '1.500',
        total: 2.25,
        day: '2026-11-01',
        ok: true,
        tags: ['a', 'b,"c'],
      },
      ...{ local: '2026-11-01 10:00:00.5', raw: '\\x00\\xFF', nums: [1.5, null], empty: '', seats: '4' },
      id: 'ffffffff-ffff-4fff-bfff-ffffffffffff',
      event_timestamp: expect.any(String),
    })
    expect(rows.map(({ shop_id, seats, empty, score }) => [shop_id, seats, empty, score])).toEqual([
      ['a', '4', '', '1.500'],
      ['b', null, null, null],
      ['a', '8', null, null],
    ])
  })

  it('that is no select, or that Postgres refuses, says so with the place, changes nothing and leaves nothing', async () => {
    const refused: readonly (readonly [sql: string, message: string | RegExp])[] = [
      [
        'select nothing_here from labels',
        /refuses the statement at line 1, character 8: column "nothing_here" does not exist/,
      ],
      [
        'select *\nfrom labels\nwhere labell = 1',
        /at line 3, character 7: column "labell" does not exist.*(?:label)/,
      ],
      ['select 1 as a; drop table labels', 'expects one select'],
      [
        'select 1 as a) as q limit 0; drop table labels; select * from (select 1 as a',
        /refuses the statement|expects one select/,
      ],
      ['drop table labels', 'expects one select'],
      ['delete from labels returning shop_id', 'expects one select'],
      ['with gone as (delete from labels returning *) select * from gone', 'expects one select'],
      [
        'select nextval(pg_get_serial_sequence($$labels$$, $$label$$)) as n, 1 / (random() < 2)::int as m, 1 / 0 as z',
        'division by zero',
      ],
      ['select 1, 2 as b', 'every column needs a name of its own'],
      ['select 1 as a, 2 as a', 'every column needs a name of its own'],
      ["select 'open as a", /unterminated quoted string/],
      ['  ;', 'expects a select'],
    ]
    for (const [spineSql, message] of refused) {
      const opening = openSpine(
        gateway.gateway.stores.system,
        { spineSql, out: join(folder, 'refused.parquet') },
        null,
      )
      await expect(opening, spineSql).rejects.toThrow(BadUserInput)
      await expect(opening, spineSql).rejects.toThrow(message)
    }
    await execute(database.url, 'select from labels')
    expect(
      (await readdir(folder)).filter((name) => name.startsWith('.') || name.startsWith('refused')),
    ).toEqual([])
    for (const both of [{}, { spine: 'a.csv', spineSql: 'select 1 as a' }])
      expect(() => checkSpine(both)).toThrow(BadUserInput)
  })

  it('has a row out per row in: unknown keys, repeated rows, times of any zone and times to come', async () => {
    const zone = (micros: number, minutes: number, text: string) =>
      `${new Date(micros / 1_000 + minutes * 60_000).toISOString().slice(0, 19)}${text}`
    const six = now - 6 * hour
    const lines = [
      'shop_id,event_timestamp,label',
      `a,${zone(six, 0, 'Z')},1`,
      `a,${zone(six, 60, '+01:00')},2`,
      `a,${zone(six, -300, '-05:00')},3`,
      `a,${zone(six, 345, '+0545')},3`,
      `a,${zone(six, 345, '+0545')},3`,
      `nobody,${at(1)},4`,
      `a,${at(-1_000)},5`,
      ',,6',
    ]
    const { out, spine: counts } = await make(await write('zones.csv', lines.join('\n')))
    expect(await seatsOf(out)).toEqual(['8', '8', '8', '8', '8', null, '4', null])
    expect(counts).toMatchObject({ rows: 8, missingKeys: 1, missingTimes: 1, ahead: 1 })
  })

  it('without rows gives a file with all columns', async () => {
    const spines = [await write('header.csv', 'shop_id,event_timestamp,label\n'), join(folder, 'none.arrow')]
    await withDuckDb((connection) => writeArrow(connection, `${spine} limit 0`, join(folder, 'none.arrow')))
    for (const path of spines) {
      const { out, spine: counts } = await make(path)
      expect(counts.rows).toBe(0)
      const names = await withDuckDb(async (connection) =>
        (await connection.runAndReadAll(`describe select * from '${out}'`)).getRowsJson(),
      )
      expect(names.map(([name]) => name)).toEqual(
        expect.arrayContaining(['shop_id', 'event_timestamp', 'label', 'seats']),
      )
    }
  })

  it('leaves out the index that pandas wrote, by whatever name', async () => {
    const parquet = join(folder, 'index.parquet')
    await withDuckDb((connection) =>
      connection.run(`copy (select *, 7 as __index_level_0__ from (${spine})) to '${parquet}'`),
    )
    const spines = [
      await write('index.csv', `,shop_id,event_timestamp\n0,a,${at(2)}`),
      await write('unnamed.csv', `Unnamed: 0,shop_id,event_timestamp\n0,a,${at(2)}`),
      parquet,
    ]
    for (const path of spines) {
      const [row] = await rowsOf((await make(path)).out)
      expect(Object.keys(row ?? {}).filter((name) => !['label', 'note'].includes(name))).toEqual([
        ...['shop_id', 'event_timestamp', 'seats'],
      ])
    }
  })

  it('that breaks off, or whose output cannot be written, leaves what was there as it was, and nothing else', async () => {
    const whole = join(folder, 'whole.parquet')
    await withDuckDb(async (connection) => {
      await connection.run(
        `copy (select 'a' as shop_id, make_timestamptz(${now} - i) as event_timestamp, md5(i::VARCHAR) as note from range(20000) as r(i)) to '${whole}'`,
      )
    })
    const bytes = await readFile(whole)
    const damaged = Buffer.from(bytes)
    damaged.fill(0, 100_000, 200_000)
    const out = join(folder, 'kept', 'train.parquet')
    await mkdir(join(folder, 'kept'))
    await writeFile(out, 'what was there')
    const spines = [
      await write('cut.parquet', bytes.subarray(0, bytes.length - 100)),
      await write('damaged.parquet', damaged),
      await write('cut.ndjson', `{"shop_id":"a","event_timestamp":"${at(2)}"}\n{"shop_id":"a","event_ti`),
      await write('no-header.csv', ''),
    ]
    for (const path of spines) await expect(make(path, { out }), path).rejects.toThrow(BadUserInput)
    expect(await readFile(out, 'utf8')).toBe('what was there')
    expect(await readdir(join(folder, 'kept'))).toEqual(['train.parquet'])
    await expect(make(whole, { out: join(out, 'below-a-file.parquet') })).rejects.toThrow(
      /below-a-file\.parquet cannot be written/,
    )
    await mkdir(join(folder, 'kept', 'folder.parquet'))
    await expect(make(whole, { out: join(folder, 'kept', 'folder.parquet') })).rejects.toThrow(
      /folder\.parquet cannot be written/,
    )
    expect((await readdir(join(folder, 'kept'))).toSorted()).toEqual(['folder.parquet', 'train.parquet'])
  })
})
