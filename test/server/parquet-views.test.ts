import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { materialize } from '../../src/ingest/materialize/materialize-view.ts'
import { openRowLayouts } from '../../src/online/row-layouts.ts'
import { isParquet, type ParquetOfflineView } from '../../src/stores/offline-view.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { type FileRow, openParquetFiles, type ParquetFiles } from '../services/parquet-files.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { newProject, startTestGateway, type TestGateway } from './start-test-gateway.ts'

const hour = 3_600_000_000
const noon = Math.floor(systemClock() / hour) * hour - 48 * hour

let files: ParquetFiles
let schema: string
let database: TestDatabase
let world: TestGateway
let visits: ParquetOfflineView
const project = newProject()

beforeAll(async () => {
  ;[files, schema, database] = await Promise.all([
    openParquetFiles(),
    mkdtemp(path.join(tmpdir(), 'featuregraph-parquet-views-')),
    createTestDatabase(),
  ])
  await writeFile(
    path.join(schema, 'world.mjs'),
    `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
     export const scores = { kind: 'feature-view', name: 'scores', entity: 'customer', features: { score: 'float64' } }
     export const visits = { kind: 'feature-view', name: 'visits', entity: 'customer', features: { n: 'int64', shop: 'string' },
       source: { kind: 'parquet', name: 'lake_visits', path: ${JSON.stringify(path.join(files.folder, 'visits'))},
         eventTimestamp: 'event_timestamp', createdTimestamp: 'created_timestamp', rowId: 'row_id', closing: 'closing',
         empty: { n: 0 }, partitions: { day: 'day' } } }
     export const scoring = { kind: 'feature-service', name: 'scoring', features: [
       { kind: 'pick', view: 'scores', features: [{ name: 'score' }] },
       { kind: 'pick', view: 'visits', features: [{ name: 'n' }] }] }`,
  )
  await put('a', [row(1, 0, 10), row(2, 0, 20), row(3, 0, 30), row(4, 0, 40)])
  const own = { PROJECT: project, SCHEMA: schema }
  await applyFolder({ ...own, OFFLINE_URL: database.url })
  world = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: inject('redisUrl'),
    settings: { ...own, WORKER: 'false' },
  })
  const found = world.gateway.registry.views.find(isParquet)
  if (!found) throw new Error('no view in files')
  visits = found
  await world.write('scores', [{ key: { customer_id: 1 }, values: { score: 0.5 }, at: noon }])
})
afterAll(async () => {
  await world?.close()
  await Promise.all([files?.close(), database?.drop(), rm(schema, { recursive: true, force: true })])
})

let rowIds = 0
function row(customer: number, hours: number, n: number, more: Partial<FileRow> = {}): FileRow {
  rowIds += 1
  const eventTimestamp = noon + hours * hour
  const createdTimestamp = eventTimestamp + hour
  return { key: [customer], eventTimestamp, createdTimestamp, rowId: rowIds, values: [n, `s${n}`], ...more }
}

/** Of one day. */
async function put(name: string, rows: readonly FileRow[]): Promise<void> {
  const day = formatTimestamp(rows[0]?.eventTimestamp ?? 0).slice(0, 10)
  const view = files.view('visits', { customer_id: 'int64' }, { n: 'int64', shop: 'string' })
  await files.write(view, `day=${day}/${name}.parquet`, rows)
}

const selection = '{ visits { n freshness { status } } scores { score } }'
const at = (hours: number): string => formatTimestamp(noon + hours * hour)

async function asOf(customer: number, hours: number, knownAt?: number): Promise<unknown> {
  const known = knownAt === undefined ? '' : `, knownAt: "${at(knownAt)}"`
  const { data, errors } = await world.ask(
    `{ customer(customerId: ${customer}, asOf: "${at(hours)}"${known}) ${selection} }`,
  )
  expect(errors).toBeUndefined()
  const { n, freshness } = data.customer.visits
  return [n, freshness.status, data.customer.scores.score]
}

async function online(customer: number): Promise<unknown> {
  const { data } = await world.ask(`{ customer(customerId: ${customer}) ${selection} }`)
  return [data.customer.visits.n, data.customer.visits.freshness.status]
}

async function materializeVisits() {
  const { registry, stores } = world.gateway
  const layouts = await openRowLayouts(project, registry, stores.registry, stores.guardRecord)
  const view = registry.views.find(({ name }) => name === 'visits')
  if (view?.kind !== 'PLAIN') throw new Error('no view of rows')
  return await materialize({ ...stores, ...layouts, clock: systemClock }, view, {
    range: null,
    newMarker: () => `${Math.random()}`,
    sleep: async () => {},
    onWait: () => {},
    onProgress: () => {},
  })
}

