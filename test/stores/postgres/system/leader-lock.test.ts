import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { StoreFailed } from '../../../../src/errors.ts'
import { postgresLeaderLock } from '../../../../src/stores/postgres/system/leader-lock.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testPool } from '../../../services/test-pool.ts'

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 2)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

it('is held by one of a project, until it lets go', async () => {
  const [first, second, other] = [
    postgresLeaderLock(pool, 'a'),
    postgresLeaderLock(pool, 'a'),
    postgresLeaderLock(pool, 'b'),
  ]
  expect([await first.hold(), await second.hold(), await other.hold()]).toEqual([true, false, true])
  expect([await first.hold(), await second.hold()]).toEqual([true, false])
  await first.release()
  expect([await second.hold(), await first.hold()]).toEqual([true, false])
  await Promise.all([first.release(), second.release(), other.release()])
})

it('is lost with its connection, without harm to the process, and may be had again', async () => {
  const [first, second] = [postgresLeaderLock(pool, 'c'), postgresLeaderLock(pool, 'c')]
  expect([await first.hold(), await second.hold()]).toEqual([true, false])
  await pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = 'featuregraph worker' and pid in (select pid from pg_locks where locktype = 'advisory' and granted)`,
  )
  await sleep(50)
  expect(await second.hold()).toBe(true)
  expect(await first.hold()).toBe(false)
  await second.release()
  expect(await first.hold()).toBe(true)
  await first.release()
})

it('is not held when the database does not answer', async () => {
  const nowhere = testPool('postgres://nobody@127.0.0.1:1/none', 1)
  const lock = postgresLeaderLock(nowhere, 'd')
  await expect(lock.hold()).rejects.toThrow(StoreFailed)
  await expect(lock.hold()).rejects.toThrow(/taking the lock of the worker/)
  await lock.release()
  await nowhere.end()
})
