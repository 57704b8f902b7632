import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, inject, it, type TestContext } from 'vitest'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { isLong } from '../services/long-run.ts'
import { installPython, type Python, pythonWith } from '../services/python-packages.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'

const client = fileURLToPath(new URL('../../clients/python', import.meta.url))
const packages = [
  ...['httpx>=0.27,<1', 'pyarrow>=16', 'pandas>=2.2', 'polars>=1', 'numpy>=1.26', 'tqdm>=4.60', 'tzdata'],
  ...['scikit-learn', 'pytest>=8', 'hatchling'],
]
const typing = ['mypy==2.4.1', 'ruff==0.17.6', 'pandas-stubs', 'pyarrow-stubs', 'types-tqdm']
const keys = { all: 'k-all', read: 'k-read' }
let folder: string
let database: TestDatabase
let gateway: TestGateway

beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-python-')),
    createTestDatabase(),
  ])
  const keysFile = join(folder, 'keys.json')
  const entry = (name: string, key: string, rights: readonly string[]) => ({
    ...{ name, sha256: createHash('sha256').update(key).digest('hex'), rights },
  })
  await writeFile(
    keysFile,
    JSON.stringify([
      entry('all', keys.all, ['read', 'write', 'train']),
      entry('reader', keys.read, ['read']),
    ]),
  )
  gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: inject('redisUrl'),
    settings: { API_KEYS_FILE: keysFile, FILES: join(folder, 'files'), MAX_ENTITIES: '40' },
  })
  const now = systemClock()
  const hour = 3_600_000_000
  const daily = { total_transactions_30d: 1234.5, avg_transaction_amount_30d: 12.5, transaction_count_7d: 6 }
  const lastHour = { transactions_last_hour: 2, amount_last_hour: 31.75, failed_transactions_last_hour: 1 }
  for (const at of [now - 25 * hour, now - 1_000_000])
    await gateway.write('customer_transaction_features', [
      { key: { customer_id: 1001 }, at, values: { ...daily, max_transaction_amount_30d: 99 } },
      { key: { customer_id: 1002 }, at, values: { ...daily, max_transaction_amount_30d: 99 } },
      { key: { customer_id: '9007199254740993' }, at, values: { total_transactions_30d: 77 } },
    ])
  await gateway.write('customer_realtime_features', [
    { key: { customer_id: 1001 }, at: now - 1_000_000, values: lastHour },
    { key: { customer_id: 1002 }, at: now - 1_000_000, values: lastHour },
  ])
  const known = { customer_id: 1001 }
  await gateway.write('customer_profile', [
    { key: known, at: now - hour, values: { lifetime_events: 9, is_verified: true, score: 0.25 } },
  ])
  await gateway.write('customer_segment', [{ key: known, at: now - hour, values: { segment: 'gold' } }])
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([database?.drop(), folder && rm(folder, { recursive: true, force: true })])
})

// What it fetches, installs and starts is long beside other load.
const timeout = 1_800_000

it('the Python client, installed from its folder, keeps its promises against a gateway', {
  timeout,
}, async (context) => {
  const python = await pythonOrSkip(context, 'python-client-2', packages)
  const site = join(folder, 'site')
  const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--no-build-isolation']
  await python(['-m', 'pip', 'install', ...options, '--target', site, client])
  const settings = {
    ...{ PYTHONPATH: site, TEST_GATEWAY_URL: gateway.url },
    ...{ TEST_GATEWAY_KEY: keys.all, TEST_GATEWAY_READ_KEY: keys.read },
  }
  const shown = await python(['-m', 'pytest', client], folder, settings).catch(
    (error: { stdout?: string; message: string }) => error.stdout || error.message,
  )
  expect(shown).toMatch(/^\d+ passed in /m)
})

// What its users meet is held by the test above.
it.runIf(isLong)('the Python client is typed throughout and formatted', { timeout }, async (context) => {
  const python = await pythonOrSkip(context, 'python-client-types-1', [...packages, ...typing])
  const cache = ['--cache-dir', join(folder, 'cache')]
  const shownOf = (args: readonly string[]) =>
    python(args, client).catch((error: { stdout: string; message: string }) => error.stdout || error.message)
  expect(await shownOf(['-m', 'mypy', ...cache])).toMatch(/^Success: no issues found/)
  expect(await shownOf(['-m', 'ruff', 'check', '--no-cache', '.'])).toMatch(/^All checks passed/)
  expect(await shownOf(['-m', 'ruff', 'format', '--no-cache', '--check', '.'])).toMatch(/already formatted/)
})

async function pythonOrSkip(
  context: TestContext,
  name: string,
  requirements: readonly string[],
): Promise<Python> {
  const python = await pythonWith(name, requirements)
  if (python !== null) return python
  const reason = `no Python 3.10 or later with pip; run: ${installPython}`
  if (process.env['CI'] === 'true') throw new Error(reason)
  context.skip(reason)
}
