import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it, type TestContext } from 'vitest'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { applyDefinitions } from '../../src/registry/versions/apply.ts'
import { definitionsOf } from '../../src/registry/versions/version-content.ts'
import type { ExampleTab } from '../../src/server/graphiql/example-tab.ts'
import { execute } from '../services/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { waitUntil } from '../services/wait-until.ts'
import { findChromium, installChromium, openPage, runUntilShown } from './browser.ts'
import { startTestGateway, type TestGateway } from './start-test-gateway.ts'

const day = 86_400_000_000
let database: TestDatabase
let gateway: TestGateway
/** Other definitions, behind API keys. */
let gardens: TestGateway
let folder: string

beforeAll(async () => {
  // The gateway reads the page when it starts; up to date it is left alone.
  await promisify(execFile)(process.execPath, [
    fileURLToPath(new URL('../../src/server/graphiql/build.js', import.meta.url)),
  ])
  database = await createTestDatabase()
  gateway = await startTestGateway({ offlineUrl: database.url, onlineUrl: inject('redisUrl') })
  const now = systemClock()
  for (const [id, total] of [
    [1001, 1234.5],
    [1002, 77.25],
  ] as const) {
    const key = { customer_id: id }
    const monthly = (at: number, factor: number) => ({
      key,
      at,
      values: {
        total_transactions_30d: total * factor,
        avg_transaction_amount_30d: 12.5,
        max_transaction_amount_30d: 99,
        transaction_count_7d: 6,
        unique_merchants_30d: 4,
      },
    })
    await gateway.write('customer_transaction_features', [
      monthly(now - 80 * day, 0.5),
      monthly(now - day / 24, 1),
    ])
    await gateway.write('customer_realtime_features', [
      {
        key,
        at: now - 60_000_000,
        values: { transactions_last_hour: 2, amount_last_hour: 31.75, failed_transactions_last_hour: 0 },
      },
    ])
  }
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-graphiql-'))
  await writeFile(join(folder, 'gardens.mjs'), gardenDefinitions)
  const sha256 = createHash('sha256').update(secret).digest('hex')
  const keys = [{ name: 'gardener', sha256, rights: ['read', 'write'] }]
  await writeFile(join(folder, 'keys.json'), JSON.stringify(keys))
  gardens = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: inject('redisUrl'),
    settings: { SCHEMA: folder, API_KEYS_FILE: join(folder, 'keys.json'), WORKER: 'true' },
  })
  for (const [path, line] of [
    ['push/bed_soil', { event_timestamp: '2026-03-04T05:06:07Z', moisture: 0.4 }],
    ['events/readings', { at: new Date().toISOString(), celsius: 21.5 }],
  ] as const) {
    const response = await fetch(`${gardens.url}/${path}`, {
      method: 'POST',
      headers: { ...bearer, 'content-type': 'application/x-ndjson' },
      body: JSON.stringify({ house: 'north', bed: 3, ...line }),
    })
    expect(await response.text()).toContain('"accepted":1')
  }
})
afterAll(async () => {
  await Promise.all([gateway?.close(), gardens?.close()])
  await Promise.all([database?.drop(), rm(folder, { recursive: true, force: true })])
})

const secret = 'a-secret'
const bearer = { authorization: `Bearer ${secret}` }
const gardenDefinitions = `
  export const bed = { kind: 'entity', name: 'greenhouse_bed', joinKeys: { house: 'string', bed: 'int32' } }
  export const soil = { kind: 'feature-view', name: 'bed_soil', entity: 'greenhouse_bed', features: { moisture: 'float64', organic: 'bool' } }
  export const readings = { kind: 'event-source', name: 'readings', eventTimestamp: 'at', fields: { house: 'string', bed: 'int32', celsius: 'float64' } }
  export const climate = { kind: 'windowed-view', name: 'bed_climate', entity: 'greenhouse_bed', source: 'readings', compute: { mode: 'stream' },
    features: { mean_celsius_1h: { window: '1h', aggregate: 'mean', field: 'celsius' } } }
  export const watering = { kind: 'feature-service', name: 'watering', features: [
    { kind: 'pick', view: 'bed_soil', features: [{ name: 'moisture' }] }, { kind: 'request', name: 'litres', type: 'float64' } ] }`

