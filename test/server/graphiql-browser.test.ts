import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { exampleQueries } from '../../src/server/graphiql/examples.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { findChromium, installChromium, openPage, runUntilShown } from './browser.ts'
import { startTestGateway, type TestGateway } from './start-test-gateway.ts'

const day = 86_400_000_000
let database: TestDatabase
let gateway: TestGateway

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
})
afterAll(async () => {
  await gateway?.close()
  await database?.drop()
})

describe('the example queries', () => {
  it.each(exampleQueries(new Date()))(
    '$name answers over rows like the demo’s, without an error',
    async (example) => {
      for (let use = 0; use < 3; use += 1) {
        const { status, errors, data, text } = await gateway.ask(example.query, example.variables)
        expect([status, errors]).toEqual([200, undefined])
        expect(Object.keys(data).length).toBeGreaterThan(0)
        if (example.name === 'LastHour') expect(text).toMatch(/31\.75.*31\.75/)
        else if (example.name !== 'Catalogue') expect(text).toMatch(/1234\.5|617\.25/)
      }
    },
  )
})

it('GraphiQL in a browser runs the first tab against the gateway and shows its values', async (context) => {
  if ((await findChromium()) === null) {
    const reason = `no Chromium; run: ${installChromium}`
    if (process.env['CI'] === 'true') throw new Error(reason)
    context.skip(reason)
  }
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
