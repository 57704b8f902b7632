import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EntityKey } from '../../../src/definitions/value.ts'
import { DeletionUnfinished } from '../../../src/errors.ts'
import type { DeletionReceipt } from '../../../src/ingest/deletion/deletion-receipt.ts'
import type { OnlineStore } from '../../../src/stores/online-store.ts'
import { asOfJoin } from '../../contract/offline-store.ts'
import { untilWorks } from '../../services/wait-until.ts'
import { type DeletionWorld, day, hour, openWorld, viewOf } from './deletion-world.ts'

let world: DeletionWorld
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world?.close())

let ids = 100
/** A customer that no other test knows. */
const newId = (): number => {
  ids += 1
  return ids
}
const counts = (receipt: DeletionReceipt) =>
  Object.fromEntries(receipt.counts.map(({ place, rows }) => [place, rows]))
const midnight = () => Math.floor(world.time.now / day) * day
const gone = [false, false]
const there = [true, true]
const deleted = { accepted: false, online: 'NOT_ASKED', code: 'ENTITY_DELETED', message: expect.any(String) }
const written = { accepted: true, online: 'WRITTEN' }

/** Everything about a customer, in shop "a", on both clocks. */
async function live(id: number): Promise<void> {
  const { now } = world.time
  await world.push('profile', [
    [[id], now - 5, 1],
    [[id], now - 2 * day, 2],
    [[id], now + day, 3],
  ])
  await world.push('loyalty', [
    [['a', id], now - 5, 1],
    [['b', id], now - 6, 1],
  ])
  await world.keep([id, 'a', midnight() - hour], [id, 'b', midnight() - 30 * hour])
  await world.book(id, midnight() - hour)
  for (const view of ['daily', 'booked']) {
    await world.compute(view, midnight() - day, midnight())
    await world.materialize(view)
  }
  await world.pool.query(`insert into bank.tabs values ('a', $1, now() - interval '2 d', 4)`, [id])
  await world.materialize('tabs')
}

const places: readonly (readonly [view: string, key: (id: number) => EntityKey])[] = [
  ['profile', (id) => [id]],
  ['loyalty', (id) => ['a', id]],
  ['loyalty', (id) => ['b', id]],
  ['daily', (id) => [id]],
  ['booked', (id) => [id]],
]
const standing = (id: number) => Promise.all(places.map(([view, key]) => world.found(view, key(id))))
const everywhere = (answer: readonly boolean[]) => places.map(() => answer)

/** As long as `open` is not called, nothing that is written through it reaches the online store. */
function gated(): {
  readonly online: OnlineStore
  readonly reached: Promise<void>
  readonly open: () => void
} {
  let open = (): void => {}
  let reach = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const reached = new Promise<void>((resolve) => {
    reach = resolve
  })
  const online: OnlineStore = {
    ...world.stores.online,
    writeMany: async (writes, expiry) => {
      reach()
      await opened
      return await world.stores.online.writeMany(writes, expiry)
    },
  }
  return { online, reached, open }
}

