import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { newProject } from '../server/start-test-gateway.ts'
import { audited } from '../services/audited.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { waitUntil } from '../services/wait-until.ts'
import { startCommand } from './start-command.ts'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-dev-')),
    createTestDatabase(),
  ])
  await mkdir(join(folder, 'schema'))
})
afterAll(() => Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()]))

const save = (features: string): Promise<void> =>
  writeFile(
    join(folder, 'schema', 'world.mjs'),
    `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
const featureView = (name, view) => ({ kind: 'feature-view', name, ...view })
export const stats = featureView('stats', {
  entity: 'customer',
  features: { ${features} },
})
`,
  )

const problem = /world\.mjs:5: feature view stats\.features\.\w: a feature is a type/

it('featuregraph dev waits for definitions that can be served, applies each save, and serves on where one has problems', async () => {
  await save("n: 'int65'")
  const settings = {
    ...{ OFFLINE_URL: database.url, ONLINE_URL: inject('redisUrl'), PROJECT: newProject() },
    ...{ SCHEMA: join(folder, 'schema'), PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn' },
    ...{ AUDIT: 'table', APPLIED_BY: 'ann@laptop' },
  }
  const { child, output, ended } = startCommand(['dev'], settings, folder)
  const printed = (text: string | RegExp): Promise<void> =>
    waitUntil(
      () => (typeof text === 'string' ? output.stderr.includes(text) : text.test(output.stdout)),
      () => `${text} in\n${output.stdout}\n${output.stderr}`,
    )
  try {
    await printed('nothing has been applied yet; waiting for changes in ')
    expect(output.stderr).toMatch(problem)

    await save("n: 'int64'")
    await printed(/answers at (http\S+\/graphql)/)
    const [, url = ''] = /answers at (http\S+\/graphql)/.exec(output.stdout) ?? []
    const fields = async (): Promise<unknown> => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ featureViews { features { name } } }' }),
      })
      const { data } = (await response.json()) as {
        readonly data: {
          readonly featureViews: readonly { readonly features: readonly { name: string }[] }[]
        }
      }
      return data.featureViews.flatMap(({ features }) => features.map(({ name }) => name))
    }
    expect(await fields()).toEqual(['n'])

    // Also what breaks callers.
    await save("m: 'int64'")
    await waitUntil(async () => JSON.stringify(await fields()) === '["m"]', 'the saved feature is served')

    const before = output.stderr.length
    await save("m: 'int66'")
    await waitUntil(() => problem.test(output.stderr.slice(before)), 'the problem is printed again')
    expect(await fields()).toEqual(['m'])
    expect(child.exitCode).toBeNull()
    child.kill('SIGTERM')
    expect((await ended).code).toBe(0)
    expect(await audited(database.url)).toEqual([
      'ann@laptop APPLY version 1 DONE 1',
      'ann@laptop APPLY version 2 DONE 1',
    ])
  } finally {
    child.kill('SIGKILL')
    await ended
  }
})
