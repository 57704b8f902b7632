import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config/read-config.ts'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import { EngineUnsuitable, FilesChanged } from '../../src/errors.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { trainingSources } from '../../src/gateway/training-sources.ts'
import type { AskedEngine } from '../../src/historical/plan/choose-engine.ts'
import { readLimit, usualReadLimit } from '../../src/historical/plan/read-limit.ts'
import {
  type CardedSources,
  makeCardedTrainingSet,
} from '../../src/historical/training/carded-training-set.ts'
import {
  type ExplainRequest,
  explainTrainingSet,
} from '../../src/historical/training/explain-training-set.ts'
import { parseKnownAt } from '../../src/historical/training/known-at.ts'
import {
  type EngineMade,
  type EngineSources,
  makeByEngine,
} from '../../src/historical/training/make-by-engine.ts'
import { readCard } from '../../src/historical/training/read-card.ts'
import { remakeTrainingSet } from '../../src/historical/training/remake-training-set.ts'
import { selectedFeatures } from '../../src/historical/training/selected-features.ts'
import type { TrainingOptions } from '../../src/historical/training/training-options.ts'
import { computeSnapshots } from '../../src/ingest/snapshots/compute-snapshots.ts'
import { postgresLaterChanges } from '../../src/stores/postgres/deletion/later-changes.ts'
import type { ReadFiles } from '../../src/stores/read-files.ts'
import { startCommand } from '../cli/start-command.ts'
import { newProject, startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { isLong } from '../services/long-run.ts'
import { sparkSubmit } from '../services/spark.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'

const minute = 60_000_000
const hour = 60 * minute
const now = systemClock()
const lastHour = Math.floor(now / hour) * hour
const project = newProject()
let folder: string
let database: TestDatabase
let gateway: TestGateway
let sources: EngineSources
let instance: DuckDBInstance
let duck: DuckDBConnection

/** A repeatable sequence of numbers below a bound. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-engines-')),
    createTestDatabase(),
  ])
  await mkdir(join(folder, 'schema'))
  await writeFile(
    join(folder, 'schema', 'shops.mjs'),
    `export const shop = { kind: 'entity', name: 'shop', joinKeys: { shop_id: 'string' } }
     export const shelf = { kind: 'entity', name: 'shelf', joinKeys: { shop_id: 'string', shelf_no: 'int32' } }
     export const sales = { kind: 'event-source', name: 'sales', eventTimestamp: 'at', eventId: 'id', fields: {
       id: 'string', shop_id: 'string', shelf_no: 'int32', baker: 'string', weight: 'float64', pieces: 'int64', price: 'decimal(2)' } }
     export const profile = { kind: 'feature-view', name: 'profile', entity: 'shop', ttl: '10h', features: {
       seats: { type: 'int64', default: 4, expect: { max: 90, notNull: true } }, rating: 'float32', tags: 'string[]', opened: 'timestamp', name: 'string', open: 'bool', photo: 'bytes', big: 'int64' } }
     export const stock = { kind: 'feature-view', name: 'stock', entity: 'shelf', features: { flour: 'float64' } }
     export const weather = { kind: 'feature-view', name: 'weather', entity: 'shop', ttl: '9h', features: { degrees: 'float64', sky: 'string', rains: 'bool', drops: 'int64', seen: 'timestamp', cost: 'decimal(2)', parts: 'int32[]' },
       source: { kind: 'parquet', name: 'weather', path: ${JSON.stringify(join(folder, 'weather'))}, eventTimestamp: 'moment', createdTimestamp: 'made', rowId: 'n', columns: { degrees: 'celsius' }, partitions: { day: 'day' } } }
     export const kept_weather = { kind: 'feature-view', name: 'kept_weather', entity: 'shop', ttl: '9h', features: { degrees: 'float64', sky: 'string', rains: 'bool', drops: 'int64', seen: 'timestamp', cost: 'decimal(2)', parts: 'int32[]' } }
     export const recent = { kind: 'windowed-view', name: 'recent', entity: 'shop', source: 'sales', compute: { mode: 'stream' }, online: false, features: {
       sold: { aggregate: 'count', window: '2h' }, of_ada: { aggregate: 'count', window: '2h', where: { baker: 'ada' } },
       of_nobody: { aggregate: 'count', window: '5h', where: { baker: null } },
       weight: { aggregate: 'sum', field: 'weight', window: '2h' }, mean_weight: { aggregate: 'mean', field: 'weight', window: '5h' },
       spread: { aggregate: 'stddev', field: 'weight', window: '1h' }, variance: { aggregate: 'variance', field: 'pieces', window: '5h' },
       pieces: { aggregate: 'sum', field: 'pieces', window: '30m' }, least: { aggregate: 'min', field: 'weight', window: '2h' },
       most: { aggregate: 'max', field: 'price', window: '2h' }, spent: { aggregate: 'sum', field: 'price', window: '5h' },
       bakers: { aggregate: 'countDistinct', field: 'baker', window: '5h' }, first_baker: { aggregate: 'first', field: 'baker', window: '5h' },
       last_baker: { aggregate: 'last', field: 'baker', window: '30m' } } }
     export const by_shelf = { kind: 'windowed-view', name: 'by_shelf', entity: 'shelf', source: 'sales', compute: { mode: 'stream' }, online: false, features: {
       taken: { aggregate: 'count', window: '3h', hop: '7m' } } }
     export const hourly = { kind: 'windowed-view', name: 'hourly', entity: 'shop', source: 'sales', compute: { mode: 'batch', every: '1h' }, ttl: '3h',
       features: { sold_hour: { aggregate: 'count', window: '1h' }, heaviest: { aggregate: 'max', field: 'weight', window: '2h' } } }
     export const warmth = { kind: 'on-demand-view', name: 'warmth', inputs: [{ kind: 'pick', view: 'stock', features: [{ name: 'flour' }] }],
       features: { warm: 'bool' }, compute: ({ flour }) => ({ warm: flour === null ? null : flour > 70 }) }
     const role = { name: 'rival', keys: { shop_id: 'rival_id' } }
     export const rivalry = { kind: 'feature-service', name: 'rivalry_v1', features: [
       { kind: 'pick', view: 'profile', features: [{ name: 'seats' }, { name: 'rating' }, { name: 'open' }] },
       { kind: 'pick', view: 'profile', role, features: [{ name: 'seats', as: 'rival_seats', default: 9 }] },
       { kind: 'request', name: 'rain', type: 'float64' },
       { kind: 'pick', view: 'recent', role, features: [{ name: 'sold' }, { name: 'weight' }] } ] }`,
  )
  instance = await DuckDBInstance.create(':memory:')
  duck = await instance.connect()
  await duck.run(`set timezone = 'UTC'`)
  await writeWeather()
  gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: 'memory:',
    makeTables: false,
    settings: {
      PROJECT: project,
      SCHEMA: join(folder, 'schema'),
      WORKER: 'false',
      FILES: join(folder, 'files'),
    },
  })
  const config = readConfig({
    FEATUREGRAPH_OFFLINE_URL: database.url,
    FEATUREGRAPH_PROJECT: project,
    FEATUREGRAPH_SCHEMA: join(folder, 'schema'),
    FEATUREGRAPH_FILES: join(folder, 'files'),
    ...(isLong && { FEATUREGRAPH_SPARK_SUBMIT: (await sparkSubmit()) ?? 'spark-submit' }),
  })
  sources = await trainingSources(config, gateway.gateway.stores.system, pino({ level: 'silent' }))
  await fillWorld()
})

afterAll(async () => {
  instance?.closeSync()
  await gateway?.close()
  await Promise.all([folder && rm(folder, { recursive: true, force: true }), database?.drop()])
})

const shops = ['a', 'b', 'Ä, "c"', "d'e", '']

/** Partitioned by day; half of the files have another type of degrees. Ties of event timestamps, and of created timestamps too. */
const weather = Array.from({ length: 90 }, (_, n) => ({
  shop: shops[(n * 7) % 5] ?? '',
  at: now - ((n * 13) % 30) * hour,
  made: n % 4 === 0 ? null : now - ((n * 5) % 20) * hour,
  degrees: n % 9 === 0 ? null : ((n * 37) % 60) - 20,
  n,
}))

async function writeWeather(files = weather, name = 'part'): Promise<void> {
  const values = files.map(
    ({ shop, at, made, degrees, n }) =>
      `('${shop.replaceAll("'", "''")}', make_timestamptz(${at}), ${made === null ? 'null' : `make_timestamptz(${made})`}, ${degrees}, ${n})`,
  )
  const days = [...new Set(files.map(({ at }) => formatTimestamp(at).slice(0, 10)))]
  for (const [index, day] of days.entries()) {
    await mkdir(join(folder, 'weather', `day=${day}`), { recursive: true })
    await duck.run(
      `copy (select shop_id, moment, made, celsius::${index === 0 ? 'DOUBLE' : 'INTEGER'} as celsius, 'sky ' || n as sky, n % 2 = 0 as rains, 9007199254740993 + n as drops, moment as seen, (n / 100.0)::DECIMAL(18,2) as cost, [n, 1]::INTEGER[] as parts, n::BIGINT as n
         from (values ${values.join(', ')}) as t(shop_id, moment, made, celsius, n) where strftime(moment, '%Y-%m-%d') = '${day}')
       to '${join(folder, 'weather', `day=${day}`, `${name}.parquet`)}' (format parquet)`,
    )
  }
}

async function fillWorld(): Promise<void> {
  const draw = numbers(7)
  const shopOf = () => shops[draw(shops.length)] ?? 'a'
  const moments = [0, 1, 30 * minute, hour, 3 * hour, 9 * hour, 10 * hour, 11 * hour, 40 * hour]
  const momentOf = () => now - (moments[draw(moments.length)] ?? 0) - draw(3)
  for (let batch = 0; batch < 3; batch += 1) {
    await gateway.write(
      'profile',
      Array.from({ length: 40 }, (_, index) => ({
        key: { shop_id: shopOf() },
        at: momentOf(),
        ...(draw(3) > 0 && { created: now - (moments[draw(moments.length)] ?? 0) }),
        values: {
          seats: draw(5) === 0 ? null : draw(120),
          rating: draw(5) === 0 ? null : Math.fround(index / 7),
          ...{
            tags: ['x', `y ${index}`],
            opened: now - index * hour - 1,
            name: `"${index}`,
            open: index % 2 === 0,
          },
          ...{ photo: Buffer.from([index, 255]), big: '9007199254740993' },
        },
      })),
    )
    await gateway.write(
      'stock',
      Array.from({ length: 30 }, () => ({
        key: { shop_id: shopOf(), shelf_no: draw(3) },
        at: momentOf(),
        values: { flour: draw(1_000) / 7 },
      })),
    )
    const events = Array.from({ length: 150 }, (_, index) => ({
      id: `${batch} ${index % 140}`,
      at: formatTimestamp(now - draw(12 * 60) * minute - draw(3)),
      shop_id: shopOf(),
      shelf_no: draw(3),
      baker: [null, 'ada', 'bo', 'cy'][draw(4)],
      weight: draw(6) === 0 ? null : Math.sin(index) * 1e6,
      pieces: draw(50) === 0 ? '9223372036854775807' : draw(9),
      price: draw(1_000) / 100,
    }))
    const pushed = await fetch(`${gateway.url}/events/sales`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: events.map((event) => JSON.stringify(event)).join('\n'),
    })
    expect(pushed.status).toBe(200)
  }
  const { registry, stores } = gateway.gateway
  const kept = registry.views.find(({ name }) => name === 'kept_weather')
  if (kept?.kind !== 'PLAIN') throw new Error('no plain view')
  // In the order of their row ids.
  await stores.offline.insertRows(
    kept,
    weather.map(({ shop, at, made, degrees, n }) => ({
      ...{ key: [shop], eventTimestamp: at, createdTimestamp: made },
      values: [
        ...[degrees, `sky ${n}`, n % 2 === 0, `${9_007_199_254_740_993n + BigInt(n)}`],
        ...[at, n / 100, [n, 1]],
      ],
    })),
  )
  const view = registry.views.find(({ name }) => name === 'hourly')
  if (view?.kind !== 'BATCH') throw new Error('no batch view')
  const times = [8, 7, 6, 5, 4, 2, 1, 0].map((hours) => lastHour - hours * hour)
  const options = { createdAfterMicros: null, onWait: () => {}, onProgress: () => {} }
  await computeSnapshots({ ...stores, clock: systemClock }, view, { kind: 'TIMES', times }, options)
  const list = [...shops, 'nobody'].map((shop) => `'${shop.replaceAll("'", "''")}'`).join(', ')
  await duck.run(
    `copy (select case when i % 53 = 7 then null else [${list}][1 + (i * 31) % 6] end as shop_id, [${list}][1 + (i * 17) % 6] as rival_id,
       (i % 4)::INTEGER as shelf_no, case when i % 61 = 3 then null else make_timestamptz(${now} - ((i * 7919) % 900) * ${minute} + (i % 3) - 1) end as event_timestamp,
       i as label, (i % 7) / 3 as rain, [i, 2] as list
     from range(700) as t(i)) to '${join(folder, 'labels.parquet')}'`,
  )
}

