import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { startCommand } from '../cli/start-command.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { newProject, startTestGateway } from './start-test-gateway.ts'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-streamed-')),
    createTestDatabase(),
  ])
  await mkdir(join(folder, 'schema'))
  const window = (aggregate: object) => JSON.stringify({ window: '1h', ...aggregate })
  await writeFile(
    join(folder, 'schema', 'world.mjs'),
    `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
     export const payments = { kind: 'event-source', name: 'payments', eventTimestamp: 'at', fields: { customer_id: 'int64', amount: 'float64' } }
     const features = { n: ${window({ aggregate: 'count' })}, total: ${window({ aggregate: 'sum', field: 'amount' })} }
     const view = { kind: 'windowed-view', entity: 'customer', source: 'payments', compute: { mode: 'stream' }, features }
     export const recent = { ...view, name: 'recent' }
     export const recent_offline = { ...view, name: 'recent_offline', online: false }`,
  )
})
afterAll(async () => {
  await Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()])
})

const fields = '{ n total freshness { status source ageSeconds expiresAt } }'
const question = `query ($asOf: Timestamp) { customer(customerId: 7, asOf: $asOf) { recent ${fields} recentOffline ${fields} } }`

describe('streaming views in a gateway', () => {
  it('answer on both clocks what was imported and applied, and show no expiry', async () => {
    const own = {
      OFFLINE_URL: database.url,
      ONLINE_URL: inject('redisUrl'),
      PROJECT: newProject(),
      SCHEMA: join(folder, 'schema'),
      LOG_LEVEL: 'error',
    }
    const run = (...args: readonly string[]) => startCommand(args, own, folder).ended
    const settings = { PROJECT: own.PROJECT, SCHEMA: own.SCHEMA, WORKER: 'false' }
    const early = await startTestGateway({ offlineUrl: own.OFFLINE_URL, onlineUrl: own.ONLINE_URL, settings })
    try {
      const { data, errors } = await early.ask(question, {})
      expect(data.customer).toMatchObject({
        recent: { n: null, freshness: { status: 'UNAVAILABLE' } },
        recentOffline: { n: 0, freshness: { status: 'NOT_FOUND' } },
      })
      expect(errors).toMatchObject([
        {
          message:
            'feature view "recent" is unavailable: nothing of it has been written to the online store yet',
          extensions: { code: 'UNAVAILABLE', reason: 'NEVER_FILLED' },
        },
      ])
    } finally {
      await early.close()
    }
    const at = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1_000).toISOString()
    const line = (secondsAgo: number, amount: number) =>
      JSON.stringify({ at: at(secondsAgo), customer_id: 7, amount })
    const file = join(folder, 'payments.ndjson')
    await writeFile(file, [line(1_800, 2), line(600, 3.5), line(8_000, 100)].join('\n'))
    expect((await run('import', 'payments', file)).stdout).toContain('3 rows read, 3 stored')
    expect(await run('stream', '--once')).toMatchObject({ code: 0, stdout: '' })

    const gateway = await startTestGateway({
      offlineUrl: own.OFFLINE_URL,
      onlineUrl: own.ONLINE_URL,
      settings: { PROJECT: own.PROJECT, SCHEMA: own.SCHEMA, WORKER: 'true' },
    })
    try {
      const freshness = (source: string) => ({ status: 'PRESENT', source, expiresAt: null })
      const { data } = await gateway.ask(question, {})
      expect(data.customer).toMatchObject({
        recent: { n: 2, total: 5.5, freshness: freshness('ONLINE') },
        recentOffline: { n: 2, total: 5.5, freshness: freshness('OFFLINE') },
      })
      const then = await gateway.ask(question, { asOf: at(1_200) })
      expect(then.data.customer).toMatchObject({
        recent: { n: 1, total: 2, freshness: freshness('OFFLINE') },
        recentOffline: { n: 1, total: 2 },
      })
      // The gateway follows what comes while it runs.
      await writeFile(file, line(1, 10))
      expect((await run('import', 'payments', file)).code).toBe(0)
      await expect.poll(async () => (await gateway.ask(question, {})).data.customer.recent.total).toBe(15.5)
      const kinds = await gateway.ask('{ featureViews { name kind source } }', {})
      expect(kinds.data.featureViews).toContainEqual({ name: 'recent', kind: 'STREAM', source: 'payments' })
      const push = await gateway.ask('{ __schema { mutationType { fields { name } } } }', {})
      expect(JSON.stringify(push.data)).not.toContain('pushRecent')
    } finally {
      await gateway.close()
    }
  })

  it('are refused where something would be done to rows that they do not have', async () => {
    const own = { OFFLINE_URL: database.url, PROJECT: newProject(), SCHEMA: join(folder, 'schema') }
    const run = (...args: readonly string[]) => startCommand(args, own, folder).ended
    await applyFolder(own)
    const cases = [
      [['materialize', 'recent'], 'streaming feature views follow their events by themselves: recent'],
      [['validate', 'recent'], 'feature view "recent" is computed when it is asked for'],
      [['batch', 'recent'], 'not computed in batch by their definition: recent'],
    ] as const
    const outcomes = await Promise.all(cases.map(([args]) => run(...args)))
    outcomes.forEach(({ code, stderr }, index) => {
      expect(code).toBe(1)
      expect(stderr).toContain(cases[index]?.[1])
    })
    expect((await run('status')).code).toBe(0)
  })
})