describe('a deletion', () => {
  it('leaves nothing on either clock, not at any knownAt, counts what it deleted and names what it cannot reach', async () => {
    const [id, other] = [newId(), newId()]
    await live(id)
    await live(other)
    expect(await standing(id)).toEqual(everywhere(there))
    const receipt = await world.remove('customer', [id])
    expect(await standing(id)).toEqual(everywhere(gone))
    expect((await world.found('tabs', ['a', id]))[0]).toBe(false)
    expect(await standing(other)).toEqual(everywhere(there))
    expect((await world.found('tabs', ['a', other]))[0]).toBe(true)
    expect(receipt).toMatchObject({ entity: 'customer', deletedAt: world.time.now })
    expect(counts(receipt)).toEqual({
      'features.profile': 3,
      'features.loyalty': 2,
      'features.daily': 2,
      'features.booked': 1,
      'events.sales': 2,
      'online (redis)': 6,
      violations: 0,
      quarantine: 0,
    })
    expect(receipt.notReached).toEqual([
      'the topic "sales" of event source "sales", and "sales.dead-letters"',
      'messages of the topic "sales" that were dead-lettered because they could not be read',
      'the table bank.ledger of event source "ledger"',
      'the query of source "bar_tabs", which feature view "tabs" reads',
      'files that were imported into "sales"',
      'training files that were handed out',
      'backups',
      'lines of logs',
    ])
    const { rows } = await world.pool.query(
      `select count(*)::int as n from featuregraph.deletion_online_keys union all
       select count(*)::int from featuregraph.deletions where position(convert_to($1, 'UTF8') in digest) > 0`,
      [String(id)],
    )
    expect(rows).toEqual([{ n: 0 }, { n: 0 }])
  })

  it('is not undone by batch, materialize, push or the retry of a push, not even into an emptied Redis', async () => {
    const id = newId()
    const { now } = world.time
    const composite = [[['c', id], now - 7, 1]] as const
    const plain = [
      [[id], now - 9, 1],
      [[newId()], now - 9, 2],
    ] as const
    await world.push('loyalty', composite, { idempotencyKey: `c ${id}` })
    const first = await world.push('profile', plain, { idempotencyKey: `p ${id}` })
    expect(first).toEqual([written, written])
    await live(id)
    await world.remove('customer', [id])

    const attempts = async () => {
      for (const view of ['daily', 'booked']) {
        await world.compute(view, midnight() - day, midnight())
        await world.materialize(view)
      }
      for (const view of ['profile', 'loyalty', 'tabs']) await world.materialize(view)
      expect(await world.push('loyalty', composite, { idempotencyKey: `c ${id}` })).toEqual([deleted])
      const again = await world.push('profile', plain, { idempotencyKey: `p ${id}` })
      expect(again).toEqual([deleted, { accepted: true, online: expect.any(String) }])
      expect(await world.push('profile', plain)).toEqual([
        deleted,
        { accepted: true, online: expect.any(String) },
      ])
      await expect(world.push('profile', plain.slice(1), { idempotencyKey: `p ${id}` })).rejects.toThrow(
        /was used with other rows/,
      )
      expect(await standing(id)).toEqual(everywhere(gone))
      expect(await world.found('loyalty', ['c', id])).toEqual(gone)
      expect((await world.found('tabs', ['a', id]))[0]).toBe(false)
    }
    await attempts()
    await world.redis.restart()
    await untilWorks(() => world.stores.online.ping())
    await attempts()
  })

  it('lets later rows and events in', async () => {
    const id = newId()
    await live(id)
    await world.remove('customer', [id])
    world.time.now += 3 * day
    const { now } = world.time
    expect(
      await world.push('profile', [
        [[id], now, 7],
        [[id], now - 3 * day, 8],
      ]),
    ).toEqual([written, deleted])
    expect(await world.push('loyalty', [[['a', id], now - 3 * day + 1, 7]])).toEqual([written])
    await world.keep([id, 'a', midnight() - hour])
    await world.book(id, midnight() - hour)
    for (const view of ['daily', 'booked']) {
      await world.compute(view, midnight())
      await world.materialize(view)
    }
    expect(await standing(id)).toEqual([there, there, gone, there, there])
    const [answer] = await asOfJoin(world.stores.offline, {
      views: world.registry.views.filter(({ name }) => name === 'booked'),
      rows: [{ key: [id], asOf: now, knownAt: null }],
    })
    // One event of the mapped table, not the one from before the deletion.
    expect(answer?.[0]?.values).toEqual([1, 5])
  })

  it('of a composite entity takes its key in its order, and leaves the rest of its parts', async () => {
    const id = newId()
    await live(id)
    const receipt = await world.remove('regular', ['a', id])
    expect(await standing(id)).toEqual([there, gone, there, there, there])
    expect(counts(receipt)).toMatchObject({ 'features.loyalty': 1, 'events.sales': 1, 'online (redis)': 2 })
    expect(counts(receipt)).not.toHaveProperty(['features.profile'])
    expect(
      await world.push('loyalty', [
        [['a', id], world.time.now, 1],
        [['b', id], world.time.now, 1],
      ]),
    ).toEqual([deleted, written])
    await world.remove('shop', ['b'])
    expect(await world.found('loyalty', ['b', id])).toEqual(gone)
  })

  it('takes violations and quarantined rows along, and refuses new ones', async () => {
    const id = newId()
    const { now } = world.time
    const rows = [
      [[id], now, 5_000],
      [[id], now, 1, 9],
    ] as const
    const reported = async () =>
      (await world.stores.violations.page({ view: 'profile', since: null, after: null, first: 100 })).filter(
        ({ key }) => key[0] === String(id),
      ).length
    const quarantined = async () =>
      (
        await world.pool.query(
          `select from featuregraph.quarantine where content->'key'->>'customer_id' = $1`,
          [String(id)],
        )
      ).rowCount
    expect((await world.push('profile', rows)).map(({ accepted }) => accepted)).toEqual([false, true])
    expect([await reported(), await quarantined()]).toEqual([2, 1])
    // As a file's row is stored: text, under the name of the event source.
    await world.pool.query(
      `insert into featuregraph.quarantine (project, view, content, reason, recorded_at, file, row_number) values
         ('default', 'sales', $1, 'x', to_timestamp($2), 'f.csv', 1), ('default', 'daily', $3, 'x', to_timestamp($2), null, null)`,
      [{ key: {}, values: { customer_id: String(id) } }, now / 1e6, { key: [id], values: [1, 2] }],
    )
    expect(counts(await world.remove('customer', [id]))).toMatchObject({ violations: 2, quarantine: 3 })
    expect(await world.push('profile', rows)).toEqual([deleted, deleted])
    expect([await reported(), await quarantined()]).toEqual([0, 0])
  })

  it('of a key that nobody knows counts nothing and is recorded', async () => {
    const id = newId()
    const receipt = await world.remove('customer', [id])
    expect(new Set(receipt.counts.map(({ rows }) => rows))).toEqual(new Set([0]))
    expect(await world.push('profile', [[[id], world.time.now, 1]])).toEqual([deleted])
    // Again, and twice at once, does no harm.
    const twice = await Promise.all([world.remove('customer', [id]), world.remove('customer', [id])])
    expect(twice.map(({ deletedAt }) => deletedAt)).toEqual([world.time.now, world.time.now])
  })

  it('reaches a row that another clock put online ahead of this one', async () => {
    const id = newId()
    world.time.now += hour
    await world.push('profile', [[[id], world.time.now, 1]])
    world.time.now -= hour
    const { deletedAt } = await world.remove('customer', [id])
    expect([deletedAt, await world.found('profile', [id])]).toEqual([world.time.now + hour, gone])
  })
})

