import { entity, featureView } from 'featuregraph'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { readConfig } from '../../../src/config/read-config.ts'
import { openStores, type Stores } from '../../../src/gateway/open-stores.ts'
import { systemClock } from '../../../src/gateway/system-clock.ts'
import { holdGuard } from '../../../src/ingest/refill/hold-guard.ts'
import { openRowLayouts } from '../../../src/online/row-layouts.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import { postgresGuardLease } from '../../../src/stores/postgres/system/guard-lease.ts'
import { newProject } from '../../server/start-test-gateway.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testPool } from '../../services/test-pool.ts'

const project = newProject()
const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const profile = featureView('profile', { entity: customer, features: { n: 'int64' } })
let database: TestDatabase
let stores: Stores

beforeAll(async () => {
  database = await createTestDatabase()
  const config = readConfig({
    FEATUREGRAPH_PROJECT: project,
    FEATUREGRAPH_OFFLINE_URL: database.url,
    FEATUREGRAPH_ONLINE_URL: inject('redisUrl'),
  })
  const log = pino({ level: 'silent' })
  stores = await openStores(config, { log, clock: systemClock, countNonFinite: () => {} })
})
afterAll(async () => {
  await stores?.close()
  await database?.drop()
})

it("a holder of the guard that fails on something that is no store's fault leaves the lease to the next process", async () => {
  const layouts = await openRowLayouts(
    project,
    buildRegistry([customer, profile].map((value) => ({ path: 'here', value }))),
    stores.registry,
    stores.guardRecord,
  )
  const readMarker = async (): Promise<string | null> => {
    throw new TypeError('a mistake in the program')
  }
  const online = { ...stores.online, writeConnection: () => 1, readMarker }
  const pause = async (ms: number): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, Math.min(ms, 5)))
  }
  const held = holdGuard({ ...stores, ...layouts, online, clock: systemClock }, [], {
    signal: new AbortController().signal,
    ...{ pause, sleep: pause, newMarker: () => 'm', materializeApart: null, followTiles: async () => {} },
    log: { info: () => {}, warn: () => {} },
  })
  await expect(held).rejects.toThrow('a mistake in the program')
  const pool = testPool(database.url, 1, null)
  expect(await postgresGuardLease(pool, project).hold(null)).not.toBe(null)
  await pool.end()
})
