import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Micros } from '../../src/definitions/timestamp.ts'
import type { OnlineStore, OnlineWrite } from '../../src/stores/online-store.ts'
import { onlineKeyPrefix, onlineKeySuffix } from '../../src/stores/online-value/online-key.ts'
import {
  compareRowOrder,
  readRowOrder,
  rowLayout,
  rowPacker,
} from '../../src/stores/online-value/packed-row.ts'

/** What the suite needs of a backend. */
export interface OnlineStoreHarness {
  /** A store over the same rows as every other one of this harness: another object where the backend can. */
  readonly open: () => Promise<OnlineStore>
  /** Puts bytes under a key, behind the store's back. */
  readonly plant: (key: string, bytes: Buffer) => Promise<void>
  /** Ends what the harness started; the suite closes the stores that it opened. */
  readonly close: () => Promise<void>
}

const layout = rowLayout('contract', 'view', [{ name: 'text', type: 'string' }])
const pack = rowPacker(layout)

export type Order = readonly [event: Micros, created: Micros | null, rowId: number | null]

/** A real packed row at a place in the total order; `text` tells rows of one place apart. */
export function packedRow([eventTimestamp, createdTimestamp, rowId]: Order, text = ''): Buffer {
  return pack({ eventTimestamp, createdTimestamp, rowId, values: [text] })
}

export function nowMicros(): Micros {
  return Date.now() * 1_000
}