describe('what is under way while an entity is deleted', () => {
  it('brings nothing back: a push and a materialize that have not written online yet', async () => {
    const id = newId()
    const { now } = world.time
    await world.push('loyalty', [[['a', id], now - 1, 1]], { to: 'OFFLINE' })
    const [slowPush, slowMaterialize] = [gated(), gated()]
    const pushing = world.push('profile', [[[id], now, 1]], { online: slowPush.online })
    const materializing = world.materialize('loyalty', slowMaterialize.online)
    await Promise.all([slowPush.reached, slowMaterialize.reached])
    await world.remove('customer', [id])
    slowPush.open()
    slowMaterialize.open()
    await materializing
    expect(await pushing).toEqual([{ accepted: true, online: 'OLDER' }])
    expect([await world.found('profile', [id]), await world.found('loyalty', ['a', id])]).toEqual([
      gone,
      gone,
    ])
  })

  it('is waited for when it writes offline, and what it wrote is deleted', async () => {
    const id = newId()
    const writer = await world.pool.connect()
    await writer.query('begin')
    await writer.query(
      `insert into features.loyalty (customer_id, shop, event_timestamp, n) values ($1, 'z', to_timestamp($2), 1)`,
      [id, world.time.now / 1e6],
    )
    let waits = 0
    let ended = false
    const removing = world.remove('customer', [id], { onWait: () => (waits += 1) }).then((receipt) => {
      ended = true
      return receipt
    })
    await expect.poll(() => waits).toBe(1)
    await sleep(100)
    expect(ended).toBe(false)
    expect(await world.push('profile', [[[id], world.time.now, 1]])).toEqual([deleted])
    await writer.query('commit')
    // What the writer then puts online, before or after its tombstone, loses.
    writer.release()
    expect(counts(await removing)).toMatchObject({ 'features.loyalty': 1 })
    expect(await world.found('loyalty', ['z', id])).toEqual(gone)
    const stood = (
      await world.stores.online.readMany([`${await world.stores.rowPrefix(viewOf('loyalty'))}{z,${id}}`])
    ).rows
    expect(stood[0]?.[1]).toBe(2)
  })

  it('is given up after the time that the caller waits, and completed by the next', async () => {
    const id = newId()
    const writer = await world.pool.connect()
    await writer.query('begin')
    await writer.query('select pg_current_xact_id()')
    await live(id)
    await expect(world.remove('customer', [id], { waitMs: 100 })).rejects.toThrow(
      /began before is still writing; delete it again/,
    )
    expect(await standing(id)).toEqual(everywhere(gone))
    await writer.query('rollback')
    writer.release()
    await world.remove('customer', [id], { waitMs: 100 })
  })

  it.each([false, true])(
    'is a batch computation that reads things as of before (and has written: %s)',
    async (hasWritten) => {
      const id = newId()
      await world.keep([id, 'a', midnight() - hour])
      const blockers = [await world.pool.connect(), await world.pool.connect()] as const
      const [beforeReading, beforeEnd] = blockers
      for (const blocker of blockers) await blocker.query('begin')
      if (!hasWritten) await beforeReading.query('lock table events.sales in access exclusive mode')
      // The computation's last statement waits here.
      await beforeEnd.query('lock table featuregraph.snapshots in exclusive mode')
      const computing = world.compute('daily', midnight())
      await untilWorks(async () => {
        const table = hasWritten ? 'featuregraph.snapshots' : 'events.sales'
        const { rowCount } = await world.pool.query(
          'select from pg_locks where relation = $1::regclass and not granted',
          [table],
        )
        expect(rowCount).toBe(1)
      })
      let waits = 0
      const removing = world.remove('customer', [id], { onWait: () => (waits += 1) })
      await untilWorks(async () => {
        const pushed = await world.push('profile', [[[id], world.time.now, 1]], { to: 'OFFLINE' })
        expect(pushed).toEqual([deleted])
      })
      await beforeReading.query('rollback')
      await expect.poll(() => waits).toBe(1)
      await beforeEnd.query('rollback')
      for (const blocker of blockers) blocker.release()
      await computing
      expect(counts(await removing)).toMatchObject({ 'features.daily': 1, 'events.sales': 1 })
      expect(await world.found('daily', [id])).toEqual(gone)
      await world.compute('daily', midnight())
      expect(await world.found('daily', [id])).toEqual(gone)
    },
  )

  it('is pushes, many at once', async () => {
    const id = newId()
    const { now } = world.time
    let stop = false
    let pushes = 0
    const pushing = Array.from({ length: 3 }, async () => {
      while (!stop) {
        pushes += 1
        await world.push('profile', [[[id], now - pushes, pushes]])
        await world.push('loyalty', [[[`s${pushes % 7}`, id], now - pushes, pushes]])
      }
    })
    await expect.poll(() => pushes).toBeGreaterThan(20)
    await world.remove('customer', [id])
    const atEnd = pushes
    await expect.poll(() => pushes).toBeGreaterThan(atEnd + 10)
    stop = true
    await Promise.all(pushing)
    expect(await world.found('profile', [id])).toEqual(gone)
    for (let place = 0; place < 7; place += 1)
      expect(await world.found('loyalty', [`s${place}`, id])).toEqual(gone)
  })
})

describe('a Redis that is away', () => {
  it('leaves the deletion recorded and done offline; the same again completes it', async () => {
    const id = newId()
    await live(id)
    await world.redis.kill()
    const failure = await world.remove('customer', [id]).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(DeletionUnfinished)
    expect(String(failure)).toMatch(
      /is recorded and done offline.*did not answer in 5 tries; delete it again/,
    )
    await world.redis.restart()
    await untilWorks(() => world.stores.online.ping())
    expect(await world.push('profile', [[[id], world.time.now, 1]])).toEqual([deleted])
    // Rows from before, as a Redis that keeps its data has them.
    const { rowPrefix, online } = world.stores
    const key = `${await rowPrefix(viewOf('loyalty'))}{a,${id}}`
    const old = Buffer.alloc(64)
    old[0] = 1
    old.writeDoubleLE(world.time.now - 5, 8)
    await online.writeMany([{ key, row: old }], null)
    expect(counts(await world.remove('customer', [id]))).toMatchObject({
      'features.loyalty': 0,
      'online (redis)': 1,
    })
    expect(await standing(id)).toEqual(everywhere(gone))
    const [stood] = (await online.readMany([key])).rows
    expect(stood?.[1]).toBe(2)
  })
})
