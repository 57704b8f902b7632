import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { BadUserInput, LimitExceeded } from '../../src/errors.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { readLimit, usualReadLimit } from '../../src/historical/plan/read-limit.ts'
import { explainTrainingSet } from '../../src/historical/training/explain-training-set.ts'
import { parseKnownAt } from '../../src/historical/training/known-at.ts'
import {
  type MadeTrainingSet,
  makeTrainingSet,
  type TrainingRequest,
} from '../../src/historical/training/make-training-set.ts'
import { type FeatureSelection, selectedFeatures } from '../../src/historical/training/selected-features.ts'
import { duckDbTrainingFiles } from '../../src/stores/duckdb/training-file.ts'
import { postgresAsOfSnapshots } from '../../src/stores/postgres/features/as-of-snapshot.ts'
import { startCommand } from '../cli/start-command.ts'
import { blocksOf } from '../docs/doc-blocks.ts'
import { newProject, startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'

const hour = 3_600_000_000
const now = systemClock()
const project = newProject()
let folder: string
let database: TestDatabase
let gateway: TestGateway

beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-training-')),
    createTestDatabase(),
  ])
  await mkdir(join(folder, 'schema'))
  await writeFile(
    join(folder, 'schema', 'bakery.mjs'),
    `export const shop = { kind: 'entity', name: 'shop', joinKeys: { shop_id: 'string' } }
     export const sales = { kind: 'event-source', name: 'sales', eventTimestamp: 'at', fields: { shop_id: 'string', price: 'decimal(2)' } }
     export const profile = { kind: 'feature-view', name: 'profile', entity: 'shop', ttl: '10h',
       features: { seats: { type: 'int64', default: 4 }, rating: { type: 'float32', expect: { max: 5 } }, tags: 'string[]', opened: 'timestamp', name: 'string' } }
     export const recent = { kind: 'windowed-view', name: 'recent', entity: 'shop', source: 'sales', compute: { mode: 'stream' }, online: false,
       features: { sold: { aggregate: 'count', window: '2h' }, spent: { aggregate: 'sum', field: 'price', window: '2h' } } }
     export const demand = { kind: 'feature-service', name: 'demand_v1', features: [
       { kind: 'pick', view: 'profile', features: [{ name: 'seats' }, { name: 'rating' }] },
       { kind: 'request', name: 'rain', type: 'float64' },
       { kind: 'pick', view: 'recent', features: [{ name: 'sold' }, { name: 'spent' }] } ] }
     const role = { name: 'rival', keys: { shop_id: 'rival_id' } }
     export const rivalry = { kind: 'feature-service', name: 'rivalry_v1', features: [
       { kind: 'pick', view: 'profile', features: [{ name: 'seats' }] },
       { kind: 'pick', view: 'profile', role, features: [{ name: 'seats', as: 'rival_seats', default: 9 }, { name: 'rating' }] },
       { kind: 'pick', view: 'recent', role, features: [{ name: 'sold' }] } ] }`,
  )
  gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: 'memory:',
    makeTables: false,
    settings: { PROJECT: project, SCHEMA: join(folder, 'schema'), WORKER: 'false' },
  })
  const shop = (id: string) => ({ shop_id: id })
  await gateway.write('profile', [
    {
      key: shop('a'),
      at: now - 8 * hour,
      values: {
        seats: '9007199254740993',
        rating: Math.fround(0.1),
        tags: ['x', 'y'],
        opened: now - 900 * hour,
        name: 'Ä, "b"',
      },
    },
    { key: shop('a'), at: now - 8 * hour, created: now - 7 * hour, values: { seats: 7, rating: 9 } },
    { key: shop('b'), at: now - 30 * hour, values: { seats: 1 } },
  ])
  const events = [5, 90, 100].map((minutes) => ({
    ...{ at: formatTimestamp(now - minutes * 60_000_000), shop_id: 'a', price: 0.1 },
  }))
  const pushed = await fetch(`${gateway.url}/events/sales`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: events.map((event) => JSON.stringify(event)).join('\n'),
  })
  expect(pushed.status).toBe(200)
})

afterAll(async () => {
  await gateway?.close()
  await Promise.all([folder && rm(folder, { recursive: true, force: true }), database?.drop()])
})

