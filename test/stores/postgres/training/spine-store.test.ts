import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresSpineStore } from '../../../../src/stores/postgres/training/spine-store.ts'
import type { Spine } from '../../../../src/stores/spine-store.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testPool } from '../../../services/test-pool.ts'

describe('spines in Postgres', () => {
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

  const spine = (owner: string): Spine => ({
    ...{ id: randomUUID(), owner, format: 'csv', rows: 1, columns: ['a'], bytes: 100, sha256: '' },
  })

  it('are added while their owner holds no more than its share, however many gateways add some at once', async () => {
    const gateways = Array.from({ length: 8 }, () => postgresSpineStore(pool, 'default'))
    const added = await Promise.all(gateways.map((store) => store.add(spine('ann'), 350)))
    expect(added.filter((isAdded) => isAdded)).toHaveLength(3)
    const [store] = gateways
    expect(await store?.heldBytes('ann')).toBe(300)
    expect(await store?.add(spine('bob'), 350)).toBe(true)
    expect(await store?.add(spine('ann'), 400)).toBe(true)
  })
})