async function tabsOf(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<readonly ExampleTab[]> {
  const response = await fetch(`${url}/graphiql/tabs`, { headers })
  expect(response.status).toBe(200)
  return (await response.json()) as readonly ExampleTab[]
}

describe('the example tabs', () => {
  it('answer over rows like the demo’s, without an error, compiled too', async () => {
    const tabs = await tabsOf(gateway.url)
    expect(tabs.map(({ name }) => name)).toEqual(['Online', 'AsOf', 'Vector', 'Spine', 'Catalogue'])
    for (const { name, query, variables } of tabs) {
      for (let use = 0; use < 3; use += 1) {
        const { status, errors, data, text } = await gateway.ask(query, variables)
        expect([status, errors]).toEqual([200, undefined])
        expect(Object.keys(data).length).toBeGreaterThan(0)
        if (name !== 'Catalogue') expect(text).toMatch(/"customerId":1001.*"PRESENT"/)
      }
    }
  })

  it('answer over other definitions, of the rows and events that are there', async () => {
    const tabs = await tabsOf(gardens.url, bearer)
    expect(tabs.map(({ name }) => name)).toEqual(['Online', 'Watch', 'AsOf', 'Vector', 'Spine', 'Catalogue'])
    for (const { name, query, variables } of tabs) {
      // An event is applied in its own time.
      await expect
        .poll(async () => (await gardens.ask(query, variables, { headers: bearer })).errors)
        .toBeUndefined()
      const { text } = await gardens.ask(query, variables, { headers: bearer })
      if (name !== 'Catalogue') expect(text).toMatch(/"house":"north"/)
      if (name !== 'Catalogue') expect(text).toMatch(/0\.4|21\.5/)
    }
  })

  it('are for callers who may read, since they name features and keys', async () => {
    const refused = await fetch(`${gardens.url}/graphiql/tabs`)
    expect(refused.status).toBe(401)
    expect(await refused.text()).not.toMatch(/bed|north/)
  })

  it('take keys of a mapped table, and none of a query, which may be slow', async () => {
    const { registry, stores } = gateway.gateway
    const keysOf = async (name: string) => {
      const view = registry.views.find((candidate) => candidate.name === name)
      if (!view) throw new Error(`the world has no view ${name}`)
      return await stores.exampleKeys.exampleKeys(view, systemClock(), 2)
    }
    await execute(
      database.url,
      `insert into shop.orders (order_id, buyer, ordered_at) values
        (1, 7, '2026-01-01'), (2, 8, '2026-01-02'), (3, 8, '2026-01-03'), (4, null, '2026-01-04'), (5, 9, '2999-01-01');
       insert into shop.naps values (7, '2026-01-01', 60)`,
    )
    const midnight = (text: string) => Date.parse(`${text}T00:00:00Z`) * 1_000
    expect(await keysOf('customer_orders')).toEqual([
      { key: [8], oldest: midnight('2026-01-02'), newest: midnight('2026-01-03') },
      { key: [7], oldest: midnight('2026-01-01'), newest: midnight('2026-01-01') },
    ])
    expect(await keysOf('customer_naps')).toEqual([])
  })
})

it('GraphiQL in a browser runs the first tab against the gateway and shows its values', async (context) => {
  await skipWithoutChromium(context)
  const { page, consoleMessages, pageErrors, requestedUrls, close } = await openPage(gateway.url)
  try {
    await runUntilShown(page, '1234.5')
    const shown = (await page.locator('.result-window .view-lines').innerText()).replaceAll('\u00a0', ' ')
    expect(shown).toMatch(/"customerId": 1001/)
    expect(shown).toMatch(/"totalTransactions30d": 1234\.5/)
    expect(shown).toMatch(/"status": "PRESENT"/)
    expect(shown).not.toMatch(/errors/)
    expect(pageErrors).toEqual([])
    expect(consoleMessages.filter((message) => message.startsWith('error'))).toEqual([])
    expect(requestedUrls).toContain(`${gateway.url}/graphql`)
    const elsewhere = requestedUrls.filter(
      (url) => !url.startsWith(gateway.url) && !/^(?:data|blob):/.test(url),
    )
    expect(elsewhere).toEqual([])
  } finally {
    await close()
  }
})

it('GraphiQL over other definitions asks for an API key first; then no tab is red and no line is cut at 1,400 px', async (context) => {
  await skipWithoutChromium(context)
  const { page, pageErrors, close } = await openPage(gardens.url)
  try {
    await page.setViewportSize({ width: 1_400, height: 900 })
    await page.getByPlaceholder('API key').fill('wrong')
    await page.getByRole('button', { name: 'Open GraphiQL' }).click()
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('does not know this key')
    await page.getByPlaceholder('API key').fill(secret)
    await page.getByRole('button', { name: 'Open GraphiQL' }).click()
    await runUntilShown(page, '0.4')
    const tabs = page.locator('.graphiql-tab-button')
    for (let index = 0; index < (await tabs.count()); index += 1) {
      const name = (await tabs.nth(index).textContent()) ?? ''
      await tabs.nth(index).click()
      await expect
        .poll(() => page.locator('.graphiql-query-editor .view-lines').textContent())
        .toContain(name)
      // The editor settles a moment after its tab is opened.
      const cut = async (): Promise<boolean> => {
        const right = await page
          .locator('.graphiql-query-editor .view-line > span')
          .evaluateAll((lines) => Math.max(...lines.map((line) => line.getBoundingClientRect().right)))
        const toolbar = await page.locator('.graphiql-toolbar').boundingBox()
        return right >= (toolbar?.x ?? 0)
      }
      await expect.poll(cut).toBe(false)
      await expect.poll(() => page.locator('.squiggly-error, .squiggly-warning').count()).toBe(0)
    }
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain(secret)
    expect(pageErrors).toEqual([])
  } finally {
    await close()
  }
})

it('GraphiQL that is open gets the schema of a newer version by its own button, without a reload', async (context) => {
  await skipWithoutChromium(context)
  const { page, close } = await openPage(gateway.url)
  try {
    await runUntilShown(page, '1234.5')
    const { served } = gateway.gateway
    const definitions = definitionsOf(served.content).map(({ path, value }) =>
      isProfile(value)
        ? { path, value: { ...value, features: { ...value.features, shoe_size: 'int32' } } }
        : { path, value },
    )
    const { stores } = gateway.gateway
    await applyDefinitions(stores, definitions, {
      ...{ by: 'test', message: null, program: 'test' },
    })
    await waitUntil(() => gateway.gateway.served.version > served.version, 'the new version is served')
    const fetched = page.waitForResponse(async (response) => (await response.text()).includes('"shoeSize"'))
    await page.getByRole('button', { name: 'Re-fetch GraphQL schema' }).click()
    expect((await fetched).status()).toBe(200)
  } finally {
    await close()
  }
})

function isProfile(value: unknown): value is { readonly features: object } {
  return typeof value === 'object' && value !== null && 'name' in value && value.name === 'customer_profile'
}

async function skipWithoutChromium(context: TestContext): Promise<void> {
  if ((await findChromium()) !== null) return
  const reason = `no Chromium; run: ${installChromium}`
  if (process.env['CI'] === 'true') throw new Error(reason)
  context.skip(reason)
}
