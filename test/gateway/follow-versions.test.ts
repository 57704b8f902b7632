import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { applyDefinitions } from '../../src/registry/versions/apply.ts'
import { contentFormat } from '../../src/registry/versions/version-content.ts'
import { newProject, startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { isLong } from '../services/long-run.ts'
import { type PostgresServer, startPostgres } from '../services/postgres.ts'
import { prepareTemplate } from '../services/template.ts'
import { waitUntil } from '../services/wait-until.ts'

const swaps = isLong ? 50 : 8
const clientsOfEach = isLong ? 4 : 2
const servedWithinMs = 5_000

const project = newProject()
let folder: string
let postgres: PostgresServer
let gateways: readonly TestGateway[] = []

/** Odd versions have the feature `m`; each says its number in the view's description. */
function definitions(version: number): readonly object[] {
  const features = { n: 'int64', ...(version % 2 === 1 ? { m: 'int64' } : {}) }
  const description = `as of ${version}`
  const over = { aggregate: 'count', window: '2h', hop: '5m' }
  return [
    { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } },
    { kind: 'event-source', name: 'orders', eventTimestamp: 'at', fields: { customer_id: 'int64' } },
    { kind: 'feature-view', name: 'stats', entity: 'customer', description, features },
    {
      ...{ kind: 'windowed-view', name: 'recent', entity: 'customer', source: 'orders' },
      ...{ compute: { mode: 'stream' }, features: { orders: over } },
    },
  ]
}

async function apply(version: number): Promise<number> {
  const { stores } = first().gateway
  const applied = await applyDefinitions(
    stores,
    definitions(version).map((value) => ({ path: 'test', value })),
    { by: 'test', message: null, program: 'test', allowBreaking: true },
  )
  return applied.version
}

const first = (): TestGateway => gateways[0] as TestGateway

async function readiness({ url }: TestGateway): Promise<Readonly<Record<string, unknown>>> {
  return (await (await fetch(`${url}/readyz`)).json()) as Readonly<Record<string, unknown>>
}

async function untilServed(version: number, served: readonly TestGateway[] = gateways): Promise<void> {
  for (const gateway of served)
    await waitUntil(
      async () => (await readiness(gateway))['registryVersion'] === version,
      `version ${version} is served`,
    )
}

beforeAll(async () => {
  ;[folder, postgres] = await Promise.all([mkdtemp(join(tmpdir(), 'featuregraph-follow-')), startPostgres()])
  await prepareTemplate(postgres.url)
  const lines = definitions(0).map((one, index) => `export const d${index} = ${JSON.stringify(one)}\n`)
  await writeFile(join(folder, 'definitions.mjs'), lines.join(''))
  const options = {
    ...{ offlineUrl: postgres.url, onlineUrl: inject('redisUrl'), makeTables: false },
    settings: { PROJECT: project, SCHEMA: folder, LOG_LEVEL: 'info' },
  }
  const one = await startTestGateway({ ...options, settings: { ...options.settings, WORKER: 'true' } })
  gateways = [one]
  gateways = [one, await startTestGateway({ ...options, settings: { ...options.settings, WORKER: 'false' } })]
  const at = Date.now() * 1_000
  await one.write('stats', [{ key: { customer_id: 1 }, values: { n: 7 }, at }])
})
afterAll(async () => {
  for (const { close } of gateways) await close()
  await postgres?.stop()
  await rm(folder, { recursive: true, force: true })
})

const question = `query Whole {
  featureViews { name description features { name } }
  type: __type(name: "Stats") { description fields { name } }
  customer(customerId: 1) { stats { n freshness { status } } recent { orders } }
}`

/** Which version answered; throws where two of its parts are of different ones, or anything failed. */
async function askWhole({ ask }: TestGateway): Promise<number> {
  const { status, data, errors, text } = await ask(question)
  if (status !== 200 || errors !== undefined) throw new Error(`${status}: ${text}`)
  const stats = data.featureViews.find((one: { name: string }) => one.name === 'stats')
  const version = Number(/as of (\d+)/.exec(stats.description)?.[1])
  const isOdd = version % 2 === 1
  const named = (all: readonly { readonly name: string }[]) => all.some(({ name }) => name === 'm')
  expect(data.type.description).toContain(`as of ${version}`)
  expect([named(stats.features), named(data.type.fields)]).toEqual([isOdd, isOdd])
  expect(data.customer.stats).toEqual({ n: 7, freshness: { status: 'PRESENT' } })
  return version
}

async function push({ url }: TestGateway, customer: number): Promise<void> {
  const response = await fetch(`${url}/push/stats`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: JSON.stringify({ customer_id: customer, n: customer, event_timestamp: new Date().toISOString() }),
  })
  expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('"accepted":1')])
}