interface Making {
  readonly features?: readonly string[]
  readonly knownAt?: string
  readonly engine?: AskedEngine
  readonly isBinding?: boolean
  readonly spine?: string
  readonly files?: readonly ReadFiles[]
}

const allFeatures = ['profile', 'stock', 'recent', 'by_shelf', 'hourly']

async function make(out: string, making: Making = {}): Promise<EngineMade> {
  return await asked(making, (request) =>
    makeByEngine(sources, {
      ...{ ...request, format: 'parquet', out: join(folder, out), onProgress: () => {} },
      signal: new AbortController().signal,
    }),
  )
}

async function explain(making: Making): Promise<string> {
  return await asked(making, (request) => explainTrainingSet(sources, request))
}

async function asked<Result>(
  { features, knownAt, engine = 'duckdb', isBinding = false, files = [], spine = 'labels.parquet' }: Making,
  answer: (request: ExplainRequest) => Promise<Result>,
): Promise<Result> {
  const { stores, registry } = gateway.gateway
  const path = join(folder, spine)
  const opened = await stores.files.open(path, spine.endsWith('.csv') ? 'csv' : 'parquet')
  try {
    const selection = features ? { features } : { service: 'rivalry_v1' }
    return await answer({
      service: selectedFeatures(registry, selection, false),
      spine: { path, opened, map: new Map(), time: null, timezone: null, timeUnit: null },
      knownAt: knownAt === undefined ? { kind: 'ALL' } : parseKnownAt(knownAt),
      ...{ rows: null, visibleIn: null, files, vector: features === undefined, statuses: true },
      ...{ engine, isBinding, limit: readLimit(usualReadLimit, '') },
    })
  } finally {
    await opened.close()
  }
}

