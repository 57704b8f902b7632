import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { newProject } from '../server/start-test-gateway.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { audited } from '../services/audited.ts'
import { worldFolder } from '../services/plain-definitions.ts'
import { execute } from '../services/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { type Outcome, startCommand } from './start-command.ts'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-cli-')),
    createTestDatabase(),
  ])
  await execute(
    database.url,
    `create schema shop;
     create table shop.orders (order_id bigint, buyer bigint, total numeric, shipped timestamp, ordered_at timestamptz, loaded_at timestamptz);
     create table shop.naps (customer_id bigint, napped_at timestamptz, seconds double precision)`,
  )
})
afterAll(async () => {
  await Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()])
})

it('delete-entity prints what it deleted and what it cannot reach, and refuses what is no key', async () => {
  const settings = {
    OFFLINE_URL: database.url,
    ONLINE_URL: inject('redisUrl'),
    PROJECT: newProject(),
    SCHEMA: worldFolder(),
    LOG_LEVEL: 'error',
    AUDIT: 'table',
    APPLIED_BY: 'ann@ci',
  }
  const run = (...args: readonly string[]): Promise<Outcome> =>
    startCommand(['delete-entity', ...args], settings, folder).ended
  const features = `features_${settings.PROJECT}`
  await applyFolder(settings)
  await execute(
    database.url,
    `insert into ${features}.customer_profile (customer_id, event_timestamp, lifetime_events) values (1001, now() - interval '1 h', 1), (1002, now(), 1);
     insert into ${features}.device_risk (merchant_id, device_id, event_timestamp) values ('m 1', -7, now() - interval '1 h')`,
  )
  const [customer, device, unknown, short, wrong] = await Promise.all([
    run('customer', '1001'),
    run('merchant_device', '--', 'm 1', '-7'),
    run('custumer', '1'),
    run('merchant_device', 'm1'),
    run('merchant_device', 'm1', '07'),
  ])
  expect([customer?.code, customer?.stderr]).toEqual([0, ''])
  expect(customer?.stdout).toMatch(
    /^customer: deleted up to 20\S+Z; what is dated until then is refused from now on\nPLACE +ROWS DELETED\n/,
  )
  expect(customer?.stdout).toMatch(new RegExp(`\n${features}\\.customer_profile +1\n`))
  expect(customer?.stdout).toMatch(/\nonline \(redis\) +0\nnot reached:\n/)
  expect(customer?.stdout).toContain(
    '  the table shop.orders of source "shop_orders", which feature view "customer_orders" reads\n',
  )
  expect(customer?.stdout).not.toContain('1001')
  expect(device?.stdout).toMatch(new RegExp(`\n${features}\\.device_risk +1\n`))
  // As the gateway records a deletion; what was refused has deleted nothing.
  expect([...(await audited(database.url))].sort()).toEqual([
    'ann@ci DELETE_ENTITY customer DONE 1',
    'ann@ci DELETE_ENTITY merchant_device DONE 1',
  ])
  const reported = [
    /^featuregraph: there is no entity "custumer"; did you mean "customer"\?\n$/,
    /^featuregraph: the key of entity "merchant_device" is merchant_id \(string\), device_id \(int32\): expected 2 value\(s\), 1 came\n$/,
    /^featuregraph: device_id: expected a 32-bit integer; got "07"\n$/,
  ]
  for (const [index, outcome] of [unknown, short, wrong].entries()) {
    expect([outcome?.code, outcome?.stdout]).toEqual([1, ''])
    expect(outcome?.stderr).toMatch(reported[index] ?? /never/)
  }
})
