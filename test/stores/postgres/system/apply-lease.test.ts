import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NewApply } from '../../../../src/stores/apply-lease.ts'
import { postgresApplyLease } from '../../../../src/stores/postgres/system/apply-lease.ts'
import { addVersion, postgresVersionStore } from '../../../../src/stores/postgres/system/version-store.ts'
import type { NewVersion } from '../../../../src/stores/version-store.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testPool } from '../../../services/test-pool.ts'
import { waitUntil } from '../../../services/wait-until.ts'

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

  it('is not taken from a version that another process moved on while it was waited for', async () => {
    const { lease, versions } = opened('waited')
    const waiting = async () => {
      const { rows } = await pool.query<{ count: number }>(
        `select count(*)::integer from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      return rows[0]?.count ?? 0
    }
    await lease.begin(apply, 'a')
    // Its number keeps the end of the change open, until it is given up.
    const other = await pool.connect()
    await other.query('begin')
    await addVersion(other, 'waited', newVersion(1, 'never'))
    const finished = lease.finish('a', newVersion(1, 'one'))
    await waitUntil(async () => (await waiting()) === 1, 'the end of the change is held open')
    const begun = lease.begin({ ...apply, digest: 'other' }, 'b')
    await waitUntil(async () => (await waiting()) === 2, 'the next one waits for it')
    await other.query('rollback')
    other.release()
    expect([await finished, await begun]).toEqual([true, { status: 'MOVED' }])
    expect([await versions.newest(), await versions.begun()]).toEqual([1, null])
    expect(await lease.begin({ ...apply, base: 1, digest: 'other' }, 'b')).toMatchObject({ status: 'BEGUN' })
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
