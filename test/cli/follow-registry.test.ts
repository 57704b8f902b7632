import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { followRegistry } from '../../src/cli/follow-registry.ts'
import { withStores } from '../../src/cli/with-stores.ts'
import { newProject } from '../server/start-test-gateway.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { waitUntil } from '../services/wait-until.ts'

const project = newProject()
let folder: string
let database: TestDatabase
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-followed-')),
    createTestDatabase(),
  ])
  const settings = {
    OFFLINE_URL: database.url,
    ONLINE_URL: database.url,
    PROJECT: project,
    LOG_LEVEL: 'error',
  }
  for (const [name, value] of Object.entries({ ...settings, SCHEMA: await schemaOf('n') }))
    process.env[`FEATUREGRAPH_${name}`] = value
})
afterAll(async () => {
  for (const name of Object.keys(process.env)) if (name.startsWith('FEATUREGRAPH_')) delete process.env[name]
  await Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()])
})

async function schemaOf(...features: readonly string[]): Promise<string> {
  const schema = join(folder, features.join('-'))
  await mkdir(schema)
  await writeFile(
    join(schema, 'world.mjs'),
    `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
     export const stats = { kind: 'feature-view', name: 'stats', entity: 'customer', features: { ${features.map((name) => `${name}: 'int64'`).join(', ')} } }`,
  )
  return schema
}

it('a worker waits until something is applied, then follows each version, and leads from one to the next', async () => {
  const stopping = new AbortController()
  const { signal } = stopping
  const runs: (readonly string[])[] = []
  let isFree = false
  const work = withStores(
    'UNUSED',
    async (world) => {
      await followRegistry(
        world,
        { kind: 'worker', once: false, signal, apart: null },
        async (run, until) => {
          expect(await run.stores.workerLock.hold()).toBe(true)
          runs.push(run.registry.views.flatMap(({ features }) => features.map(({ name }) => name)))
          await new Promise<void>((resolve) => until.addEventListener('abort', () => resolve()))
          await run.stores.workerLock.release()
          // Another session of the same process: free only where the release was one.
          const { rows } = await world.stores.system.query(
            'select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as free',
            [`featuregraph worker ${project}`],
          )
          isFree = rows[0].free
        },
      )
    },
    { kind: 'WAIT', signal },
  )
  const apply = async (SCHEMA: string) =>
    await applyFolder({ OFFLINE_URL: database.url, PROJECT: project, SCHEMA })
  await apply(process.env['FEATUREGRAPH_SCHEMA'] ?? '')
  await waitUntil(() => runs.length === 1, 'it works by the first version')
  const { version } = await apply(await schemaOf('n', 'm'))
  await waitUntil(() => runs.length === 2, 'it works by the second')
  expect([runs, isFree]).toEqual([[['n'], ['n', 'm']], false])
  const listed = `select registry_version from featuregraph.processes where kind = 'worker'`
  await withStores('UNUSED', async ({ stores }) => {
    await waitUntil(
      async () => (await stores.system.query(listed)).rows[0]?.registry_version === version,
      'it is listed with the second',
    )
  })
  stopping.abort()
  await work
  expect(isFree).toBe(true)
})
