import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import { OnDemandFailed } from '../../src/errors.ts'
import { readLimit, usualReadLimit } from '../../src/historical/plan/read-limit.ts'
import { makeTrainingSet } from '../../src/historical/training/make-training-set.ts'
import { selectedFeatures } from '../../src/historical/training/selected-features.ts'
import type { ComputeThreadOptions } from '../../src/on-demand/open-compute-thread.ts'
import { duckDbTrainingFiles } from '../../src/stores/duckdb/training-file.ts'
import { postgresAsOfSnapshots } from '../../src/stores/postgres/features/as-of-snapshot.ts'
import { seededRandom } from '../faults/random.ts'
import { newProject, startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { waitUntil } from '../services/wait-until.ts'

const project = newProject()
const hour = 3_600_000_000
const now = Date.now() * 1_000

/** What the function makes of its inputs, as a text of its file. */
function definitions(formula: string): string {
  return `
export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
export const spent = {
  kind: 'feature-view', name: 'spent', entity: 'customer', ttl: '2d',
  features: { mean: 'float64', visits: 'int64', words: 'string[]' },
}
export const compared = {
  kind: 'on-demand-view', name: 'compared',
  inputs: [
    { kind: 'pick', view: 'spent', features: [{ name: 'mean' }, { name: 'visits' }, { name: 'words' }] },
    { kind: 'request', name: 'amount', type: 'float64' },
    { kind: 'request', name: 'factor', type: 'int32', default: 3 },
  ],
  features: { ratio: 'float64', digits: 'int64', longest: 'string' },
  compute: ({ mean, visits, words, amount, factor }) => {
    if (amount !== null && amount < -90) throw new Error('too little')
    while (amount === 12345);
    return {
      ratio: ${formula},
      digits: visits === null ? null : visits,
      longest: words === null ? null : words.sort((a, b) => b.length - a.length)[0],
    }
  },
}
export const comparedV1 = {
  kind: 'feature-service', name: 'compared_v1',
  features: [
    { kind: 'pick', view: 'compared', features: [{ name: 'ratio', default: -1 }, { name: 'digits' }] },
    { kind: 'request', name: 'amount', type: 'float64' },
  ],
}
`
}

const ratio = 'mean === null || amount === null ? null : (amount * factor) / mean'

let folders: readonly string[] = []
let database: TestDatabase
let gateway: TestGateway

async function newFolder(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-on-demand-'))
  folders = [...folders, folder]
  await writeFile(join(folder, 'compared.ts'), text)
  return folder
}

beforeAll(async () => {
  const folder = await newFolder(definitions(ratio))
  database = await createTestDatabase()
  gateway = await startTestGateway({
    ...{ offlineUrl: database.url, onlineUrl: 'memory:', makeTables: false },
    settings: { PROJECT: project, SCHEMA: folder, WORKER: 'false' },
  })
})
afterAll(async () => {
  await gateway?.close()
  await database?.drop()
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
})

interface AskedRow {
  readonly customer: number
  readonly amount: number | null
  readonly factor: number | null
  readonly at: number
}

const folderOf = (place: number): string => folders[place] ?? ''

async function train(spine: readonly AskedRow[], folder: string, features: readonly string[] | null = null) {
  const { stores, registry } = gateway.gateway
  const [path, out] = [join(folderOf(0), 'spine.csv'), join(folderOf(0), 'out.ndjson')]
  const lines = spine.map(({ customer, amount, factor, at }) =>
    [customer, amount ?? '', factor ?? '', formatTimestamp(at)].join(','),
  )
  await writeFile(path, ['customer_id,amount,factor,event_timestamp', ...lines].join('\n'))
  const opened = await stores.files.open(path, 'csv')
  const failed: string[] = []
  const onDemand: Omit<ComputeThreadOptions, 'views'> = {
    ...{ folder, deadlineMs: 2_000 },
    onFailure: ({ kind, message }) => failed.push(`${kind} ${message}`),
  }
  try {
    const snapshots = postgresAsOfSnapshots(stores.system, { project, countNonFinite: () => {} })
    const made = await makeTrainingSet(
      { snapshots, trainingFiles: duckDbTrainingFiles, onDemand },
      {
        service: selectedFeatures(registry, features ? { features } : { service: 'compared_v1' }, false),
        spine: { path, opened, map: new Map(), time: null, timezone: null, timeUnit: null },
        ...{ knownAt: { kind: 'ALL' }, out, format: 'ndjson', vector: features === null, statuses: true },
        limit: readLimit(usualReadLimit, 'ask for less'),
        ...{ rows: null, visibleIn: null, files: [], signal: new AbortController().signal },
        onProgress: () => {},
      },
    )
    // An int64 that JSON's numbers cannot hold.
    const text = (await readFile(out, 'utf8')).replace(/:(\d{16,})\b/g, ':"$1"')
    const rows = text.trim().split('\n')
    return { made, failed, rows: rows.map((line) => JSON.parse(line) as Record<string, unknown>) }
  } finally {
    await opened.close()
  }
}

async function askAsOf(spine: readonly AskedRow[]) {
  const { data, errors } = await gateway.ask(
    'query ($rows: [ComparedV1AsOf!]!) { comparedV1AsOf(rows: $rows) { nodes { row { ratio digits vector statuses } } } }',
    {
      rows: spine.map(({ customer, amount, factor, at }) => ({
        ...{ customerId: customer, amount, asOf: formatTimestamp(at) },
        ...(factor !== null && { factor }),
      })),
    },
  )
  expect(errors).toBeUndefined()
  return data.comparedV1AsOf.nodes.map(({ row }: { readonly row: object }) => row)
}

describe('an on-demand view', () => {
  it('has the same values online, as of a past time and in a training set, whatever its inputs are', async () => {
    const random = seededRandom(7)
    const pick = <One>(...all: readonly One[]): One => all[Math.floor(random() * all.length)] as One
    const stored = Array.from({ length: 30 }, () => ({
      key: { customer_id: 1 + Math.floor(random() * 6) },
      at: now - Math.floor(random() * 100 * hour),
      values: {
        mean: pick<number | null>(null, 2.5, random() * 100),
        visits: pick<number | string | null>(null, 3, '9007199254740993'),
        words: pick<readonly string[] | null>(null, [], ['a', 'abc', 'ab']),
      },
    }))
    await gateway.write('spent', stored)
    const spine = Array.from(
      { length: 60 },
      (): AskedRow => ({
        customer: 1 + Math.floor(random() * 8),
        amount: pick(0, -99, random() * 50),
        factor: pick<number | null>(null, 1, 7),
        at: pick(now, now - Math.floor(random() * 120 * hour)),
      }),
    )
    const asked = await askAsOf(spine)
    const { rows, made, failed } = await train(spine, folderOf(0))
    expect(rows.map((row) => row['vector'])).toEqual(
      asked.map((row: { readonly vector: unknown }) => row.vector),
    )
    rows.forEach((row, index) => {
      const { ratio: value, digits, statuses } = asked[index]
      expect([row['ratio'], String(row['digits'])]).toEqual([value, String(digits)])
      expect([row['ratio__status'], row['digits__status']]).toEqual(statuses.slice(0, 2))
    })
    const counted = new Set(rows.map((row) => row['ratio__status']))
    expect([...counted].sort()).toEqual(['FAILED', 'NULL_VALUE', 'PRESENT'])
    expect(failed).toEqual(['THREW Error: too little'])
    expect(made.features.map(({ name }) => name)).toEqual(['ratio', 'digits'])

    const present = spine.filter(({ at }) => at === now)
    const keys = present.map(({ customer, amount, factor }) => ({
      ...{ customerId: customer, amount },
      ...(factor !== null && { factor }),
    }))
    const online = await gateway.ask(
      'query ($keys: [ComparedV1Key!]!) { comparedV1(keys: $keys) { ratio digits vector statuses } }',
      { keys },
    )
    expect(online.errors).toBeUndefined()
    expect(online.data.comparedV1).toEqual(
      asked.filter((_: unknown, index: number) => spine[index]?.at === now),
    )
    expect(
      (await gateway.metrics()).get('featuregraph_on_demand_failures_total{view="compared",kind="threw"}'),
    ).toBe(
      spine.filter(({ amount }) => amount === -99).length +
        present.filter(({ amount }) => amount === -99).length,
    )
    expect(gateway.logLines.filter((line) => line.includes('too little')).length).toBe(1)
  })

  it('is in a training set of features by its name, with its request values as columns of the spine', async () => {
    const spine = [{ customer: 1, amount: 5, factor: 2, at: now }]
    const { rows } = await train(spine, folderOf(0), ['compared:longest', 'spent:mean'])
    expect(Object.keys(rows[0] ?? {})).toEqual([
      ...['customer_id', 'amount', 'factor', 'event_timestamp', 'longest', 'mean'],
      ...['longest__status', 'mean__status'],
    ])
  })

  it('fails a training set whose function does not come to an end, and leaves no file', async () => {
    const spine = [
      { customer: 1, amount: 1, factor: 1, at: now },
      { customer: 1, amount: 12345, factor: 1, at: now },
    ]
    await rm(join(folderOf(0), 'out.ndjson'), { force: true })
    await expect(train(spine, folderOf(0))).rejects.toThrow(OnDemandFailed)
    await expect(readFile(join(folderOf(0), 'out.ndjson'))).rejects.toThrow('ENOENT')
  })
})

const question =
  '{ customer(customerId: 999) { compared(amount: 2) { digits status } } comparedV1(keys: [{ customerId: 1, amount: 4 }]) { ratio statuses } }'

describe('an applied version with another function', () => {
  it('is answered UNAVAILABLE until the gateway has its file, by no other function meanwhile, and a training set is refused', async () => {
    const next = definitions('amount === null ? null : amount * 1000')
    const elsewhere = await newFolder(next)
    const settings = { OFFLINE_URL: database.url, PROJECT: project }
    const answers = new Set<string>()
    let asking = true
    const askAll = (async () => {
      while (asking) {
        const { data } = await gateway.ask(question)
        answers.add(`${data.comparedV1[0].ratio} ${data.comparedV1[0].statuses[0]}`)
      }
    })()
    const before = (await gateway.ask(question)).data.comparedV1[0].ratio
    await applyFolder({ ...settings, SCHEMA: elsewhere })
    await waitUntil(async () => gateway.gateway.served.version === 2, 'version 2 is served')
    const { data, errors } = await gateway.ask(question)
    expect(data.customer.compared).toEqual({ digits: null, status: 'UNAVAILABLE' })
    expect(data.comparedV1[0]).toEqual({ ratio: null, statuses: ['UNAVAILABLE', 'UNAVAILABLE', 'PRESENT'] })
    expect(errors?.map(({ extensions }) => extensions['reason'])).toEqual(['NO_FUNCTION', 'NO_FUNCTION'])
    expect(
      gateway.logLines.some((line) => line.includes('compared: its function of version 2 is not among')),
    ).toBe(true)
    await expect(train([{ customer: 1, amount: 1, factor: 1, at: now }], folderOf(0))).rejects.toThrow(
      'the functions of compared, as they were applied, are not among the files in',
    )

    await writeFile(join(folderOf(0), 'compared.ts'), next)
    await waitUntil(
      async () => (await gateway.ask(question)).data.comparedV1[0].ratio === 4_000,
      'the file is found',
    )
    asking = false
    await askAll
    expect([...answers].sort()).toEqual([`${before} PRESENT`, '4000 PRESENT', 'null UNAVAILABLE'].sort())

    // What was applied before is still there, although no file holds it any more.
    const back = await newFolder(definitions(ratio))
    await applyFolder({ ...settings, SCHEMA: back })
    await waitUntil(async () => gateway.gateway.served.version === 3, 'version 3 is served')
    expect((await gateway.ask(question)).data.comparedV1[0]).toMatchObject({ ratio: before })
  })
})
