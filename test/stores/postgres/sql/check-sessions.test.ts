import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { StoreFailed, StoreUnsuitable } from '../../../../src/errors.ts'
import { checkSessions } from '../../../../src/stores/postgres/sql/check-sessions.ts'
import { createPool } from '../../../../src/stores/postgres/sql/pool.ts'
import { startTestGateway } from '../../../server/start-test-gateway.ts'
import { pgBouncerOrSkip, startPgBouncer } from '../../../services/pgbouncer.ts'
import { execute } from '../../../services/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'

const program = await pgBouncerOrSkip()

let database: TestDatabase
const closers: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  database = await createTestDatabase()
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})
afterAll(() => database?.drop())

/** As the gateway makes them, with a startup parameter for the time zone. */
async function check(url: string): Promise<unknown> {
  const pool = createPool({
    url,
    applicationName: 'test',
    statementTimeoutMs: null,
    maxConnections: 4,
    onConnectionError: () => {},
  })
  closers.push(() => pool.end())
  return await checkSessions(pool).then(
    () => null,
    (error: unknown) => error,
  )
}

async function pooled(mode: 'transaction' | 'session', ...ignored: readonly string[]): Promise<string> {
  const bouncer = await startPgBouncer(program ?? '', database.url, { mode, ignored })
  closers.push(bouncer.stop)
  return bouncer.url
}

it('Postgres itself passes, whatever its own time zone is', async () => {
  const name = new URL(database.url).pathname.slice(1)
  await execute(database.url, `alter database ${name} set timezone = 'Asia/Tokyo'`)
  expect(await check(database.url)).toBeNull()
  await execute(database.url, `alter database ${name} reset timezone`)
})

it('a Postgres that is away is no pooler', async () => {
  const error = await check('postgres://nobody@127.0.0.1:1/none')
  expect(error).toBeInstanceOf(StoreFailed)
  expect(error).not.toBeInstanceOf(StoreUnsuitable)
})

it.skipIf(program === null)(
  'a pooler that refuses the settings of a connection is named with the remedy',
  async () => {
    expect(await check(await pooled('transaction'))).toMatchObject({
      check: 'pooler',
      message: expect.stringMatching(/unsupported startup parameter.*FEATUREGRAPH_OFFLINE_URL.*session mode/),
    })
  },
)

it.skipIf(program === null)(
  'a pooler in transaction mode that ignores them is named: sessions are shared',
  async () => {
    const url = await pooled('transaction', 'options', 'statement_timeout')
    for (let time = 0; time < 3; time += 1) {
      expect(await check(url)).toMatchObject({
        check: 'pooler',
        message: expect.stringMatching(/transaction or statement mode.*FEATUREGRAPH_OFFLINE_URL/),
      })
    }
  },
)

it.skipIf(program === null)(
  'a pooler in session mode passes where the time zone is UTC, and not where it is another',
  async () => {
    const url = await pooled('session', 'options', 'statement_timeout')
    const name = new URL(database.url).pathname.slice(1)
    await execute(database.url, `alter database ${name} set timezone = 'UTC'`)
    expect(await check(url)).toBeNull()
    await execute(database.url, `alter database ${name} set timezone = 'Asia/Tokyo'`)
    const other = await pooled('session', 'options', 'statement_timeout')
    expect(await check(other)).toMatchObject({
      check: 'pooler',
      message: expect.stringMatching(/the session time zone is Asia\/Tokyo, though UTC was asked for/),
    })
    await execute(database.url, `alter database ${name} reset timezone`)
  },
)

it.skipIf(program === null)('the gateway does not start on one, for either store', async () => {
  const url = await pooled('transaction', 'options', 'statement_timeout')
  for (const urls of [
    { offlineUrl: url, onlineUrl: 'memory:', makeTables: false },
    { offlineUrl: database.url, onlineUrl: url },
  ])
    await expect(startTestGateway(urls)).rejects.toMatchObject({ check: 'pooler' })
})
