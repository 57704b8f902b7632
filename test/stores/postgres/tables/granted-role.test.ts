import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreUnsuitable } from '../../../../src/errors.ts'
import { migrate } from '../../../../src/stores/postgres/tables/migrate.ts'
import { startTestGateway, type TestGateway } from '../../../server/start-test-gateway.ts'
import { execute } from '../../../services/postgres.ts'
import { postgresUrl } from '../../../services/postgres-url.ts'
import { migrationsFolder } from '../../../services/template.ts'
import { createTestDatabase } from '../../../services/test-database.ts'
import { testPool } from '../../../services/test-pool.ts'

/** A role that owns nothing, with a right to connect only, and a database that an owner works on. */
let role: string
let database: { readonly url: string; readonly drop: () => Promise<void> }
const pools: pg.Pool[] = []

beforeEach(async () => {
  role = `gateway_${randomUUID().slice(0, 8)}`
  database = await createTestDatabase()
  await execute(database.url, `create role ${role} login; revoke create on schema public from public`)
})
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.end()))
  await database.drop()
  await execute(postgresUrl(), `drop role ${role}`)
})

function asRole(): string {
  const url = new URL(database.url)
  url.username = role
  return url.href
}

function poolOf(url: string): pg.Pool {
  const pool = testPool(url, 4, null)
  pools.push(pool)
  return pool
}

const grantOn = (schema: string): string =>
  `grant usage on schema ${schema} to ${role};
   grant select, insert, update, delete on all tables in schema ${schema} to ${role}`

/** Starts a gateway as the owner, which makes the project's tables, and ends it. */
async function makeTables(settings: Readonly<Record<string, string>>): Promise<void> {
  const gateway = await startTestGateway({ offlineUrl: database.url, onlineUrl: '', settings })
  await gateway.close()
}

const startAsRole = (settings: Readonly<Record<string, string>>): Promise<TestGateway> =>
  startTestGateway({ offlineUrl: asRole(), onlineUrl: '', settings, makeTables: false })

describe('a role with select, insert, update and delete', () => {
  it('starts the gateway once an owner has made everything, and serves what it writes', async () => {
    const settings = { PROJECT: 'granted' }
    await makeTables(settings)
    for (const schema of ['featuregraph', 'features_granted', 'shop'])
      await execute(database.url, grantOn(schema))
    const gateway = await startAsRole(settings)
    try {
      await gateway.write('customer_profile', [
        { key: { customer_id: 1 }, values: { lifetime_events: 7 }, at: 1_700_000_000_000_000 },
      ])
      const { data, errors } = await gateway.ask(
        '{ customer(customerId: 1) { customerProfile { lifetimeEvents } } }',
      )
      expect([errors, data.customer.customerProfile.lifetimeEvents]).toEqual([undefined, 7])
    } finally {
      await gateway.close()
    }
  })

  it('starts it where events are stored too', async () => {
    const settings = { PROJECT: 'granted', SCHEMA: 'schema' }
    await makeTables(settings)
    for (const schema of ['featuregraph', 'features_granted', 'events_granted', 'event_partitions_granted'])
      await execute(database.url, grantOn(schema))
    const gateway = await startAsRole(settings)
    await gateway.close()
  })

  it('is refused where tables are missing, with the right that it lacks and what to run', async () => {
    await makeTables({ PROJECT: 'granted' })
    for (const schema of ['featuregraph', 'shop']) await execute(database.url, grantOn(schema))
    const name = new URL(database.url).pathname.slice(1)
    await expect(startAsRole({ PROJECT: 'other' })).rejects.toMatchObject({
      check: 'rights',
      message: expect.stringMatching(
        new RegExp(
          `role "${role}" lacks a right in schema "features_other".*permission denied for database.*run \`featuregraph apply\` once with a role that may.*grant create on database "${name}" to "${role}"`,
        ),
      ),
    })
  })
})

describe('migrations by a role that lacks rights', () => {
  it('are nothing to do where an owner has applied them', async () => {
    await execute(database.url, grantOn('featuregraph'))
    expect(await migrate(poolOf(asRole()), migrationsFolder)).toEqual([])
  })

  it.each([
    ['may not make the schema', 'drop schema featuregraph cascade', /grant create on database "test_\w+" to/],
    ['may not use the schema', '', /grant usage, create on schema "featuregraph" to/],
    [
      'may not read what was applied',
      'grant usage on schema featuregraph to ROLE',
      /grant select, insert, update, delete on all tables in schema "featuregraph" to/,
    ],
    [
      'may not apply what is missing',
      "grant usage on schema featuregraph to ROLE; grant select on featuregraph.migrations to ROLE; delete from featuregraph.migrations where name like '0013%'",
      /permission denied for schema featuregraph/,
    ],
  ])('are refused where it %s, with what to run', async (_what, sql, expected) => {
    await execute(database.url, sql.replaceAll('ROLE', role))
    const error: unknown = await migrate(poolOf(asRole()), migrationsFolder).catch(
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(StoreUnsuitable)
    expect(error).toMatchObject({ message: expect.stringMatching(expected) })
    expect(error).toMatchObject({ message: expect.stringMatching(/run `featuregraph migrate` once/) })
  })
})
