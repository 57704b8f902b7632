import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import { startCommand } from '../cli/start-command.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { newProject, startTestGateway } from './start-test-gateway.ts'

const day = 86_400_000_000

let folder: string
let database: TestDatabase
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-retention-')),
    createTestDatabase(),
  ])
  await mkdir(join(folder, 'schema'))
  await writeFile(
    join(folder, 'schema', 'world.mjs'),
    `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
     export const payments = { kind: 'event-source', name: 'payments', eventTimestamp: 'at', retention: '40d', fields: { customer_id: 'int64' } }
     const features = { n: { aggregate: 'count', window: '30d' }, n_2d: { aggregate: 'count', window: '2d' } }
     const view = { kind: 'windowed-view', entity: 'customer', source: 'payments', features }
     export const recent = { ...view, name: 'recent', compute: { mode: 'stream' } }
     export const daily = { ...view, name: 'daily', compute: { mode: 'batch', every: '1d' } }`,
  )
})
afterAll(async () => {
  await Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()])
})

it('is stored by the worker; what reaches behind it is unavailable with its own code, everything else answers', async () => {
  const own = {
    OFFLINE_URL: database.url,
    ONLINE_URL: inject('redisUrl'),
    PROJECT: newProject(),
    SCHEMA: join(folder, 'schema'),
  }
  await applyFolder(own)
  const run = (...args: readonly string[]) => startCommand(args, own, folder).ended
  const now = Date.now() * 1_000
  const oldest = new Date((now - 40 * day) / 1_000)
  const storedSince = Date.UTC(oldest.getUTCFullYear(), oldest.getUTCMonth()) * 1_000
  const first = storedSince + 30 * day
  const file = join(folder, 'payments.ndjson')
  const times = [now - 100 * day, storedSince - 1, storedSince, storedSince + day, now - day]
  const lines = times.map((at) => JSON.stringify({ at: formatTimestamp(at), customer_id: 7 }))
  await writeFile(file, lines.join('\n'))
  expect((await run('import', 'payments', file)).stdout).toContain('5 rows read, 5 stored')
  const worked = await run('worker', '--once')
  expect(worked.code).toBe(0)
  const reported = worked.stderr + worked.stdout
  expect(reported).toContain('payments: months of events that are older than 40d dropped')
  expect(reported).toMatch(
    new RegExp(`payments: the events of .* are dropped; kept since ${formatTimestamp(storedSince)}`),
  )

  const refused = await run('batch', 'daily', '--as-of', formatTimestamp(first - 1))
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain(
    `the events of "payments" are kept since ${formatTimestamp(storedSince)}, which makes snapshots from ${formatTimestamp(first)} on possible`,
  )
  expect((await run('batch', 'daily', '--as-of', formatTimestamp(first))).code).toBe(0)

  const gateway = await startTestGateway({
    offlineUrl: own.OFFLINE_URL,
    onlineUrl: own.ONLINE_URL,
    settings: { PROJECT: own.PROJECT, SCHEMA: own.SCHEMA },
  })
  try {
    const asked = [first - 1, first, first - 1, now].map((asOf) => ({
      customerId: 7,
      asOf: formatTimestamp(asOf),
    }))
    const { data, errors } = await gateway.ask(
      `query ($rows: [CustomerAsOf!]!) {
        customersAsOf(rows: $rows) { recent { n n2d freshness { status source } } daily { n freshness { status } } }
      }`,
      { rows: asked },
    )
    const expired = { n: null, n2d: null, freshness: { status: 'UNAVAILABLE', source: 'OFFLINE' } }
    expect(data.customersAsOf.map((one: { recent: unknown }) => one.recent)).toEqual([
      expired,
      { n: 2, n2d: 0, freshness: { status: 'PRESENT', source: 'OFFLINE' } },
      expired,
      { n: 1, n2d: 1, freshness: { status: 'PRESENT', source: 'OFFLINE' } },
    ])
    expect(data.customersAsOf[1].daily).toEqual({ n: 2, freshness: { status: 'PRESENT' } })
    expect(errors).toEqual([
      {
        message: `feature view "recent" is unavailable: the events of "payments" are kept since ${formatTimestamp(storedSince)}; its windows reach back 30d, so it answers from ${formatTimestamp(first)} on`,
        path: ['customersAsOf', 0, 'recent'],
        extensions: {
          code: 'HISTORY_EXPIRED',
          reason: 'HISTORY_EXPIRED',
          view: 'recent',
          count: 2,
          requestId: expect.any(String),
        },
      },
      {
        message:
          'feature view "daily" is unavailable: none of its snapshots of that time or before was ever computed',
        path: ['customersAsOf', 0, 'daily'],
        extensions: {
          code: 'UNAVAILABLE',
          reason: 'NEVER_FILLED',
          view: 'daily',
          count: 2,
          requestId: expect.any(String),
        },
      },
    ])
  } finally {
    await gateway.close()
  }
})