async function rowsOf(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return (await duck.runAndReadAll(sql)).getRowObjectsJson() as Record<string, unknown>[]
}

/** Rows that differ, floats within what two right sums may lie apart. */
async function differing(one: string, other: string): Promise<readonly unknown[]> {
  const [left, right] = [join(folder, one), join(folder, other)]
  const columns = await rowsOf(`describe select * from read_parquet('${left}')`)
  expect(await rowsOf(`describe select * from read_parquet('${right}')`)).toEqual(columns)
  const conditions = columns.map(({ column_name: name, column_type: type }) => {
    const [l, r] = [`l."${name}"`, `r."${name}"`]
    if (name === 'vector')
      return `len(list_filter(list_zip(${l}, ${r}), x -> abs(x[1] - x[2]) > 1e-6 * greatest(1, abs(x[1])))) > 0`
    return type === 'DOUBLE'
      ? `(${l} is null) <> (${r} is null) or abs(${l} - ${r}) > 1e-2 * 1e-6 * greatest(1, abs(${l}))`
      : `${l} is distinct from ${r}`
  })
  return await rowsOf(
    `select l.*, r.* from read_parquet('${left}') as l positional join read_parquet('${right}') as r where ${conditions.join(' or ')} limit 2`,
  )
}

/** Spark in the long run alone: each of its training sets starts a Java. */
const overFiles = isLong ? (['duckdb', 'spark'] as const) : (['duckdb'] as const)

