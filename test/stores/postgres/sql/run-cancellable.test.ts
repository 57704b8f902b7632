import type { Socket } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCancellable } from '../../../../src/stores/postgres/sql/run-cancellable.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testPool } from '../../../services/test-pool.ts'

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 1)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

/** What the statement was refused with, and with which error its connection was given back: none keeps it. */
async function refusalOf(text: string): Promise<{ readonly error: unknown; readonly released: unknown }> {
  const released = new Promise((resolve) => pool.once('release', resolve))
  const error = await runCancellable(pool, { text, values: [] }, new AbortController().signal).catch(
    (reason: unknown) => reason,
  )
  return { error, released: await released }
}

it('keeps the connection after an error that the server sent', async () => {
  const { error, released } = await refusalOf('select 1 / 0')
  expect(error).toBeInstanceOf(pg.DatabaseError)
  expect(released).toBeFalsy()
})

it('gives up a connection that broke, also where the system names the error by five letters', async () => {
  pool.once('acquire', (client) => {
    const { connection } = client as unknown as { readonly connection: { readonly stream: Socket } }
    const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
    setTimeout(() => connection.stream.destroy(broken), 50)
  })
  const { error, released } = await refusalOf('select pg_sleep(30)')
  expect(error).toMatchObject({ code: 'EPIPE' })
  expect(released).toBe(error)
})
