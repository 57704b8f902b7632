import { appendFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import { postgresEventRetention } from '../../../src/stores/postgres/events/event-retention.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { postgresQuarantineStore } from '../../../src/stores/postgres/quarantine/quarantine-store.ts'
import { eventTable } from '../../../src/stores/postgres/tables/event-table.ts'
import { day, hour, minute, openVerdictWorld, type TestPayment, type VerdictWorld } from './verdict-world.ts'

let world: VerdictWorld
let start: Micros
beforeEach(async () => {
  world = await openVerdictWorld()
  start = (await world.events.now()) - 3 * hour
})
afterEach(() => world?.close())

/** Their ids are the numbers from `first` on. */
function paid(amount: number, first = 0): TestPayment[] {
  return Array.from({ length: amount }, (_, index) => ({
    id: `payment-${first + index}`,
    at: start + (first + index) * 1_000,
  }))
}

const storedRows = async (where = 'true') => {
  const { rows } = await world.pool.query<{ n: number }>(
    `select count(*)::int as n from ${eventTable('default', world.source)} where ${where}`,
  )
  return rows[0]?.n
}

/** Batches of `size`: every third one, then those behind them, then the others. */
function batches<Item>(items: readonly Item[], size: number): Item[][] {
  const cut = Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
  return [0, 1, 2].flatMap((first) => cut.filter((_, index) => index % 3 === first))
}

describe('events that come live and are imported from a file too', () => {
  it('count once on both clocks, live first, and a past answer stays what it was', async () => {
    const before = await world.events.now()
    await world.live(paid(100))
    await world.follow()
    const after = await world.events.now()
    const past = () => Promise.all([world.asOf(before, before), world.asOf(after, after)])
    expect(await past()).toEqual([0, 100])
    // Known from when they happened, or from an hour later, as the file says.
    const [unknown, known] = [await world.file(paid(100)), await world.file(paid(100), start + hour)]
    expect(await world.importFile(unknown)).toMatchObject([{ stored: 100 }])
    expect(await world.importFile(known)).toMatchObject([{ stored: 100 }])
    expect(await world.bothClocks()).toEqual([100, 100])
    expect(await past()).toEqual([0, 100])
    expect(await storedRows()).toBe(300)
  })

  it('count once on both clocks, the file first, and a past answer stays what it was', async () => {
    await world.importFile(await world.file(paid(100)))
    await world.follow()
    const after = await world.events.now()
    expect(await world.asOf(after, after)).toBe(100)
    expect(await world.live(paid(110))).toEqual([
      ...Array.from({ length: 100 }, () => 'REPEATED'),
      ...Array.from({ length: 10 }, () => 'STORED'),
    ])
    expect(await world.bothClocks()).toEqual([110, 110])
    expect(await world.asOf(after, after)).toBe(100)
  })

  it('count once on both clocks, while the file is imported', async () => {
    const all = paid(5_000)
    const file = await world.file(all)
    const other = postgresEventStore(world.pool, 'default')
    const live = async (store: typeof other, from: readonly TestPayment[][]) => {
      for (const batch of from) {
        await world.live(batch, store)
        await world.follow()
      }
    }
    await Promise.all([
      world.importFile(file),
      live(world.events, batches(all.slice(0, 3_000), 250)),
      live(other, batches(all.slice(2_000).reverse(), 250)),
    ])
    expect(await world.bothClocks()).toEqual([5_000, 5_000])
    expect(await storedRows('counts')).toBe(5_000)
  })

  it('count once when the same message comes by the retry of a dead letter', async () => {
    const value = Buffer.from('{}')
    await world.events.storeMessages(
      world.source,
      'topic',
      {
        events: [],
        deadLetters: [
          {
            partition: 0,
            offset: 0,
            key: null,
            value,
            content: {},
            event: null,
            reason: 'x',
            violations: [],
          },
        ],
      },
      await world.events.now(),
    )
    await world.importFile(await world.file(paid(1)))
    const quarantine = postgresQuarantineStore(world.pool, 'default')
    const all = { name: null, cameBy: null, order: 'NEWEST_FIRST', past: null } as const
    const [letter] = await quarantine.page({ ...all, first: 1 })
    const event = { eventTimestamp: start, eventId: 'payment-0', values: [1], violations: [] }
    const retried = [{ id: letter?.id ?? 0, event, row: 0 }]
    const place = { kind: 'LOG', topic: 'log:payments' } as const
    expect(await quarantine.retryEvents(world.source, place, retried, await world.events.now())).toEqual([
      'REPEATED',
    ])
    expect(await world.bothClocks()).toEqual([1, 1])
  })

  it('count once where a file or a batch has an id twice, and those without an id count each', async () => {
    const [one] = paid(1) as [TestPayment]
    const none = { ...one, id: null }
    await world.importFile(await world.file([none, one, { ...one, at: one.at + 1 }, none]))
    expect(await world.live([{ ...one, id: 'new' }, { ...one, id: 'new' }, none])).toEqual([
      'STORED',
      'REPEATED',
      'STORED',
    ])
    expect(await world.bothClocks()).toEqual([5, 5])
  })
})

describe('writers of equal ids', () => {
  it('never deadlock, in whichever order their events are', async () => {
    const all = paid(1_000).map((one, index) => ({ ...one, at: start - (index % 7) * hour }))
    const stores = Array.from({ length: 4 }, () => postgresEventStore(world.pool, 'default'))
    for (let round = 0; round < 5; round += 1) {
      const own = all.map((one) => ({ ...one, id: `${round} ${one.id}` }))
      const outcomes = await Promise.all(
        stores.map((store, index) => {
          const turned = [...own.slice(index * 250), ...own.slice(0, index * 250)]
          return world.live(index % 2 ? turned.reverse() : turned, store)
        }),
      )
      expect(outcomes.flat().filter((outcome) => outcome === 'STORED')).toHaveLength(1_000)
    }
    expect(await world.bothClocks()).toEqual([5_000, 5_000])
  })

  it('do not wait for the end of a file that has them', async () => {
    const [one] = paid(1) as [TestPayment]
    const table = { kind: 'EVENTS', source: world.source } as const
    const definition = { reading: 'a', expected: 'b' }
    const receipt = { digest: 'a', file: 'a.csv', importedAt: await world.events.now(), definition }
    let outcomes: readonly (string | undefined)[] = []
    await world.imports.importFile(table, receipt, async (sink) => {
      const rows = {
        ...{ kept: [0], rowNumbers: [1], eventTimestamps: [one.at], createdTimestamps: [null] },
        ...{ eventIds: [one.id], columns: [[1]] },
      }
      await sink.write(rows, [], [])
      outcomes = await world.live([one])
      return { read: 1, stored: 1, storedBefore: 0 }
    })
    expect(outcomes).toEqual(['REPEATED'])
  })
})

describe('an import of events with ids', () => {
  it('goes on behind its last chunk when its process ended', async () => {
    const all = paid(5_000)
    const path = await world.file(all)
    const killed = world.importFile(path, {
      onProgress: (_, rows) => {
        if (rows > 3_000) throw new Error('killed')
      },
    })
    await expect(killed).rejects.toThrow('killed')
    const begun = Number(await storedRows())
    expect(begun).toBeGreaterThan(0)
    expect(begun).toBeLessThan(5_000)
    // What has come live meanwhile counts already, and what was imported too.
    await world.live(all.slice(-100))
    await world.live(all.slice(0, 100))
    expect(await world.bothClocks()).toEqual([begun + 100, begun + 100])
    expect(await world.importFile(path)).toMatchObject([{ status: 'IMPORTED', read: 5_000, stored: 5_000 }])
    expect(await world.bothClocks()).toEqual([5_000, 5_000])
    expect(await storedRows()).toBe(5_200)
    expect(await world.importFile(path)).toMatchObject([{ status: 'ALREADY_IMPORTED' }])
  })

  it('stores nothing of a file that is refused for its last row', async () => {
    const path = await world.file(paid(3_000))
    await appendFile(path, '{"id":"bad"}\n')
    await expect(world.importFile(path, { onError: 'stop' })).rejects.toThrow(/row 3001/)
    expect(await storedRows()).toBe(0)
    expect(await world.importFile(path)).toMatchObject([{ status: 'IMPORTED', stored: 3_000 }])
  })

  it('reports what is wrong with its rows once, also when it was stopped and run again', async () => {
    const path = await world.file(paid(5_000))
    await appendFile(path, '{"id":"bad"}\n')
    let stops = 0
    const stopping = {
      onProgress: () => {
        stops += 1
        if (stops < 4) throw new Error('killed')
      },
    }
    for (let tries = 0; tries < 3; tries += 1)
      await expect(world.importFile(path, stopping)).rejects.toThrow('killed')
    await world.importFile(path, stopping)
    const { rows } = await world.pool.query('select row_number::int from featuregraph.quarantine')
    expect(rows).toEqual([{ row_number: 5_001 }])
    expect(await world.bothClocks()).toEqual([5_000, 5_000])
  })
})

describe('the repeats of an event that is gone', () => {
  it('never count when it was deleted with its entity, on either clock, nor does its id again', async () => {
    const one = { id: 'shared', at: start }
    await world.live([{ ...one, customer: 1 }])
    await world.importFile(await world.file([{ ...one, customer: 2 }]))
    await world.follow()
    await world.deleteCustomer(1)
    expect(await world.bothClocks(1)).toEqual([0, 0])
    expect(await world.bothClocks(2)).toEqual([0, 0])
    expect(await world.live([{ id: 'shared', at: start + hour, customer: 3 }])).toEqual(['REPEATED'])
    expect(await world.bothClocks(3)).toEqual([0, 0])
    const { rows } = await world.pool.query<{ text: string }>(
      'select convert_from(digest, $1) as text from featuregraph.event_claims',
      ['LATIN1'],
    )
    expect(rows.map(({ text }) => text.includes('shared'))).toEqual([false])
  })

  it('never count when it is past its retention; its id under a newer time is a new event', async () => {
    const now = await world.events.now()
    const one = { id: 'old', at: now - 50 * day }
    await world.live([one])
    await world.live([{ ...one, at: now - minute }])
    expect(await world.bothClocks()).toEqual([1, 1])
    const today = () => world.bothClocks(1, 'today')
    expect(await today()).toEqual([0, 0])
    const retention = postgresEventRetention(world.pool, 'default')
    const { dropped } = await retention.expire(world.source, now - 15 * day)
    expect(dropped.length).toBeGreaterThan(0)
    expect(await today()).toEqual([0, 0])
    expect(await world.live([{ ...one, at: now - 2 * minute }])).toEqual(['STORED'])
    expect(await today()).toEqual([1, 1])
  })
})