const knownTimes = [
  ['any time', undefined],
  ['a moment', formatTimestamp(now - 9 * hour)],
  ['two hours behind each row', 'row+2h'],
] as const

describe('training sets over files', () => {
  for (const engine of overFiles) {
    for (const [shown, knownAt] of knownTimes)
      it(`are those that Postgres makes, row by row, with the same counts: ${engine}, known at ${shown}`, async () => {
        const more = { features: allFeatures, ...(knownAt !== undefined && { knownAt }) }
        const expected = await make('postgres.parquet', { ...more, engine: 'postgres' })
        const made = await make('files.parquet', { ...more, engine })
        expect([expected.engine, made.engine]).toEqual(['postgres', engine])
        expect(await differing('postgres.parquet', 'files.parquet')).toEqual([])
        expect(made.spine).toEqual(expected.spine)
        expect(made.features).toEqual(expected.features)
        expect(made.summaries.map(({ name, nulls }) => [name, nulls])).toEqual(
          expected.summaries.map(({ name, nulls }) => [name, nulls]),
        )
        // Else there would be nothing to differ.
        const statuses = new Set(
          made.features.flatMap((one) =>
            Object.entries(one.statuses).flatMap(([status, count]) => (count > 0 ? [status] : [])),
          ),
        )
        expect([...statuses]).toEqual(
          expect.arrayContaining(['PRESENT', 'NOT_FOUND', 'OUTSIDE_TTL', 'NULL_VALUE', 'UNAVAILABLE']),
        )
      }, 600_000)

    it(`have roles, request values and vectors with defaults: ${engine}`, async () => {
      const expected = await make('postgres.parquet', { engine: 'postgres' })
      const made = await make('files.parquet', { engine })
      expect(await differing('postgres.parquet', 'files.parquet')).toEqual([])
      expect(made.features).toEqual(expected.features)
    }, 600_000)
  }

  for (const engine of ['postgres', 'duckdb'] as const)
    for (const [shown, knownAt] of knownTimes)
      it(`find the same rows in files as in a table, beside views of Postgres: ${engine}, known at ${shown}`, async () => {
        const made = await make('weather.parquet', {
          ...{ features: ['weather', 'kept_weather', 'recent:sold'], engine },
          ...(knownAt !== undefined && { knownAt }),
        })
        expect(made.engine).toBe(engine)
        const names = ['degrees', 'sky', 'rains', 'drops', 'seen', 'cost', 'parts']
        const pairs = names
          .flatMap((name) => [name, `${name}__status`])
          .map((name) => {
            const [column = '', status] = name.split('__')
            const of = (view: string) => `"${view}__${column}${status === undefined ? '' : `__${status}`}"`
            return `${of('weather')} is distinct from ${of('kept_weather')}`
          })
        const file = `read_parquet('${join(folder, 'weather.parquet')}')`
        expect(await rowsOf(`select * from ${file} where ${pairs.join(' or ')} limit 2`)).toEqual([])
        const present = `select count(*)::INTEGER as n from ${file} where weather__sky is not null`
        expect(Number((await rowsOf(present))[0]?.['n'])).toBeGreaterThan(100)
        expect(made.files.map(({ of }) => of)).toContain('weather')
      })

  it('are of the files that were there when they were listed, and are made again of those alone', async () => {
    const features = ['weather']
    const made = await make('first.parquet', { features, engine: 'postgres' })
    const [files] = made.files
    expect(files?.files.every(({ bytes, checksum }) => bytes > 0 && checksum.length === 64)).toBe(true)
    await writeWeather(
      [{ shop: 'a', at: now - 5 * hour + minute, made: now, degrees: 99, n: 1_000 }],
      'later',
    )
    for (const engine of ['postgres', 'duckdb'] as const) {
      await make('again.parquet', { features, engine, files: made.files })
      expect(await differing('first.parquet', 'again.parquet')).toEqual([])
      await make('all.parquet', { features, engine })
      expect(await differing('first.parquet', 'all.parquet')).not.toEqual([])
    }
    const changed = made.files.map((one) => ({
      ...one,
      files: one.files.map((file) => ({ ...file, checksum: 'x' })),
    }))
    const gone = made.files.map((one) => ({
      ...one,
      files: one.files.map((file) => ({ ...file, path: `${file.path}.gone` })),
    }))
    for (const engine of ['postgres', 'duckdb'] as const) {
      await expect(make('never.parquet', { features, engine, files: changed })).rejects.toThrow(FilesChanged)
      await expect(make('never.parquet', { features, engine, files: gone })).rejects.toThrow(
        'is not there any more',
      )
    }
    await expect(access(join(folder, 'never.parquet'))).rejects.toThrow()
  })

  it('are made once more from a card that names their engine and files, byte for byte', async () => {
    const { stores, registry } = gateway.gateway
    const carded: CardedSources = {
      ...{ ...sources, files: stores.files, changes: postgresLaterChanges(stores.system, project) },
      world: { project, registryVersion: 1, definitions: 'abc', program: '1.0.0' },
    }
    const options: TrainingOptions = {
      ...{ selection: { features: ['weather', 'profile'] }, fullNames: false, knownAt: { kind: 'ALL' } },
      ...{ spineFormat: 'parquet', map: new Map(), time: null, timezone: null, timeUnit: null },
      ...{ vector: false, statuses: true, format: 'parquet' },
    }
    const request = {
      service: selectedFeatures(registry, options.selection, false),
      ...{
        spine: join(folder, 'labels.parquet'),
        limit: readLimit(usualReadLimit, ''),
        onProgress: () => {},
      },
      ...{ out: join(folder, 'carded.parquet'), signal: new AbortController().signal },
    }
    const made = await makeCardedTrainingSet(carded, { ...request, options, again: null, engine: 'duckdb' })
    const card = readCard('carded.parquet.card.json', made.card)
    expect([card.card, card.engine, card.files.map(({ of }) => of)]).toEqual([
      2,
      'duckdb',
      ['weather', 'profile'],
    ])
    await writeWeather([{ shop: 'b', at: now, made: now, degrees: 77, n: 2_000 }], 'later still')
    const again = await remakeTrainingSet(carded, { ...request, card, allowDeletions: false })
    expect(again.isSame).toBe(true)
  })
})

