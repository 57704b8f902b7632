import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NewApply } from '../../../../src/stores/apply-lease.ts'
import { postgresApplyLease } from '../../../../src/stores/postgres/system/apply-lease.ts'
import { postgresVersionStore } from '../../../../src/stores/postgres/system/version-store.ts'
import type { NewVersion } from '../../../../src/stores/version-store.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testPool } from '../../../services/test-pool.ts'

describe('the lease of an apply', () => {
  let database: TestDatabase
  let pool: pg.Pool
  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 4, null)
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  const apply: NewApply = {
    ...{ kind: 'APPLY', base: 0, digest: 'one', format: 1, content: '{}', by: 'ann', message: 'why' },
  }
  const newVersion = (version: number, digest: string): NewVersion => ({
    ...{ version, digest, format: 1, content: '{}', changedIn: {}, changes: [], appliedBy: 'ann' },
    ...{ message: null, program: '0.1.0' },
  })
  const opened = (project: string) => ({
    lease: postgresApplyLease(pool, project),
    versions: postgresVersionStore(pool, project),
    expire: () =>
      pool.query('update featuregraph.begun_applies set expires_at = now() where project = $1', [project]),
  })

  it('is held by one of many that begin at once, and the others see whose it is', async () => {
    const { lease } = opened('many')
    const holders = Array.from({ length: 8 }, (_, index) => `holder ${index}`)
    const outcomes = await Promise.all(holders.map((holder) => lease.begin({ ...apply, by: holder }, holder)))
    const winner = outcomes.findIndex(({ status }) => status === 'BEGUN')
    expect(outcomes.filter(({ status }) => status === 'BEGUN')).toHaveLength(1)
    for (const outcome of outcomes)
      if (outcome.status === 'BUSY')
        expect(outcome.begun).toMatchObject({ by: holders[winner], digest: 'one', isHeld: true })
  })

  it('goes, once expired, to the next: the same change keeps what is done and why, another begins anew', async () => {
    const { lease, versions, expire } = opened('expired')
    await lease.begin(apply, 'a')
    await lease.renew('a', 'column x')
    await lease.renew('a', 'column x')
    const first = await versions.begun()
    await expire()
    expect(await lease.begin({ ...apply, by: 'bob', message: null }, 'b')).toEqual({
      ...{ status: 'BEGUN', message: 'why' },
    })
    expect(await versions.begun()).toMatchObject({
      ...{ by: 'bob', message: 'why', begunAt: first?.begunAt, done: ['column x'], isHeld: true },
    })
    expect(await lease.renew('a', 'column y')).toBe(false)
    await expire()
    await lease.begin({ ...apply, digest: 'other', message: null }, 'c')
    expect(await versions.begun()).toMatchObject({ digest: 'other', message: null, done: [] })
  })

  it('lets only its holder make a version current, which ends it', async () => {
    const { lease, versions, expire } = opened('fenced')
    await lease.begin(apply, 'a')
    await expire()
    await lease.begin({ ...apply, digest: 'other' }, 'b')
    expect(await lease.finish('a', newVersion(1, 'one'))).toBe(false)
    expect(await versions.newest()).toBe(0)
    expect(await lease.finish('b', newVersion(1, 'other'))).toBe(true)
    expect(await versions.begun()).toBeNull()
    expect((await versions.read(1))?.digest).toBe('other')
    expect(await lease.begin(apply, 'c')).toEqual({ status: 'MOVED' })
  })

  it('stays recorded when it is released and something was done, and only then', async () => {
    const { lease, versions } = opened('released')
    await lease.begin(apply, 'a')
    await lease.release('a')
    expect(await versions.begun()).toBeNull()
    await lease.begin(apply, 'a')
    await lease.renew('a', 'table x')
    await lease.release('a')
    expect(await versions.begun()).toMatchObject({ done: ['table x'], isHeld: false })
    expect((await lease.begin({ ...apply, digest: 'other' }, 'b')).status).toBe('BEGUN')
  })
})
