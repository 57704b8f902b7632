import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { startTestGateway, type TestGateway } from './start-test-gateway.ts'

let database: TestDatabase
let gateway: TestGateway

beforeAll(async () => {
  database = await createTestDatabase()
  gateway = await startTestGateway({ offlineUrl: database.url, onlineUrl: inject('redisUrl') })
})
afterAll(async () => {
  await gateway?.close()
  await database?.drop()
})

/** How much each sample grew meanwhile. */
async function grown(work: () => Promise<unknown>): Promise<(name: string) => number> {
  const before = await gateway.metrics()
  await work()
  const after = await gateway.metrics()
  return (name) => (after.get(name) ?? 0) - (before.get(name) ?? 0)
}

it('counts operations by name and outcome, with their time', async () => {
  const growth = await grown(async () => {
    for (const id of [1, 2, 3])
      await gateway.ask('query Named($id: Int64!) { customer(customerId: $id) { customerId } }', { id })
    await gateway.ask('query Named($id: Int64!) { customer(customerId: $id) { customerId } }', { id: 'x' })
    await gateway.ask('{ featureServices { name } }')
    await gateway.ask('{ noSuchField }')
    await gateway.ask('{')
  })
  const operations = (operation: string, outcome: string): number =>
    growth(`featuregraph_operation_seconds_count{operation="${operation}",outcome="${outcome}"}`)
  expect(operations('Named', 'ok')).toBe(3)
  expect(operations('Named', 'BAD_USER_INPUT')).toBe(1)
  expect(operations('anonymous', 'ok')).toBe(1)
  expect(operations('anonymous', 'GRAPHQL_VALIDATION_FAILED')).toBe(1)
  expect(operations('anonymous', 'GRAPHQL_PARSE_FAILED')).toBe(1)
  expect(growth('featuregraph_operation_seconds_sum{operation="Named",outcome="ok"}')).toBeGreaterThan(0)
  expect(growth('featuregraph_operation_seconds_bucket{le="+Inf",operation="Named",outcome="ok"}')).toBe(3)
})

it('counts reads, their sizes, and the statuses of rows per view', async () => {
  const now = systemClock()
  const day = 86_400_000_000
  await gateway.write('device_risk', [
    { key: { merchant_id: 'm', device_id: 1 }, values: { is_rooted: true }, at: now - 1_000_000 },
    { key: { merchant_id: 'm', device_id: 2 }, values: { is_rooted: true }, at: now - day - 1_000_000 },
  ])
  const query = `query Risk($asOf: Timestamp) {
    merchantDevices(keys: [1, 2, 3].devices, asOf: $asOf) { deviceRisk { isRooted } }
  }`.replace('[1, 2, 3].devices', `[${[1, 2, 3].map((id) => `{ merchantId: "m", deviceId: ${id} }`)}]`)
  const statuses = (growth: (name: string) => number): number[] =>
    ['PRESENT', 'OUTSIDE_TTL', 'NOT_FOUND', 'UNAVAILABLE'].map((status) =>
      growth(`featuregraph_rows_total{view="device_risk",status="${status}"}`),
    )
  const online = await grown(() => gateway.ask(query))
  expect(statuses(online)).toEqual([1, 1, 1, 0])
  expect(online('featuregraph_store_read_seconds_count{store="online"}')).toBe(1)
  expect(online('featuregraph_store_read_rows_sum{store="online"}')).toBe(3)
  expect(online('featuregraph_store_read_seconds_count{store="offline"}')).toBe(0)

  const offline = await grown(() => gateway.ask(query, { asOf: new Date(now / 1_000).toISOString() }))
  expect(statuses(offline)).toEqual([1, 1, 1, 0])
  expect(offline('featuregraph_store_read_seconds_count{store="offline"}')).toBe(1)
  expect(offline('featuregraph_store_read_rows_sum{store="offline"}')).toBe(3)
  expect(offline('featuregraph_store_errors_total{store="online"}')).toBe(0)
})

it('counts what a store did not answer, and the statuses that came of it', async () => {
  await gateway.write('customer_segment', [
    { key: { customer_id: 1 }, values: {}, at: systemClock() - 1_000_000 },
  ])
  const { Pool } = (await import('pg')).default
  const pool = new Pool({ connectionString: database.url, max: 1 })
  const schemas = await pool.query<{ nspname: string }>(
    `select nspname from pg_namespace where nspname like 'features_t%'`,
  )
  const [{ nspname } = { nspname: '' }] = schemas.rows
  await pool.query(`alter table ${nspname}.customer_segment rename to away`)
  const growth = await grown(async () => {
    const { errors } = await gateway.ask(
      'query Gone { customers(customerIds: [1, 2]) { customerSegment { segment } } }',
    )
    expect(errors).toMatchObject([{ extensions: { code: 'UNAVAILABLE', count: 2 } }])
  })
  await pool.query(`alter table ${nspname}.away rename to customer_segment`)
  await pool.end()
  expect(growth('featuregraph_store_errors_total{store="offline"}')).toBe(1)
  expect(growth('featuregraph_rows_total{view="customer_segment",status="UNAVAILABLE"}')).toBe(2)
  expect(growth('featuregraph_operation_seconds_count{operation="Gone",outcome="UNAVAILABLE"}')).toBe(1)
})

it('counts executed operations by the way to their answer, and none that was refused before', async () => {
  const routes = (growth: (name: string) => number): number[] =>
    ['interpreted', 'compiled', 'direct'].map((route) =>
      growth(`featuregraph_operations_total{route="${route}"}`),
    )
  const thrice = await grown(async () => {
    for (const id of [1, 2, 3])
      await gateway.ask(
        'query Thrice($id: Int64!) { customer(customerId: $id) { customerId customerSegment { segment } } }',
        { id },
      )
  })
  expect(routes(thrice)).toEqual([1, 1, 1])
  const refused = await grown(async () => {
    await gateway.ask('query Refused { noSuchField }')
    await gateway.ask('query Refused {')
  })
  expect(routes(refused)).toEqual([0, 0, 0])
})

it('shows the process: event loop delay, memory, and how operations were run', async () => {
  const growth = await grown(async () => {
    for (let use = 0; use < 3; use += 1) await gateway.ask('query Compiled { featureViews { name } }')
  })
  expect(growth('featuregraph_operation_engine_total{event="compiled"}')).toBe(1)
  const metrics = await gateway.metrics()
  for (const name of ['nodejs_eventloop_lag_p99_seconds', 'process_resident_memory_bytes'])
    expect([name, (metrics.get(name) ?? 0) > 0]).toEqual([name, true])
})

it('keeps the number and the length of operation names bounded, whatever callers send', async () => {
  const long = 'L'.repeat(50_000)
  await gateway.ask(`query ${long} { __typename }`)
  for (let batch = 0; batch < 30; batch += 1) {
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => gateway.ask(`query Made${batch * 10 + index} { __typename }`)),
    )
  }
  const text = await (await fetch(`${gateway.url}/metrics`)).text()
  const names = new Set([...text.matchAll(/operation="([^"]*)"/g)].map((match) => match[1]))
  expect(names.size).toBeLessThanOrEqual(202)
  expect(names).toContain('other')
  expect(text).not.toContain(long.slice(0, 200))
  expect(text.length).toBeLessThan(1_000_000)
})