describe('a feature view whose rows stand in Parquet files', () => {
  it('is answered as of a time beside one of the database, in one query, with what was known then', async () => {
    await put('b', [row(1, 2, 11), row(2, 2, 0, { closing: true })])
    expect(await asOf(1, 1)).toEqual([10, 'PRESENT', 0.5])
    expect(await asOf(1, 2)).toEqual([11, 'PRESENT', 0.5])
    expect(await asOf(1, 2, 2)).toEqual([10, 'PRESENT', 0.5])
    expect(await asOf(1, -1)).toEqual([0, 'NOT_FOUND', null])
    expect(await asOf(2, 1)).toEqual([20, 'PRESENT', null])
    expect(await asOf(2, 3)).toEqual([0, 'NOT_FOUND', null])
    const { data } = await world.ask(
      `{ scoring(keys: [{ customerId: 1 }], asOf: "${at(2)}") { score n statuses } }`,
    )
    expect(data.scoring).toEqual([{ score: 0.5, n: 11, statuses: ['PRESENT', 'PRESENT'] }])
  })

  it('is materialized by the files that are new, and answers online what it answers as of now', async () => {
    // The guard may have filled the view at the start.
    await materializeVisits()
    await expect.poll(() => online(1)).toEqual([11, 'PRESENT'])
    expect(await online(2)).toEqual([0, 'NOT_FOUND'])
    await put('c', [row(3, 3, 33), row(4, -3, 4)])
    const second = await materializeVisits()
    expect([second.scope, second.reason, second.read]).toEqual(['ARRIVED', null, 2])
    expect([await online(3), await online(4)]).toEqual([
      [33, 'PRESENT'],
      [40, 'PRESENT'],
    ])
    expect((await materializeVisits()).read).toBe(0)
    await put('c', [row(3, 3, 34)])
    const third = await materializeVisits()
    expect([third.scope, third.reason]).toEqual(['FULL', 'FILES_CHANGED'])
    expect(await online(3)).toEqual([34, 'PRESENT'])
  })

  it('has a history', async () => {
    const { data, errors } = await world.ask(
      `{ customer(customerId: 1) { visitsHistory(from: "${at(-1)}", to: "${at(9)}", first: 1) { nodes { n } pageInfo { endCursor hasNextPage } } } }`,
    )
    expect(errors).toBeUndefined()
    const page = data.customer.visitsHistory
    expect([page.nodes, page.pageInfo.hasNextPage]).toEqual([[{ n: 11 }], true])
    const next = await world.ask(
      `query($after: String) { customer(customerId: 1) { visitsHistory(from: "${at(-1)}", to: "${at(9)}", first: 5, after: $after) { nodes { n } } } }`,
      { after: page.pageInfo.endCursor },
    )
    expect(next.data.customer.visitsHistory.nodes).toEqual([{ n: 10 }])
  })

  it('takes no pushed rows', async () => {
    const response = await fetch(`${world.url}/push/visits`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: JSON.stringify({ customer_id: 1, event_timestamp: at(0), n: 1 }),
    })
    expect(response.status).toBe(400)
    expect(await response.text()).toContain(
      'the rows of feature view \\"visits\\" come from the source \\"lake_visits\\"; only views without a source take pushed rows',
    )
  })

  it('leaves out rows of a deleted entity up to its deletion, wherever they are read, and says where they still stand', async () => {
    const deleted = await world.ask('mutation { deleteCustomer(customerId: 4) { deletedAt notReached } }')
    expect(deleted.data.deleteCustomer.notReached).toContain(
      `the files ${visits.source.path} of source "lake_visits", which feature view "visits" reads`,
    )
    expect(await asOf(4, 2)).toEqual([0, 'NOT_FOUND', null])
    const history = `{ customer(customerId: 4) { visitsHistory(from: "${at(-9)}", to: "${at(9)}") { nodes { n } } } }`
    expect((await world.ask(history)).data.customer.visitsHistory.nodes).toEqual([])
    await put('d', [row(5, 0, 50)])
    await materializeVisits()
    expect(await online(4)).toEqual([0, 'NOT_FOUND'])
    const later = systemClock() + hour
    await put('later', [row(4, 0, 44, { eventTimestamp: later, createdTimestamp: null })])
    const { data } = await world.ask(
      `{ customer(customerId: 4, asOf: "${formatTimestamp(later)}") { visits { n } } }`,
    )
    expect(data.customer.visits.n).toBe(44)
  })

  it('is UNAVAILABLE alone while its files cannot be read', async () => {
    await rename(visits.source.path, `${visits.source.path}.away`)
    try {
      const { data, errors } = await world.ask(
        `{ customer(customerId: 1, asOf: "${at(1)}") { visits { n freshness { status } } scores { score freshness { status } } } }`,
      )
      expect(data.customer).toEqual({
        visits: { n: null, freshness: { status: 'UNAVAILABLE' } },
        scores: { score: 0.5, freshness: { status: 'PRESENT' } },
      })
      expect(errors).toHaveLength(1)
      expect(JSON.stringify(errors)).not.toContain(visits.source.path)
      expect(world.logLines.join('\n')).toContain('there are no Parquet files')
      // It starts without them, and an apply refuses them.
      const { offline, tables } = world.gateway.stores
      await expect(offline.ensureTables([visits], [], 'CHECK')).resolves.toEqual({
        missingColumns: [],
        ignoredColumns: [],
      })
      await expect(tables.missing([visits], [])).rejects.toThrow('there are no Parquet files')
    } finally {
      await rename(`${visits.source.path}.away`, visits.source.path)
    }
    expect(await asOf(1, 1)).toEqual([10, 'PRESENT', 0.5])
  })
})
