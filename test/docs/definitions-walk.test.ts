import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { repository, startCommand } from '../cli/start-command.ts'
import { newProject, startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { blocksOf } from './doc-blocks.ts'

const page = 'docs/definitions-change.md'
const [definitions = ''] = blocksOf(page, 'ts')
/** A block of the page: each command with the lines that it says are printed. */
const [added = [], changed = [], takenBack = []] = blocksOf(page, 'sh').map((block) =>
  block
    .split(/^npx featuregraph /m)
    .slice(1)
    .map((text) => {
      const [command = '', ...printed] = text.trimEnd().split('\n')
      const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '')
      return { words, printed: printed.map((line) => line.replace(/^#\s*/, '')) }
    }),
)

let folder: string
let database: TestDatabase
let gateway: TestGateway
let settings: Readonly<Record<string, string>>
beforeAll(async () => {
  // Here the package's own name is found.
  await mkdir(join(repository, '.cache'), { recursive: true })
  ;[folder, database] = await Promise.all([mkdtemp(join(repository, '.cache/walk-')), createTestDatabase()])
  await writeFile(join(folder, 'riders.ts'), definitions)
  const own = { PROJECT: newProject(), SCHEMA: folder, WORKER: 'false' }
  const servers = { offlineUrl: database.url, onlineUrl: inject('redisUrl') }
  gateway = await startTestGateway({ ...servers, makeTables: false, settings: own })
  settings = { ...own, OFFLINE_URL: servers.offlineUrl, ONLINE_URL: servers.onlineUrl, LOG_LEVEL: 'error' }
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([folder && rm(folder, { recursive: true, force: true }), database?.drop()])
})

async function run(commands: typeof added): Promise<void> {
  for (const { words, printed } of commands) {
    const { stdout, stderr } = await startCommand(words, settings, folder).ended
    for (const line of printed) expect(stdout + stderr).toContain(line)
  }
}

/** The features of the view that the gateway which runs all the while serves. */
async function served(): Promise<readonly string[]> {
  const { data } = await gateway.ask('{ __type(name: "RiderHabits") { fields { name } } }')
  return data.__type.fields.map(({ name }: { readonly name: string }) => name)
}

describe(`the walk of ${page}`, () => {
  it('adds a feature that a running gateway then serves, changes a window, and takes it back', async () => {
    const withFeature = definitions.replace(
      /features: \{ rides_30d/,
      "features: { cancelled_30d: count('30d', { where: { cancelled: true } }), rides_30d",
    )
    await writeFile(join(folder, 'riders.ts'), withFeature)
    expect(await served()).toEqual(['rides30d', 'spent30d', 'freshness'])
    await run(added)
    await expect.poll(served).toEqual(['cancelled30d', 'rides30d', 'spent30d', 'freshness'])

    await writeFile(
      join(folder, 'riders.ts'),
      withFeature.replace("rides_30d: count('30d')", "rides_30d: count('7d')"),
    )
    await run(changed)
    await run(takenBack)
    const digests = await gateway.ask('{ registryVersions { nodes { version changes } } }')
    expect(digests.data.registryVersions.nodes.map(({ version }: { version: number }) => version)).toEqual([
      4, 3, 2, 1,
    ])
    await expect.poll(() => gateway.gateway.served.version).toBe(4)
    const { stdout } = await startCommand(['plan'], settings, folder).ended
    expect(stdout).toContain('window of rides_30d: 30d → 7d')
  })
})