/** A row of the spine; its label passes through. */
interface SpineRow {
  readonly shop: string | null
  readonly at: Micros | null
  readonly rain: number
  readonly label: number | null
}

const spine: readonly SpineRow[] = [
  { shop: 'a', at: now, rain: 0.5, label: 1 },
  { shop: 'a', at: now - 7.5 * hour, rain: 1, label: 0 },
  { shop: 'nobody', at: now, rain: 2, label: null },
  { shop: 'b', at: now - hour, rain: 3, label: 1 },
  { shop: null, at: now, rain: 4, label: 1 },
  { shop: 'a', at: null, rain: 5, label: 0 },
  { shop: 'a', at: now - 50 * hour, rain: 6, label: 0 },
  { shop: 'a', at: now, rain: 0.5, label: 1 },
]

/** Values of a query of DuckDB's, as text of JSON has them. */
async function query(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    await connection.run(`set timezone = 'UTC'`)
    return (await connection.runAndReadAll(sql)).getRowObjectsJson() as Record<string, unknown>[]
  } finally {
    connection.disconnectSync()
    instance.closeSync()
  }
}

async function writeSpine(name: string, rows: readonly SpineRow[] = spine): Promise<string> {
  const path = join(folder, name)
  const text = (value: string | null) => (value === null ? 'null' : `'${value}'`)
  const values = rows.map(
    ({ shop, at, rain, label }) =>
      `(${text(shop)}, ${at === null ? 'null' : `make_timestamptz(${at})`}, ${rain}::DOUBLE, ${label}::TINYINT)`,
  )
  const columns = 'shop_id, event_timestamp, rain, label'
  await query(
    `set timezone = 'UTC'; copy (select * from (values ${values.join(', ')}) as t(${columns})) to '${path}'`,
  )
  return path
}

async function make(
  spinePath: string,
  out: string,
  more: Partial<Omit<TrainingRequest, 'spine'>> & {
    readonly spine?: Partial<TrainingRequest['spine']>
    readonly selection?: FeatureSelection
    readonly fullNames?: boolean
  } = {},
): Promise<MadeTrainingSet> {
  const { stores, registry } = gateway.gateway
  const format = /\.(parquet|csv|ndjson)$/.exec(spinePath)?.[1] as 'parquet' | 'csv' | 'ndjson'
  const { selection = { service: 'demand_v1' }, fullNames = false, spine: reading = {}, ...rest } = more
  const opened = await stores.files.open(spinePath, format)
  try {
    const snapshots = postgresAsOfSnapshots(stores.system, { project, countNonFinite: () => {} })
    const spineRequest = {
      path: spinePath,
      opened,
      map: new Map(),
      time: null,
      timezone: null,
      timeUnit: null,
    }
    return await makeTrainingSet(
      { snapshots, trainingFiles: duckDbTrainingFiles, onDemand: { folder, onFailure: () => {} } },
      {
        service: selectedFeatures(registry, selection, fullNames),
        spine: { ...spineRequest, ...reading },
        ...{
          rows: null,
          knownAt: { kind: 'ALL' },
          visibleIn: null,
          files: [],
          out,
          format: 'parquet',
          vector: true,
          statuses: true,
        },
        limit: readLimit(usualReadLimit, 'ask for less'),
        onProgress: () => {},
        signal: new AbortController().signal,
        ...rest,
      },
    )
  } finally {
    await opened.close()
  }
}

/** What the service answers over GraphQL for each row that has a key and a time; null for others. */
async function answers(rows: readonly SpineRow[], known = (_: Micros): Micros | null => null) {
  const asked = rows.filter(({ shop, at }) => shop !== null && at !== null)
  const { data } = await gateway.ask(
    `query ($rows: [DemandV1AsOf!]!) { demandV1AsOf(rows: $rows) { nodes { row { seats rating sold spent vector statuses } } } }`,
    {
      rows: asked.map(({ shop, at, rain }) => {
        const knownAt = known(at ?? 0)
        const times = {
          asOf: formatTimestamp(at ?? 0),
          ...(knownAt !== null && { knownAt: formatTimestamp(knownAt) }),
        }
        return { shopId: shop, rain, ...times }
      }),
    },
  )
  const nodes = data.demandV1AsOf.nodes.values()
  return rows.map((row) => (asked.includes(row) ? nodes.next().value.row : null))
}