/** As a shell has it. */
async function trainingSet(out: string, args: readonly string[], settings = {}) {
  const own = {
    ...{ OFFLINE_URL: database.url, PROJECT: project, SCHEMA: join(folder, 'schema'), LOG_LEVEL: 'error' },
    ...{ FILES: join(folder, 'files'), ...settings },
  }
  const asked = ['--spine', join(folder, 'labels.parquet'), '--statuses', '--out', join(folder, out)]
  return await startCommand(['training-set', ...asked, ...args], own, folder).ended
}

describe('featuregraph training-set --engine', () => {
  // Without sums of floats, whose last digits may differ.
  const exact = ['--features', 'profile,stock,recent:sold,recent:last_baker,by_shelf,hourly:sold_hour']

  it('makes equal files by each engine, says which did and why, and has it in the card', async () => {
    const outs = ['by-postgres.parquet', 'by-duckdb.parquet', 'by-auto.parquet']
    const outcomes = await Promise.all(
      ['postgres', 'duckdb', 'auto'].map((engine, index) =>
        trainingSet(outs[index] ?? '', [...exact, '--engine', engine]),
      ),
    )
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(outcomes.map(({ stdout }) => / by (\w+) \((.*?)\), as of/.exec(stdout)?.slice(1))).toEqual([
      ['postgres', 'it was asked for'],
      ['duckdb', 'it was asked for'],
      ['postgres', 'an index finds at most 10,000 rows soonest'],
    ])
    const contents = await Promise.all(outs.map((out) => rowsOf(`from read_parquet('${join(folder, out)}')`)))
    expect(contents[0]).toHaveLength(700)
    expect(contents[1]).toEqual(contents[0])
    expect(contents[2]).toEqual(contents[0])
    const cards = await Promise.all(
      outs.map(async (out) => readCard(out, await readFile(join(folder, `${out}.card.json`), 'utf8'))),
    )
    expect(cards.map(({ engine }) => engine)).toEqual(['postgres', 'duckdb', 'postgres'])
  })

  it('--explain prints what the engine would run and what would be exported first, and makes nothing', async () => {
    const nowhere = join(folder, 'no-exports-yet')
    const { code, stdout } = await trainingSet(
      'explained.parquet',
      [...exact, '--engine', 'duckdb', '--explain'],
      {
        FILES: nowhere,
      },
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(/^by duckdb: it was asked for\n700 rows of the spine\n/)
    const exports = join(nowhere, project, 'exports')
    expect(stdout).toContain(
      `\nprofile: the newest row at the time of each, of the rows in ${exports}/profile\n`,
    )
    // How many is estimated; nothing is exported yet.
    expect(stdout).toMatch(
      /\n {2}about (\d+) rows, of which about \1 are exported first\n {2}create temp view asked_0 as/,
    )
    expect(stdout).toMatch(/ asof join \(select k0, e from rows_0\) as x /)
    expect(stdout).toContain(`recent: the windows of each row, of the events in ${exports}/sales\n`)
    expect(stdout).toMatch(/\n {2}from files_\d\n {2}where counts and /)
    expect(stdout).not.toMatch(/lateral/i)
    await expect(access(nowhere)).rejects.toThrow('ENOENT')
    await expect(access(join(folder, 'explained.parquet'))).rejects.toThrow('ENOENT')
  })

  it('refuses an engine that there is not, and one that cannot, with a code, and writes nothing', async () => {
    const cases = [
      [
        ['--features', 'profile'],
        'flink',
        /^featuregraph: --engine expects one of postgres, duckdb, spark, auto; got "flink"\n$/,
      ],
      [
        ['--features', 'warmth'],
        'duckdb',
        /^featuregraph: duckdb cannot make this training set: the function of the on-demand view "warmth" runs in this process; leave the engine out, or ask for auto \(ENGINE_UNSUITABLE\)\n$/,
      ],
    ] as const
    const before = await readdir(folder)
    for (const [args, engine, said] of cases) {
      const { code, stdout, stderr } = await trainingSet('refused.parquet', [...args, '--engine', engine])
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(said)
    }
    expect(await readdir(folder)).toEqual(before)
  })
})

describe('the engine of a training set', () => {
  it('is explained with its reason: by auto, and by Spark as one script', async () => {
    expect(await explain({ engine: 'auto' })).toMatch(
      /^by postgres: an index finds at most 10,000 rows soonest\n700 rows of the spine, at most .*\n\nprofile: (LATERAL|SCATTER), /,
    )
    expect(await explain({ engine: 'auto', features: ['weather'] })).toMatch(
      /^by duckdb: "weather" stands in files\n700 rows of the spine\n\nweather: .*\n {2}about \d+ rows\n/,
    )
    const bySpark = await explain({ engine: 'spark' })
    expect(bySpark).toMatch(/^by spark: it was asked for\n/)
    expect(bySpark).toMatch(/\nprofile as rival: the newest row at the time of each, /)
    expect(bySpark.split('\none script for all:\n')[1]).toMatch(
      /^ {2}set spark\.sql\.session\.timeZone=UTC;\n.*insert overwrite directory 'found' using parquet\n/s,
    )
  })

  it('is Postgres where the setting names one that cannot, and is refused where that was asked for by name', async () => {
    await writeFile(join(folder, 'labels.csv'), 'shop_id,event_timestamp\na,2026-11-01T00:00:00Z\n')
    const reasons = [
      [{ features: ['warmth'] }, /the on-demand view "warmth"/],
      [{ features: ['profile'], spine: 'labels.csv' }, /the values of a text spine are read one by one/],
    ] as const
    for (const [making, reason] of reasons) {
      expect(await make('instead.parquet', making)).toMatchObject({
        engine: 'postgres',
        because: expect.stringMatching(reason),
      })
      expect(await explain(making)).toMatch(reason)
      const refused = make('never.parquet', { ...making, isBinding: true })
      await expect(refused).rejects.toThrow(EngineUnsuitable)
      await expect(refused).rejects.toThrow(reason)
    }
    await expect(access(join(folder, 'never.parquet'))).rejects.toThrow('ENOENT')
  })
})