describe('two gateways of a project', () => {
  it('follow every version under load: each answer is whole in one of them, and nothing fails', async () => {
    let isOver = false
    const asked: Promise<{ readonly answers: number; readonly versions: ReadonlySet<number> }>[] = []
    const load = async (gateway: TestGateway) => {
      let answers = 0
      const versions = new Set<number>()
      while (!isOver) {
        versions.add(await askWhole(gateway))
        answers += 1
      }
      return { answers, versions }
    }
    for (const gateway of gateways)
      for (let client = 0; client < clientsOfEach; client += 1) asked.push(load(gateway))
    const pushed = Promise.all(
      gateways.map(async (gateway, index) => {
        for (let customer = 2; !isOver; customer += 1) await push(gateway, customer * 10 + index)
      }),
    )
    const running = Promise.all([...asked, pushed])
    // Rejects as soon as one of them fails.
    const slowest = await Promise.race([running.then(() => 0), swapAll()]).finally(() => {
      isOver = true
    })
    await running
    const seen = await Promise.all(asked)
    for (const { answers, versions } of seen) {
      expect(answers).toBeGreaterThan(swaps)
      expect(versions.size).toBeGreaterThan(swaps / 2)
    }
    if (isLong) expect(slowest).toBeLessThan(servedWithinMs)
  })

  async function swapAll(): Promise<number> {
    let slowest = 0
    for (let swap = 1; swap <= swaps; swap += 1) {
      const version = await apply(swap)
      const applied = performance.now()
      await untilServed(version)
      slowest = Math.max(slowest, performance.now() - applied)
    }
    return slowest
  }

  it('compile the operations in use ahead, go on leading, and say which version they serve', async () => {
    const compiled = async () =>
      (await first().metrics()).get('featuregraph_operation_engine_total{event="compiled"}') ?? 0
    const plain = '{ customer(customerId: 1) { stats { n } } }'
    for (let use = 0; use < 3; use += 1) await first().ask(plain)
    const before = await compiled()
    const rows = await rowsAnswered(first())
    const version = await apply(swaps + 1)
    await untilServed(version)
    expect(await compiled()).toBe(before + 1)
    // What was counted before goes on to be.
    await first().ask(plain)
    expect(await rowsAnswered(first())).toBe(rows + 1)
    const { stores } = first().gateway
    await waitUntil(async () => {
      const running = await stores.processes.running()
      return (
        running.length === 2 &&
        running.every(({ registryVersion }) => registryVersion === version) &&
        running.some(({ leads }) => leads.length === 2)
      )
    }, 'both are listed with the version, and the first leads')
    for (const { logLines } of gateways)
      expect(logLines.filter((line) => /has ended|this worker runs from now on/.test(line))).toEqual([])
    const metrics = await first().metrics()
    expect(metrics.get('featuregraph_registry_version')).toBe(version)
  })

  it('keep what they serve where the newest is of a newer program, and say so, being ready', async () => {
    const { stores, served } = first().gateway
    const newest = await stores.versions.newest()
    const stored = await stores.versions.read(newest)
    if (stored === null) throw new Error('no version')
    await stores.versions.add({ ...stored, version: newest + 1, format: contentFormat + 1 })
    for (const gateway of gateways)
      await waitUntil(
        async () => (await readiness(gateway))['registryProblem'] !== undefined,
        'the problem is shown',
      )
    expect(await readiness(first())).toMatchObject({
      ...{ status: 'ready', registryVersion: newest, newestRegistryVersion: newest + 1 },
      registryProblem: expect.stringContaining('was written by a newer program'),
    })
    const metrics = await first().metrics()
    expect(metrics.get('featuregraph_registry_newest_version')).toBe(newest + 1)
    expect(await askWhole(first())).toBe(swaps + 1)
    expect(first().logLines.filter((line) => line.includes('cannot be served'))).toHaveLength(1)
    await stores.versions.add({ ...stored, version: newest + 2 })
    await untilServed(newest + 2)
    expect((await readiness(first()))['registryProblem']).toBeUndefined()
    expect(first().gateway.served.digest).toBe(served.digest)
  })

  it('serve on while Postgres is away, and catch up when it is back', async () => {
    await postgres.kill()
    const { data } = await first().ask('{ customer(customerId: 1) { stats { n } } }')
    expect(data).toEqual({ customer: { stats: { n: 7 } } })
    await waitUntil(
      () => first().logLines.some((line) => line.includes("the registry's newest version cannot be read")),
      'the log says so',
    )
    await postgres.restart()
    await waitUntil(async () => (await readiness(first()))['status'] === 'ready', 'it is ready again')
    await untilServed(await apply(swaps + 2))
    expect(await askWhole(first())).toBe(swaps + 2)
  })
})

async function rowsAnswered({ metrics }: TestGateway): Promise<number> {
  const found = (await metrics()).get('featuregraph_rows_total{view="stats",status="PRESENT"}')
  return found ?? 0
}