/** The promises of `OnlineStore`, the same for every backend. */
export function onlineStoreContract(name: string, makeHarness: () => Promise<OnlineStoreHarness>): void {
  describe(`online store contract: ${name}`, () => {
    let harness: OnlineStoreHarness
    let store: OnlineStore
    const stores: OnlineStore[] = []

    beforeAll(async () => {
      harness = await makeHarness()
      for (let index = 0; index < 3; index += 1) stores.push(await harness.open())
      store = stores[0] ?? (await harness.open())
    })
    afterAll(async () => {
      await Promise.all(stores.map((one) => one.close()))
      await harness.close()
    })

    const newKey = (): string => `contract:{${randomUUID()}}`
    const write = (key: string, order: Order, text = ''): OnlineWrite => ({
      key,
      row: packedRow(order, text),
    })
    const writeOne = async (key: string, order: Order, text = '', expireAfter: Micros | null = null) =>
      (await store.writeMany([write(key, order, text)], expireAfter))[0]
    const readOne = async (key: string): Promise<Buffer | null | undefined> =>
      (await store.readMany([key])).rows[0]

    it('has the name of its backend, and answers a ping', async () => {
      expect(store.name).toBe(name)
      await store.ping()
    })

    it('reads one entry per key, in key order, duplicates kept, null where there is no row', async () => {
      const [a, b, missing] = [newKey(), newKey(), newKey()]
      await store.writeMany([write(a, [1, null, null], 'a'), write(b, [1, null, null], 'b')], null)
      const [rowA, rowB] = [packedRow([1, null, null], 'a'), packedRow([1, null, null], 'b')]
      expect((await store.readMany([b, missing, a, b, missing, b])).rows).toEqual([
        rowB,
        null,
        rowA,
        rowB,
        null,
        rowB,
      ])
    })

    it('reads rows whole or, where they take more bytes than may be, says so instead', async () => {
      const [small, large, missing] = [newKey(), newKey(), newKey()]
      const text = 'l'.repeat(1_000)
      await store.writeMany([write(small, [1, 1, 1], 's'), write(large, [1, 1, 1], text)], null)
      const keys = [large, missing, small, large]
      const whole = await store.readMany(keys)
      const bytes = whole.rows.reduce((sum, row) => sum + (row?.length ?? 0), 0)
      expect(bytes).toBeGreaterThan(2_000)
      // The guard counts for nothing.
      expect(await store.readWithin(keys, bytes)).toEqual(whole)
      expect(await store.readWithin(keys, bytes - 1)).toEqual({ bytesStored: bytes })
      expect(await store.readWithin([], 0)).toEqual(await store.readMany([]))
      expect(await store.readWithin([missing, ...Array<string>(50).fill(large)], 10_000)).toEqual({
        bytesStored: expect.toSatisfy((stored: number) => stored > 10_000),
      })
    })

    it('reads the guard with every read, as it stands with the rows', async () => {
      const guardOf = async () => (await store.readMany([newKey()])).guard
      await store.writeMarker(store.guardName, '1:5')
      expect(await guardOf()).toBe('1:5')
      expect(await store.moveMarker(store.guardName, '1:5', '1:6')).toBe(true)
      expect([await guardOf(), (await store.readMany([])).guard]).toEqual(['1:6', '1:6'])
      expect((await store.readMany([])).connection).toBe((await store.readMany([newKey()])).connection)
    })

    it('removes the rows of a prefix with its markers, also those of partitions, and no others', async () => {
      const [front, other] = [`gone-${randomUUID()}:`, `stays-${randomUUID()}:`]
      const rows = Array.from({ length: 1_200 }, (_, index) => write(`${front}{${index}}`, [1, 1, 1]))
      await store.writeMany([...rows, write(`${other}{1}`, [1, 1, 1])], null)
      const markers = [front, `${front} 1 0`, `${front} 12 3`]
      const others = [`${front}x 1 0`, other, `${other} 1 0`]
      for (const name of [...markers, ...others]) await store.writeMarker(name, 'a marker')
      await store.removeRows(front)
      const left = await store.readMany([...rows.map(({ key }) => key), `${other}{1}`])
      expect(left.rows.filter((found) => found !== null)).toHaveLength(1)
      for (const name of markers) expect(await store.readMarker(name)).toBe(null)
      for (const name of others) expect(await store.readMarker(name)).toBe('a marker')
    })

    it('answers empty lists with empty lists', async () => {
      expect((await store.readMany([])).rows).toEqual([])
      expect(await store.writeMany([], null)).toEqual([])
      expect(await store.writeMany([], 1_000_000)).toEqual([])
    })

    it('gives back the very bytes that were written, whatever is in them', async () => {
      const key = newKey()
      const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
      const row = Buffer.concat([packedRow([5, 6, 7]), every, every])
      await store.writeMany([{ key, row }], null)
      const stored = await readOne(key)
      expect(stored).toBeInstanceOf(Buffer)
      expect(stored?.equals(row)).toBe(true)
    })

    const present = 1_795_597_200_000_001
    const orders: readonly { readonly says: string; readonly older: Order; readonly newer: Order }[] = [
      { says: 'event timestamps', older: [1, 9, 9], newer: [2, 1, 1] },
      { says: 'event timestamps a microsecond apart', older: [present, 9, 9], newer: [present + 1, 1, 1] },
      { says: 'event timestamps before 1970', older: [-2, 9, 9], newer: [-1, 1, 1] },
      { says: 'equal events by created timestamps', older: [5, 1, 9], newer: [5, 2, 1] },
      { says: 'a null created timestamp below every other', older: [5, null, 9], newer: [5, -present, 1] },
      { says: 'equal events and created timestamps by row id', older: [5, 5, 9], newer: [5, 5, 10] },
      { says: 'row ids where created is null', older: [5, null, 9], newer: [5, null, 10] },
      { says: 'a missing row id below every other', older: [5, 5, null], newer: [5, 5, 1] },
    ]
    for (const { says, older, newer } of orders) {
      it(`replaces the older row and refuses it afterwards: orders ${says}`, async () => {
        const key = newKey()
        expect(await writeOne(key, older, 'older')).toBe('WRITTEN')
        expect(await writeOne(key, newer, 'newer')).toBe('WRITTEN')
        expect(await writeOne(key, older, 'late')).toBe('OLDER')
        expect(await readOne(key)).toEqual(packedRow(newer, 'newer'))
      })
    }

    it('replaces a row of the same place in the order, so that rows can be written again', async () => {
      for (const order of [
        [5, 5, 5],
        [5, null, null],
      ] as const) {
        const key = newKey()
        await writeOne(key, order, 'first')
        expect(await writeOne(key, order, 'second')).toBe('WRITTEN')
        expect(await readOne(key)).toEqual(packedRow(order, 'second'))
      }
    })

    it('lets two writes of one key in one batch behave as one after the other', async () => {
      const [rising, falling, equal] = [newKey(), newKey(), newKey()]
      const outcomes = await store.writeMany(
        [
          write(rising, [1, 1, 1], 'low'),
          write(falling, [2, 1, 1], 'high'),
          write(equal, [3, 1, 1], 'first'),
          write(rising, [2, 1, 1], 'high'),
          write(falling, [1, 1, 1], 'low'),
          write(equal, [3, 1, 1], 'second'),
          write(rising, [1, 9, 9], 'late'),
        ],
        null,
      )
      expect(outcomes).toEqual(['WRITTEN', 'WRITTEN', 'WRITTEN', 'WRITTEN', 'OLDER', 'WRITTEN', 'OLDER'])
      expect((await store.readMany([rising, falling, equal])).rows).toEqual([
        packedRow([2, 1, 1], 'high'),
        packedRow([2, 1, 1], 'high'),
        packedRow([3, 1, 1], 'second'),
      ])
    })

    it('returns the outcomes of thousands of writes in their order, over every batch boundary', async () => {
      const base = newKey()
      const keys = Array.from({ length: 3_111 }, (_, index) => `${base}:${index}`)
      const isNewer = (index: number): boolean => index % 3 !== 0 || index % 7 === 0
      await store.writeMany(
        keys.map((key) => write(key, [10, 1, 1], 'before')),
        null,
      )
      const outcomes = await store.writeMany(
        keys.map((key, index) => write(key, [isNewer(index) ? 11 : 9, 1, 1], `after ${index}`)),
        null,
      )
      expect(outcomes).toEqual(keys.map((_, index) => (isNewer(index) ? 'WRITTEN' : 'OLDER')))
      expect((await store.readMany(keys)).rows).toEqual(
        keys.map((_, index) =>
          isNewer(index) ? packedRow([11, 1, 1], `after ${index}`) : packedRow([10, 1, 1], 'before'),
        ),
      )
    })

    it('keeps apart keys with every odd character', async () => {
      const prefix = `${onlineKeyPrefix(randomUUID(), 'view')}${randomUUID()}`
      const single = [
        '',
        ' ',
        '%',
        '%25',
        '%2c',
        ',',
        'a,b',
        '{',
        '}',
        '{}',
        '{1}',
        '1}',
        'ä',
        'a\u0308',
        '😀',
      ]
      const more = [
        '*',
        '?',
        '[a]',
        '\\',
        '\\x41',
        'A',
        'a',
        'a\n',
        '\r\n',
        '"',
        "'",
        'null',
        'x'.repeat(1_024),
      ]
      const suffixes = [
        ...[...single, ...more].map((part) => onlineKeySuffix([part])),
        ...[
          [1, 12],
          [11, 2],
          [112],
          [1, 1, 2],
          ['a', 'b'],
          ['a,b', ''],
          ['', 'a,b'],
          ['', ''],
          ['', '', ''],
          [',', ''],
          ['', ','],
        ].map(onlineKeySuffix),
      ]
      const keys = suffixes.map((suffix) => prefix + suffix)
      await store.writeMany(
        keys.map((key) => write(key, [1, 1, 1], key)),
        null,
      )
      expect((await store.readMany(keys)).rows).toEqual(keys.map((key) => packedRow([1, 1, 1], key)))
    })

    it('serves a row until its event timestamp plus the expiry, and no longer', async () => {
      const [ageing, lasting, endless] = [newKey(), newKey(), newKey()]
      const event = nowMicros() - 3_600_000_000
      const until = nowMicros() + 600_000
      await store.writeMany([write(ageing, [event, 1, 1])], until - event)
      await store.writeMany([write(lasting, [event, 1, 1])], until - event + 3_600_000_000)
      await store.writeMany([write(endless, [-5, 1, 1])], null)
      expect(await readOne(ageing)).toEqual(packedRow([event, 1, 1]))
      let gone = false
      while (!gone && nowMicros() < until + 5_000_000) {
        await sleep(20)
        gone = (await readOne(ageing)) === null
      }
      expect(gone).toBe(true)
      // Redis counts in milliseconds.
      expect(nowMicros()).toBeGreaterThanOrEqual(until - 2_000)
      expect((await store.readMany([ageing, lasting, endless])).rows).toEqual([
        null,
        packedRow([event, 1, 1]),
        packedRow([-5, 1, 1]),
      ])
    })

    it('counts a row that has already expired as written, and serves nothing', async () => {
      const [fresh, taken, ancient] = [newKey(), newKey(), newKey()]
      const event = nowMicros() - 2_000_000
      expect(await writeOne(fresh, [event, 1, 1], '', 1_000_000)).toBe('WRITTEN')
      await writeOne(taken, [event - 1, 1, 1], 'there', null)
      expect(await writeOne(taken, [event, 1, 1], 'expired', 1_000_000)).toBe('WRITTEN')
      expect(await writeOne(ancient, [-9_000_000_000, 1, 1], '', 1_000_000)).toBe('WRITTEN')
      expect((await store.readMany([fresh, taken, ancient])).rows).toEqual([null, null, null])
    })

    it('takes an older row where the newer one has expired', async () => {
      const key = newKey()
      const event = nowMicros() - 2_000_000
      await writeOne(key, [event, 1, 1], 'newer', 1_000_000)
      expect(await writeOne(key, [event - 1, 1, 1], 'older', null)).toBe('WRITTEN')
      expect(await readOne(key)).toEqual(packedRow([event - 1, 1, 1], 'older'))
    })

    it('gives a rewritten row the expiry of the last write', async () => {
      const key = newKey()
      const event = nowMicros() - 2_000_000
      await writeOne(key, [event, 1, 1], 'short', 3_600_000_000)
      await writeOne(key, [event, 1, 1], 'for ever', null)
      expect(await readOne(key)).toEqual(packedRow([event, 1, 1], 'for ever'))
      await writeOne(key, [event, 1, 1], 'gone', 1_000_000)
      expect(await readOne(key)).toBeNull()
    })

    const otherFormat = packedRow([9_000, 9_000, 9_000], 'of a later version')
    otherFormat[0] = 2
    const foreign = {
      'no bytes': Buffer.alloc(0),
      'one byte': Buffer.from([1]),
      'bytes that end in the header': packedRow([9_000, 9_000, 9_000]).subarray(0, 31),
      text: Buffer.from('this was written by another program altogether, not by us'),
      'a row of another format': otherFormat,
    }
    for (const [what, bytes] of Object.entries(foreign)) {
      it(`returns foreign bytes raw and lets a write replace them: ${what}`, async () => {
        const [key, neighbour] = [newKey(), newKey()]
        await harness.plant(key, bytes)
        expect((await readOne(key))?.equals(bytes)).toBe(true)
        const outcomes = await store.writeMany(
          [write(key, [1, null, 1], 'ours'), write(neighbour, [1, null, 1], 'beside it')],
          null,
        )
        expect(outcomes).toEqual(['WRITTEN', 'WRITTEN'])
        expect((await store.readMany([key, neighbour])).rows).toEqual([
          packedRow([1, null, 1], 'ours'),
          packedRow([1, null, 1], 'beside it'),
        ])
      })
    }

    it('keeps the last text of each marker, for every process, null where there is none', async () => {
      const [a, b] = [randomUUID(), `f:${randomUUID()}:`]
      expect(await store.readMarker(a)).toBeNull()
      await store.writeMarker(a, 'first')
      await store.writeMarker(b, 'ä 😀')
      await store.writeMarker(a, 'second')
      for (const one of stores) {
        expect([await one.readMarker(a), await one.readMarker(b)]).toEqual(['second', 'ä 😀'])
      }
    })

    it('moves a marker only from where it is thought to be, however many try at once', async () => {
      const name = randomUUID()
      expect(await store.moveMarker(name, 'none', 'a')).toBe(false)
      const first = await Promise.all(
        stores.map((one, index) => one.moveMarker(name, null, `first ${index}`)),
      )
      expect(first.filter(Boolean)).toHaveLength(1)
      const stands = `first ${first.indexOf(true)}`
      expect(await store.readMarker(name)).toBe(stands)
      const next = await Promise.all(
        stores.map((one, index) => one.moveMarker(name, stands, `ä 😀 ${index}`)),
      )
      expect(next.filter(Boolean)).toHaveLength(1)
      expect(await store.readMarker(name)).toBe(`ä 😀 ${next.indexOf(true)}`)
      expect(await store.moveMarker(name, null, 'again')).toBe(false)
    })

    it('keeps markers apart from rows, whatever the keys', async () => {
      const name = randomUUID()
      const keys = [name, `m:${name}`, `f:mmmm:{${name}}`, `${onlineKeyPrefix('m', 'm')}{${name}}`]
      await store.writeMarker(name, 'marker')
      expect((await store.readMany(keys)).rows).toEqual(keys.map(() => null))
      await store.writeMany(
        keys.map((key) => write(key, [1, 1, 1])),
        null,
      )
      expect(await store.readMarker(name)).toBe('marker')
    })

    it('ends with the newest row of each key, whatever writers did at once', async () => {
      const order = fc.tuple(
        fc.integer({ min: 0, max: 3 }),
        fc.option(fc.integer({ min: 0, max: 2 })),
        fc.option(fc.integer({ min: 1, max: 3 })),
      )
      const writes = fc.array(fc.record({ key: fc.nat(2), order }), { minLength: 1, maxLength: 12 })
      const batches = fc.array(fc.record({ writer: fc.nat(2), writes }), { minLength: 2, maxLength: 8 })
      const property = fc.asyncProperty(batches, async (all) => {
        const base = newKey()
        const outcomes = await Promise.all(
          all.map(async (batch) => {
            const writer = stores[batch.writer] ?? store
            return writer.writeMany(
              batch.writes.map((one, index) => write(`${base}:${one.key}`, one.order, `${index}`)),
              null,
            )
          }),
        )
        for (const key of [0, 1, 2]) {
          const places = all.flatMap((batch, batchIndex) =>
            batch.writes.flatMap((one, index) =>
              one.key === key
                ? [
                    {
                      outcome: outcomes[batchIndex]?.[index],
                      place: readRowOrder(packedRow(one.order)) ?? [],
                    },
                  ]
                : [],
            ),
          )
          const stored = await readOne(`${base}:${key}`)
          const [newest] = places.map(({ place }) => place).sort((a, b) => compareRowOrder(b, a))
          expect(stored ? readRowOrder(stored) : undefined).toEqual(newest)
          // The newest row was never refused, in whatever order it came.
          for (const { place, outcome } of places) {
            if (compareRowOrder(place, newest ?? []) === 0) expect(outcome).toBe('WRITTEN')
          }
        }
      })
      await fc.assert(property, { numRuns: 40 })
    })
  })
}
