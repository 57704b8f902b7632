import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { EpochStart, GuardLease } from '../../../../src/stores/guard-lease.ts'
import type { GuardRecord } from '../../../../src/stores/guard-record.ts'
import { filledViews } from '../../../../src/stores/guard-record.ts'
import { postgresGuardLease } from '../../../../src/stores/postgres/system/guard-lease.ts'
import { postgresGuardRecord } from '../../../../src/stores/postgres/system/guard-record.ts'
import { postgresRegistryStore } from '../../../../src/stores/postgres/system/registry-store.ts'
import { postgresRunStore } from '../../../../src/stores/postgres/system/run-store.ts'
import { postgresTileGenerations } from '../../../../src/stores/postgres/system/tile-generations.ts'
import type { TileGenerations } from '../../../../src/stores/tile-generations.ts'
import { newProject } from '../../../server/start-test-gateway.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testPool } from '../../../services/test-pool.ts'

let database: TestDatabase
let pool: pg.Pool
let project: string
let record: GuardRecord
let lease: GuardLease
let tiles: TileGenerations

beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 4, null)
})
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})
beforeEach(async () => {
  project = newProject()
  await postgresRegistryStore(pool, project).ensureViews(['profile', 'recent'])
  record = postgresGuardRecord(pool, project)
  lease = postgresGuardLease(pool, project)
  tiles = postgresTileGenerations(pool, project)
})

const start = (changes: Partial<EpochStart> = {}): EpochStart => ({
  ...{ tick: 1, complete: [], renewed: [], tiles: { kind: 'KEEP', check: 0 } as const, ...changes },
})
const expireLease = () =>
  pool.query(
    `update featuregraph.online_guards set expires_at = now() - interval '1 second' where project = $1`,
    [project],
  )

describe("the lease of the online store's guard", () => {
  it('is held by one process, until it is released or expires', async () => {
    const other = postgresGuardLease(pool, project)
    expect(await lease.hold(7)).toEqual({ epoch: 0, tick: 7 })
    expect(await other.hold(null)).toBe(null)
    expect(await lease.hold(9)).toEqual({ epoch: 0, tick: 9 })
    await lease.release()
    // The tick that was recorded never goes back.
    expect(await other.hold(3)).toEqual({ epoch: 0, tick: 9 })
    await expireLease()
    expect(await lease.hold(null)).toEqual({ epoch: 0, tick: 9 })
  })

  it('changes nothing for a process that has lost it without noticing', async () => {
    await lease.hold(null)
    await expireLease()
    expect(await lease.beginCheck()).toBe(0)
    expect(await lease.beginEpoch(start({ complete: ['profile'] }))).toBe(null)
    expect(await record.moment()).toEqual({ epoch: 0, check: 0 })
  })

  it('begins epochs in which the views named are filled, and others under new keys', async () => {
    await lease.hold(null)
    expect(await lease.beginEpoch(start({ complete: ['profile'] }))).toBe(1)
    const renewed = [{ viewId: 'profile', generation: 3, oldPrefix: 'f:old:' }]
    expect(await lease.beginEpoch(start({ tick: 5, renewed }))).toBe(2)
    const read = await record.read()
    expect([read.epoch, read.fills]).toEqual([2, [{ epoch: 1, viewId: 'profile', generation: 0 }]])
    expect([...read.generations]).toEqual([['profile', 3]])
    expect([...read.filledOnce]).toEqual(['profile'])
    expect(await record.generation('profile')).toBe(3)
    expect(await record.generation('recent')).toBe(0)
    // Two epochs later nobody reads by the first.
    await lease.beginEpoch(start())
    expect((await record.read()).fills).toEqual([])
  })

  it('keeps a fill of the epoch that runs and of the keys that are written, and no other', async () => {
    await lease.hold(null)
    await lease.beginEpoch(start())
    const fill = { epoch: 1, viewId: 'profile', generation: 0 }
    expect(await record.recordFill(fill)).toBe(true)
    expect(await record.recordFill({ ...fill, epoch: 2 })).toBe(false)
    expect(await record.recordFill({ ...fill, generation: 1 })).toBe(false)
    expect((await record.read()).fills).toEqual([fill])
  })

  it('has rows written under new keys in the epoch that runs, once, and what stands under the old ones removed', async () => {
    await lease.hold(null)
    await lease.beginEpoch(start({ complete: ['profile'] }))
    const renewal = { viewId: 'profile', from: 0, to: 1, oldPrefix: 'f:before:' }
    expect(filledViews(await record.read())).toEqual(new Set(['profile']))
    expect(await record.renew(renewal)).toBe(true)
    expect(await record.renew({ ...renewal, to: 2 })).toBe(false)
    expect(await record.generation('profile')).toBe(1)
    expect(filledViews(await record.read())).toEqual(new Set())
    expect(await record.recordFill({ epoch: 1, viewId: 'profile', generation: 0 })).toBe(false)
    expect(await record.recordFill({ epoch: 1, viewId: 'profile', generation: 1 })).toBe(true)
    expect(filledViews(await record.read())).toEqual(new Set(['profile']))
    const { rows } = await pool.query(
      'select key_prefix from featuregraph.online_leftovers where project = $1',
      [project],
    )
    expect(rows).toEqual([{ key_prefix: 'f:before:' }])
  })

  it('lists the markers that views may have, the one about to be written too', async () => {
    const runs = postgresRunStore(pool, project)
    const watermark = {
      snapshotXmin: '5',
      files: null,
      systemIdentifier: 'here',
      materializedUntil: 1_000,
      marker: 'first',
      definition: null,
      filling: null,
    }
    await runs.announceMarker('profile', 'first')
    await runs.moveWatermark('profile', watermark)
    const expected = { viewId: 'profile', generation: 0 }
    expect(await lease.markedViews()).toEqual([{ ...expected, markers: ['first'] }])
    await runs.announceMarker('profile', 'second')
    expect(await lease.markedViews()).toEqual([{ ...expected, markers: ['first', 'second'] }])
    await runs.moveWatermark('profile', { ...watermark, marker: 'second' })
    expect(await lease.markedViews()).toEqual([{ ...expected, markers: ['second'] }])
  })

  it('waits for the tiles that are read, and takes those along that were caught up since the check', async () => {
    const view = { viewId: 'recent', fingerprint: 5 }
    await lease.hold(null)
    await lease.beginEpoch(start())
    await tiles.begin(view, 1, 1_000)
    await tiles.goLive(view, 1, 2_000)
    const caughtUp = (check: number, epoch = 1) =>
      tiles.recordWatermarks([{ ...view, generation: 1, at: null, caughtUpIn: { epoch, check } }])
    await caughtUp(0)
    const check = await lease.beginCheck()
    expect(await lease.tilesCaughtUp(check)).toBe(false)
    await caughtUp(check)
    expect(await lease.tilesCaughtUp(check)).toBe(true)
    await lease.beginEpoch(start({ tiles: { kind: 'KEEP', check } }))
    const epochs = async () => (await tiles.list()).map(({ state, caughtUpEpoch }) => [state, caughtUpEpoch])
    expect(await epochs()).toEqual([['LIVE', 2]])
    // Nothing has caught them up since this one.
    const next = await lease.beginCheck()
    await lease.beginEpoch(start({ tiles: { kind: 'KEEP', check: next } }))
    expect(await epochs()).toEqual([['LIVE', 2]])
    await lease.beginEpoch(start({ tiles: { kind: 'RENEW' } }))
    expect(await epochs()).toEqual([['RETIRED', 2]])
  })
})
