import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StoreFailed } from '../../../src/errors.ts'
import { postgresOnlineStore } from '../../../src/stores/postgres/online-store.ts'
import { migrate } from '../../../src/stores/postgres/tables/migrate.ts'
import { onlineSectionsContract } from '../../contract/online-sections.ts'
import {
  nowMicros,
  type OnlineStoreHarness,
  onlineStoreContract,
  packedRow,
} from '../../contract/online-store.ts'
import { startPostgres } from '../../services/postgres.ts'
import { migrationsFolder } from '../../services/template.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testPool } from '../../services/test-pool.ts'

const makeHarness = async (): Promise<OnlineStoreHarness> => {
  const database = await createTestDatabase()
  const admin = testPool(database.url, 1)
  return {
    open: async () => postgresOnlineStore(testPool(database.url)),
    plant: async (key, bytes) => {
      await admin.query(
        `insert into featuregraph.online_rows (key, event_micros, created_micros, row_id, packed_row)
         values ($1, 0, 0, 0, $2)`,
        [key, bytes],
      )
    },
    close: async () => {
      await admin.end()
      await database.drop()
    },
  }
}
onlineStoreContract('postgres', makeHarness)
onlineSectionsContract('postgres', makeHarness)

describe('the Postgres online store', () => {
  let database: TestDatabase
  let pool: pg.Pool

  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 8)
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  const keysNow = async (): Promise<string[]> =>
    (await pool.query<{ key: string }>('select key from featuregraph.online_rows order by key')).rows.map(
      (row) => row.key,
    )

  it('sweeps expired rows with later writes of other keys', async () => {
    const store = postgresOnlineStore(pool)
    const event = nowMicros()
    const writes = ['a', 'b', 'c'].map((key) => ({ key, row: packedRow([event, 1, 1]) }))
    await store.writeMany(writes, 50_000)
    await store.writeMany([{ key: 'kept', row: packedRow([event, 1, 1]) }], 3_600_000_000)
    await sleep(100)
    for (let round = 0; round < 2; round += 1) {
      await store.writeMany([{ key: 'other', row: packedRow([event, 1, 1]) }], null)
    }
    expect(await keysNow()).toEqual(['kept', 'other'])
  })

  it('takes an older row where a newer one has expired and no sweep has come by', async () => {
    const store = postgresOnlineStore(pool)
    const key = randomUUID()
    await pool.query(
      `insert into featuregraph.online_rows (key, event_micros, created_micros, row_id, packed_row, expires_at)
       values ($1, 9e15, 0, 0, '', now() - interval '1 second')`,
      [key],
    )
    expect((await store.readMany([key])).rows).toEqual([null])
    const row = packedRow([1, 1, 1])
    expect(await store.writeMany([{ key, row }], null)).toEqual(['WRITTEN'])
    expect((await store.readMany([key])).rows).toEqual([row])
  })

  it('takes overlapping batches of many writers, with rows that expire meanwhile, without a deadlock', async () => {
    const store = postgresOnlineStore(pool)
    const keys = Array.from({ length: 300 }, (_, index) => `deadlock:${index}`)
    for (let round = 0; round < 12; round += 1) {
      const now = nowMicros()
      await Promise.all(
        Array.from({ length: 8 }, (_, writer) => {
          // Each in an order of its own; half of the rows are gone when the next round sweeps.
          const mine = keys.map((_, index) => keys[(index * (2 * writer + 1) + writer) % 300] ?? '')
          const writes = mine.map((key) => ({ key, row: packedRow([now + writer, 1, 1], `${writer}`) }))
          return store.writeMany([...new Map(writes.map((one) => [one.key, one])).values()], 20_000)
        }),
      )
    }
    const now = nowMicros()
    const last = keys.map((key) => ({ key, row: packedRow([now + 60_000_000, 1, 1]) }))
    expect(new Set(await store.writeMany(last, null))).toEqual(new Set(['WRITTEN']))
  })

  it('lets no sweep of one writer wait for the rows of another, nor the other way round', async () => {
    // A deadlock needs the sweep to hold rows that another writer still wants while it wants one of that writer's.
    const store = postgresOnlineStore(pool)
    const event = nowMicros()
    await store.writeMany([{ key: 'z expired', row: packedRow([event, 1, 1]) }], 30_000)
    const other = await pool.connect()
    await other.query('begin')
    await other.query(
      `insert into featuregraph.online_rows (key, event_micros, created_micros, row_id, packed_row)
       values ('a wanted', 0, 0, 0, '')`,
    )
    await sleep(60)
    const writing = store
      .writeMany([{ key: 'a wanted', row: packedRow([event, 1, 1]) }], null)
      .catch((error: unknown) => error)
    await sleep(100)
    const rewritten = await other
      .query(
        `insert into featuregraph.online_rows as o (key, event_micros, created_micros, row_id, packed_row)
         values ('z expired', 0, 0, 0, '') on conflict (key) do update set row_id = 0`,
      )
      .then(
        () => 'written',
        (error: Error) => error.message,
      )
    await other.query('rollback')
    other.release()
    expect(rewritten).toBe('written')
    expect(await writing).toEqual(['WRITTEN'])
  })

  it('rejects with StoreFailed what the server refuses', async () => {
    const store = postgresOnlineStore(pool)
    await expect(store.writeMany([{ key: 'nul\0', row: packedRow([1, 1, 1]) }], null)).rejects.toBeInstanceOf(
      StoreFailed,
    )
    await expect(store.readMany(['nul\0'])).rejects.toBeInstanceOf(StoreFailed)
    expect((await store.readMany(['missing'])).rows).toEqual([null])
  })

  it('rejects reads, writes and pings with StoreFailed while Postgres is gone, and works again after its return', async () => {
    const server = await startPostgres()
    try {
      const url = await server.createDatabase()
      const own = testPool(url, 2)
      const unbounded = testPool(url, 1, null)
      await migrate(unbounded, migrationsFolder)
      await unbounded.end()
      const store = postgresOnlineStore(own)
      const write = { key: randomUUID(), row: packedRow([1, 1, 1]) }
      await store.writeMany([write], null)
      const asleep = own.query('select pg_sleep(3600)').catch((error: unknown) => error)
      await server.kill()
      expect(await asleep).toBeInstanceOf(Error)
      const failures = await Promise.allSettled([
        store.readMany(['k']),
        store.writeMany([write], null),
        store.ping(),
      ])
      for (const outcome of failures) {
        expect(outcome).toEqual({ status: 'rejected', reason: expect.any(StoreFailed) })
      }
      await server.restart()
      const again = { key: randomUUID(), row: packedRow([2, 1, 1]) }
      expect(await store.writeMany([again], null)).toEqual(['WRITTEN'])
      expect((await store.readMany([again.key])).rows).toEqual([again.row])
      await store.close()
    } finally {
      await server.stop()
    }
  })
})
