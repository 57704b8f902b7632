import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import { exportStores } from '../../src/gateway/export-stores.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { exportSubject } from '../../src/ingest/export/export-subject.ts'
import { materialize } from '../../src/ingest/materialize/materialize-view.ts'
import { openRowLayouts } from '../../src/online/row-layouts.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { newProject, startTestGateway, type TestGateway, type TestRow } from './start-test-gateway.ts'

const hour = 3_600_000_000
const noon = Math.floor(systemClock() / hour) * hour - 96 * hour
const project = newProject()
const lake = { extensionsFolder: null, s3: { credentials: null, region: 'us-east-1', endpoint: null } }

let folder: string
let database: TestDatabase
let world: TestGateway
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(path.join(tmpdir(), 'featuregraph-moved-')),
    createTestDatabase(),
  ])
  const view = (name: string, source = ''): string =>
    `export const ${name} = { kind: 'feature-view', name: '${name}', entity: 'shelf', ttl: '60h', ${source}
       features: { score: 'float64', level: 'string', price: 'decimal(2)', tags: 'string[]', seen: 'timestamp', visits: 'int64' } }`
  await writeFile(
    path.join(folder, 'world.mjs'),
    `export const shelf = { kind: 'entity', name: 'shelf', joinKeys: { shop: 'string', shelf_no: 'int64' } }
     ${view('stored')}
     ${view(
       'moved',
       `source: { kind: 'parquet', name: 'lake_stored', path: ${JSON.stringify(path.join(folder, 'lake'))},
         eventTimestamp: 'event_timestamp', createdTimestamp: 'created_timestamp', rowId: 'row_id', closing: 'closing', partitions: { day: 'day' } },`,
     )}`,
  )
  const own = { PROJECT: project, SCHEMA: folder }
  await applyFolder({ ...own, OFFLINE_URL: database.url })
  world = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: inject('redisUrl'),
    settings: { ...own, WORKER: 'false' },
  })
})
afterAll(async () => {
  await world?.close()
  await Promise.all([database?.drop(), rm(folder, { recursive: true, force: true })])
})

const shops = ['a', `it's`] as const
const numbers = [1, '9007199254740993', 9] as const

/** Ties of both times, corrections, rows that are known always, and nulls; of the last key none. */
const rows = Array.from({ length: 120 }, (_, index): TestRow => {
  const at = noon + (index % 11) * 7 * hour + (index % 3)
  return {
    ...{ key: { shop: shops[index % 2], shelf_no: numbers[Math.floor(index / 2) % 2] }, at },
    created: index % 5 === 0 ? null : at + (index % 4) * 9 * hour,
    values: {
      ...{ score: index % 6 === 0 ? null : index / 7, level: `l${index}`, price: index + 0.25 },
      ...{
        tags: [`t${index}`, 'é'],
        seen: at + 1,
        visits: String(9_007_199_254_740_993n + BigInt(index)),
      },
    },
  }
})

const fields = '{ score level price tags seen visits freshness { status eventTimestamp } }'

/** What GraphQL answers of one of the views for every key, by the arguments. */
async function answers(view: 'stored' | 'moved', more = ''): Promise<unknown> {
  const keys = shops.flatMap((shop) => numbers.map((shelfNo) => ({ shop, shelfNo })))
  const asked = keys.map(
    ({ shop, shelfNo }, index) =>
      `k${index}: shelf(key: { shop: "${shop}", shelfNo: "${shelfNo}" }${more}) { ${view} ${fields} }`,
  )
  const { data, errors } = await world.ask(`{ ${asked.join('\n')} }`)
  expect(errors).toBeUndefined()
  return keys.map((_, index) => data[`k${index}`][view])
}

async function materializeBoth(): Promise<void> {
  const { registry, stores } = world.gateway
  const layouts = await openRowLayouts(project, registry, stores.registry, stores.guardRecord)
  for (const view of registry.views)
    if (view.kind === 'PLAIN')
      await materialize({ ...stores, ...layouts, clock: systemClock }, view, {
        ...{ range: null, newMarker: () => `${Math.random()}`, sleep: async () => {} },
        ...{ onWait: () => {}, onProgress: () => {} },
      })
}

it('a view that was moved to Parquet files by an export answers online, as of a time and as known then what it answered in Postgres', async () => {
  await world.write('stored', rows)
  const { registry, stores } = world.gateway
  const stored = registry.views.find(({ name }) => name === 'stored')
  if (stored?.kind !== 'PLAIN') throw new Error('no view of rows')
  const log = pino({ level: 'silent' })
  const moved = exportStores({ config: { project, lake }, stores, clock: systemClock, log })
  const { rows: exported } = await exportSubject(moved, {
    ...{
      project,
      subject: { kind: 'ROWS', view: stored },
      definition: null,
      path: path.join(folder, 'lake'),
    },
    ...{ from: undefined, to: undefined, rebuild: false, onWait: () => {}, onProgress: () => {} },
  })
  expect(exported).toBe(rows.length)
  const at = (hours: number): string => `"${formatTimestamp(noon + hours * hour)}"`
  for (const asOf of [-1, 0, 6, 7, 21, 50, 70, 96, 150].filter(
    (hours) => noon + hours * hour <= systemClock(),
  ))
    for (const knownAt of [
      '',
      `, knownAt: ${at(asOf)}`,
      `, knownAt: ${at(asOf + 10)}`,
      `, knownAt: ${at(-50)}`,
    ]) {
      const more = `, asOf: ${at(asOf)}${knownAt}`
      expect(await answers('moved', more), more).toEqual(await answers('stored', more))
    }
  await materializeBoth()
  await expect.poll(() => answers('moved')).toEqual(await answers('stored'))
  // Not all of them nothing.
  expect(JSON.stringify(await answers('moved'))).toContain('"PRESENT"')
  expect(JSON.stringify(await answers('moved'))).toContain('"NOT_FOUND"')
})