const columns = ['seats', 'rating', 'sold', 'spent']

function shown(row: Readonly<Record<string, unknown>>) {
  const pick = (suffix: string) => columns.map((name) => row[`${name}${suffix}`])
  const numbers = pick('').map((value) => (value === null ? null : Number(value)))
  return { values: numbers, vector: row['vector'], statuses: pick('__status') }
}

/** What looks like an integer is a BIGINT of a text file, which JSON has as text. */
function numbered(row: Readonly<Record<string, unknown>>) {
  return { ...row, label: row['label'] === null ? null : Number(row['label']) }
}

describe('a training set', () => {
  it('has for each row of the spine, in order, what the service answers at the time of the row', async () => {
    const out = join(folder, 'train.parquet')
    const made = await make(await writeSpine('labels.parquet'), out)
    const rows = await query(`select * from '${out}'`)
    const expected = await answers(spine)
    expect(rows).toHaveLength(spine.length)
    rows.forEach((row, index) => {
      const answer = expected[index]
      if (answer === null) {
        expect(shown(row)).toEqual({
          values: [null, null, null, null],
          vector: [4, 0, spine[index]?.rain, 0, 0],
          statuses: columns.map(() => 'NOT_FOUND'),
        })
        return
      }
      const [seats, rating, , sold, spent] = answer.statuses
      expect(shown(row)).toEqual({
        values: columns.map((name) => (answer[name] === null ? null : Number(answer[name]))),
        vector: answer.vector,
        statuses: [seats, rating, sold, spent],
      })
    })
    expect(made.spine).toMatchObject({
      rows: 8,
      missingKeys: 1,
      missingTimes: 1,
      from: now - 50 * hour,
      to: now,
    })
    expect(made.features.map(({ name, violated }) => [name, violated])).toEqual([
      ['seats', 0],
      ['rating', 3],
      ['sold', 0],
      ['spent', 0],
    ])
    const { statuses } = made.features[0] ?? {}
    expect(statuses).toMatchObject({ PRESENT: 3, OUTSIDE_TTL: 1, NOT_FOUND: 4 })
  })

  it('passes the columns of a Parquet spine through, with their types', async () => {
    const out = join(folder, 'types.parquet')
    await make(await writeSpine('typed.parquet'), out)
    const types = await query(
      `select column_name as name, column_type as type from (describe select * from '${out}')`,
    )
    expect(Object.fromEntries(types.map(({ name, type }) => [name, type]))).toEqual({
      ...{
        shop_id: 'VARCHAR',
        event_timestamp: 'TIMESTAMP WITH TIME ZONE',
        rain: 'DOUBLE',
        label: 'TINYINT',
      },
      ...{ seats: 'BIGINT', rating: 'FLOAT', sold: 'BIGINT', spent: 'DECIMAL(18,2)', vector: 'DOUBLE[]' },
      ...Object.fromEntries(columns.map((name) => [`${name}__status`, 'VARCHAR'])),
    })
    const labels = await query(`select label from '${out}'`)
    expect(labels.map(({ label }) => label)).toEqual(spine.map(({ label }) => label))
  })

  it('is the same of a spine in CSV and NDJSON, whose columns have the types that all their values have', async () => {
    const parquet = join(folder, 'same.parquet')
    await make(await writeSpine('same-labels.parquet'), parquet)
    const expected = (await query(`select * from '${parquet}'`)).map(numbered)
    for (const format of ['csv', 'ndjson']) {
      const out = join(folder, `same-of-${format}.parquet`)
      await make(await writeSpine(`labels.${format}`), out)
      expect((await query(`select * from '${out}'`)).map(numbered)).toEqual(expected)
    }
  })

  it('has in a CSV the texts as they are, formulas of spreadsheets too, each one cell', async () => {
    const texts = ['=1+1', `@SUM(A1)`, '+1,-1', `=cmd|' /C calc'!A0`, '-"2"', '\t=1']
    const path = join(folder, 'formulas.csv')
    const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
    await writeFile(
      path,
      `shop_id,event_timestamp,rain,note\n${texts.map((text) => `a,${formatTimestamp(now)},1,${quoted(text)}\n`).join('')}`,
    )
    const out = join(folder, 'formulas-train.csv')
    await make(path, out, { format: 'csv' })
    const made = await query(`select note from read_csv('${out}', all_varchar = true)`)
    expect(made).toEqual(texts.map((note) => ({ note })))
  })

  it('is known at the time of each row, or at one moment, where that is asked for', async () => {
    const rows = spine.filter(({ shop, at }) => shop === 'a' && at !== null)
    const path = await writeSpine('known.parquet', rows)
    for (const text of ['row', 'row+30m', formatTimestamp(now - 7.2 * hour)]) {
      const knownAt = parseKnownAt(text)
      const out = join(folder, 'known-train.parquet')
      await make(path, out, { knownAt })
      const expected = await answers(rows, (at) =>
        knownAt.kind === 'ROW' ? at + knownAt.delayMicros : knownAt.kind === 'MOMENT' ? knownAt.at : null,
      )
      const made = await query(`select * from '${out}'`)
      expect(made.map((row) => row['vector'])).toEqual(expected.map(({ vector }) => vector))
    }
  })

  it('is of features of any type and of any views too, with their full names where two are called alike', async () => {
    const out = join(folder, 'features.ndjson')
    const selection = { features: ['profile', 'recent:sold', 'profile:seats'] }
    const knownAt = { kind: 'ROW', delayMicros: 0 } as const
    const options = { selection, knownAt, format: 'ndjson' as const, vector: false, statuses: false }
    await make(await writeSpine('plain.parquet', spine.slice(1, 2)), out, options)
    expect(JSON.parse(await readFile(out, 'utf8'))).toMatchObject({
      ...{
        shop_id: 'a',
        rain: 1,
        label: 0,
        rating: Math.fround(0.1),
        tags: ['x', 'y'],
        name: 'Ä, "b"',
        sold: 0,
      },
      seats: Number('9007199254740993'),
    })
    await make(await writeSpine('full.parquet'), out, { ...options, fullNames: true })
    const [first = ''] = (await readFile(out, 'utf8')).split('\n')
    expect(Object.keys(JSON.parse(first))).toEqual([
      ...[
        'shop_id',
        'event_timestamp',
        'rain',
        'label',
        'profile__seats',
        'profile__rating',
        'profile__tags',
      ],
      ...['profile__opened', 'profile__name', 'recent__sold'],
    ])
  })

  it('is made of an empty spine, with no rows and all columns', async () => {
    const out = join(folder, 'empty.parquet')
    await query(
      `copy (select * from '${await writeSpine('some.parquet')}' limit 0) to '${join(folder, 'none.parquet')}'`,
    )
    expect((await make(join(folder, 'none.parquet'), out)).spine.rows).toBe(0)
    expect(await query(`select count(*)::INTEGER as n, any_value(spent) as spent from '${out}'`)).toEqual([
      { n: 0, spent: null },
    ])
  })

  it('is refused where the spine cannot be read, says what and where, and leaves nothing', async () => {
    const lines = (...rows: readonly string[]) => ['shop_id,event_timestamp,rain,label', ...rows].join('\n')
    const at = formatTimestamp(now)
    const refused: readonly (readonly [file: string, text: string, message: string | RegExp])[] = [
      [
        'zone.csv',
        lines('a,2026-11-01 10:00:00,1,1'),
        /row 1, column "event_timestamp": expected a time with an offset.*--assume-utc/,
      ],
      [
        'type.csv',
        lines(`a,${at},1,1`, `a,${at},wet,1`),
        'row 2, column "rain": expected a number, got "wet"',
      ],
      [
        'less.csv',
        `shop,event_timestamp\na,${at}`,
        /no column "shop_id" \(join key, string\)(?:.|\n)*no column "rain"/,
      ],
      ['none.csv', `shop_id,rain,when\na,1,${at}`, 'no column "event_timestamp" of the rows\' times'],
      ['made.csv', `shop_id,event_timestamp,rain,seats\na,${at},1,1`, 'called like features: seats'],
      ['cut.parquet', 'PAR1', 'cannot be read as Parquet'],
    ]
    for (const [file, text, message] of refused) {
      const path = join(folder, file)
      await writeFile(path, text)
      const out = join(folder, 'refused.parquet')
      const made = make(path, out)
      await expect(made).rejects.toThrow(BadUserInput)
      await expect(made).rejects.toThrow(message)
    }
    const left = (await readdir(folder)).filter((name) => name.startsWith('refused') || name.startsWith('.'))
    expect(left).toEqual([])
  })

  it('takes times without an offset, of a unit and of another column, where that is said', async () => {
    const path = join(folder, 'odd.csv')
    const local = new Date(now / 1_000 + 3_600_000).toISOString().slice(0, 19).replace('T', ' ')
    await writeFile(path, `user,day,rain,label\na,${local},0.5,1`)
    const out = join(folder, 'odd.parquet')
    const map = new Map([['user', 'shop_id']])
    await make(path, out, { spine: { map, time: 'day', timezone: 'Etc/GMT-1' } })
    await writeFile(path, `user,day,rain,label\na,${Math.floor(now / 1_000)},0.5,1`)
    const other = join(folder, 'unit.parquet')
    await make(path, other, { spine: { map, time: 'day', timeUnit: 'ms' } })
    for (const file of [out, other])
      expect(await query(`select seats, "user", label::INTEGER as label from '${file}'`)).toEqual([
        { seats: '7', user: 'a', label: 1 },
      ])
  })

  it('is explained before it is made: how each view is read, the estimates and the statement', async () => {
    const path = join(folder, 'many.csv')
    const lines = Array.from({ length: 1_200 }, (_, row) => `a,${formatTimestamp(now - row * 1_000_000)},0`)
    await writeFile(path, ['shop_id,event_timestamp,rain', ...lines].join('\n'))
    const { stores, registry } = gateway.gateway
    const opened = await stores.files.open(path, 'csv')
    const text = await explainTrainingSet(
      {
        snapshots: postgresAsOfSnapshots(stores.system, { project, countNonFinite: () => {} }),
        engines: null,
      },
      {
        service: selectedFeatures(registry, { service: 'demand_v1' }, false),
        spine: { path, opened, map: new Map(), time: null, timezone: null, timeUnit: null },
        ...{
          engine: 'auto',
          rows: null,
          knownAt: { kind: 'ALL' },
          visibleIn: null,
          files: [],
          vector: false,
          statuses: false,
        },
        limit: readLimit(usualReadLimit, ''),
      },
    ).finally(opened.close)
    expect(text).toMatch(/^by postgres: no other engine is set up\n1,200 rows of the spine/)
    expect(text).toMatch(/\nprofile: (LATERAL|SCATTER), .*\n {2}1,200 different entity rows/)
    expect(text).toMatch(/\nrecent: MERGE, .*\n.*\n {2}select g.place, s\.\*/)
  })

  it('is refused before it reads more stored rows than it may', async () => {
    const path = join(folder, 'many.csv')
    const out = join(folder, 'too-many.parquet')
    const made = make(path, out, { limit: readLimit(1, '--max-reads <number> raises it') })
    await expect(made).rejects.toThrow(LimitExceeded)
    await expect(made).rejects.toThrow(
      /stored rows read, .*at most 1 are allowed: --max-reads <number> raises it/,
    )
    expect(await readdir(folder)).not.toContain('too-many.parquet')
  })

  it('has one entity in two roles, each by its own column, as the service answers it', async () => {
    const path = join(folder, 'rivals.csv')
    const rows = [
      ...[
        ['a', 'b'],
        ['b', 'a'],
        ['a', 'a'],
        ['nobody', 'a'],
      ].map(([shop, rival]) => ({ shop, rival, at: formatTimestamp(now) })),
      { shop: 'a', rival: 'a', at: formatTimestamp(now - 25 * hour) },
    ]
    const lines = rows.map(({ shop, rival, at }) => `${shop},${rival},${at}`)
    await writeFile(path, ['shop_id,other,event_timestamp', ...lines].join('\n'))
    const out = join(folder, 'rivals.parquet')
    const map = new Map([['other', 'rival_id']])
    const of = { spine: { map }, selection: { service: 'rivalry_v1' } }
    await make(path, out, of)
    const { data } = await gateway.ask(
      `query ($rows: [RivalryV1AsOf!]!) { rivalryV1AsOf(rows: $rows) { nodes { row { vector names statuses } } } }`,
      { rows: rows.map(({ shop, rival, at }) => ({ shopId: shop, rivalId: rival, asOf: at })) },
    )
    const answered = data.rivalryV1AsOf.nodes.map(({ row }: { row: object }) => row)
    const names = ['seats', 'rival_seats', 'rival__rating', 'rival__sold']
    const made = await query(`select * from '${out}'`)
    expect(
      made.map((row) => ({
        ...{ vector: row['vector'], names },
        statuses: names.map((name) => row[`${name}__status`]),
      })),
    ).toEqual(answered)

    const features = ['profile:seats', 'profile@rival(shop_id=rival_id):seats', 'profile@rival:rating']
    const asked = { spine: { map }, selection: { features: [...features, 'recent@rival:sold'] } }
    await make(path, join(folder, 'rivals-asked.parquet'), asked)
    const own = ['seats', 'rival__seats', 'rival__rating', 'rival__sold']
    const listed = (columns: readonly string[], file: string) =>
      query(`select ${columns.map((name) => `"${name}"`).join(', ')} from '${join(folder, file)}'`)
    const values = (found: Awaited<ReturnType<typeof listed>>) => found.map((row) => Object.values(row))
    expect(values(await listed(own, 'rivals-asked.parquet'))).toEqual(
      values(await listed(names, 'rivals.parquet')),
    )
    expect(selectedFeatures(gateway.gateway.registry, asked.selection, true).vector).toMatchObject([
      { name: 'profile__seats' },
      { name: 'rival__profile__seats' },
      { name: 'rival__profile__rating' },
      { name: 'rival__recent__sold' },
    ])
  })

  it('has no vector of what is no number, and says so before anything is written', async () => {
    const selection = { features: ['profile'] }
    const made = make(await writeSpine('words.parquet'), join(folder, 'words-made.parquet'), { selection })
    await expect(made).rejects.toThrow(BadUserInput)
    await expect(made).rejects.toThrow('and would hold tags (string[]), opened (timestamp), name (string)')
  })

  it('is made by the command of docs/training-sets.md, with a card beside it, and once more by the card', async () => {
    const [command = '', again = ''] = blocksOf('docs/training-sets.md', 'sh').filter((text) =>
      text.includes('training-set '),
    )
    const [spinePath, out] = [await writeSpine('card.parquet'), join(folder, 'carded.parquet')]
    const names = new Map([
      ['fraud_detection_v1', 'demand_v1'],
      ['labels.parquet', spinePath],
      ['train.parquet', out],
      ['train.parquet.card.json', `${out}.card.json`],
      ['again.parquet', `${out}.again.parquet`],
    ])
    const wordsOf = (text: string): readonly string[] =>
      text
        .trim()
        .replace('npx featuregraph ', '')
        .split(' ')
        .map((word) => names.get(word) ?? word)
    const own = {
      OFFLINE_URL: database.url,
      PROJECT: project,
      SCHEMA: join(folder, 'schema'),
      LOG_LEVEL: 'error',
    }
    const { code, stdout, stderr } = await startCommand(wordsOf(command), own, folder).ended
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(
      /carded\.parquet: 8 rows \(1 without a join key, 1 without a time.*\), \d+ bytes, by postgres \(an index finds at most 10,000 rows soonest\), as of /,
    )
    const card = JSON.parse(await readFile(`${out}.card.json`, 'utf8'))
    expect(card).toMatchObject({
      ...{
        service: 'demand_v1',
        vector: ['seats', 'rating', 'rain', 'sold', 'spent'],
        registryVersion: 1,
        knownAt: null,
      },
      spine: { file: 'card.parquet', rows: 8, missingKeys: 1, missingTimes: 1 },
      output: {
        file: 'carded.parquet',
        sha256: createHash('sha256')
          .update(await readFile(out))
          .digest('hex'),
      },
    })
    expect(card.features[0]).toMatchObject({
      name: 'seats',
      type: 'int64',
      nullRate: 5 / 8,
      maximum: 7,
      mean: 7,
    })

    await gateway.write('profile', [
      { key: { shop_id: 'a' }, at: now - 8 * hour, created: now - 7 * hour, values: { seats: 1 } },
    ])
    const { code: codeAgain, stderr: said } = await startCommand(wordsOf(again), own, folder).ended
    expect([codeAgain, said]).toEqual([0, ''])
    expect((await readFile(`${out}.again.parquet`)).equals(await readFile(out))).toBe(true)
  })
})
