import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OnlineStore } from '../../src/stores/online-store.ts'
import { packTombstone } from '../../src/stores/online-value/packed-row.ts'
import {
  mergeSection,
  packSection,
  readSections,
  type TileSection,
} from '../../src/stores/online-value/tile-sections.ts'
import { nowMicros, type OnlineStoreHarness, packedRow } from './online-store.ts'

const never = Number.NEGATIVE_INFINITY

function section(partition: number, offset: number, more: Partial<TileSection> = {}): TileSection {
  return {
    topic: 1,
    partition,
    offset,
    newestEvent: offset * 10,
    latestStored: offset * 10 + 1,
    tiles: Buffer.from(`tiles ${partition} ${offset}`),
    ...more,
  }
}

/** The promises of `writeSections`, the same for every backend. */
export function onlineSectionsContract(name: string, makeHarness: () => Promise<OnlineStoreHarness>): void {
  describe(`sections of an online store: ${name}`, () => {
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

    const newKey = (): string => `sections:{${randomUUID()}}`
    const write = async (key: string, ...sections: readonly TileSection[]) =>
      await store.writeSections(
        sections.map((one) => ({ key, row: packSection(7, never, one) })),
        null,
      )
    const read = async (key: string) => {
      const [value = null] = (await store.readMany([key])).rows
      return value && readSections(value)
    }

    it('stand side by side, one a partition, each replaced by its own partition only', async () => {
      const key = newKey()
      expect(await write(key, section(0, 5), section(1, 3), section(0, 6))).toEqual([
        'WRITTEN',
        'WRITTEN',
        'WRITTEN',
      ])
      expect(await read(key)).toEqual({
        fingerprint: 7,
        clearedAt: never,
        sections: [section(0, 6), section(1, 3)],
      })
    })

    it('are not replaced by an earlier offset: a replay and a writer of the past', async () => {
      const key = newKey()
      await write(key, section(0, 5))
      const again = section(0, 5, { tiles: Buffer.from('again') })
      expect(await write(key, section(0, 4), again)).toEqual(['OLDER', 'WRITTEN'])
      expect(await read(key)).toEqual({ fingerprint: 7, clearedAt: never, sections: [again] })
    })

    it('expire when they are to, with every write again', async () => {
      const key = newKey()
      const row = packSection(7, never, section(0, 1))
      await store.writeSections([{ key, row }], nowMicros() + 300_000)
      expect(await read(key)).not.toBeNull()
      await expect.poll(async () => await read(key)).toBeNull()
      // What had expired is not merged with.
      await store.writeSections(
        [{ key, row: packSection(7, never, section(1, 1)) }],
        nowMicros() + 60_000_000,
      )
      expect((await read(key))?.sections).toEqual([section(1, 1)])
    })

    it('do not take the place of a deletion, nor join what is of after it, unless their writer knows of it', async () => {
      const key = newKey()
      const writeSince = async (clearedAt: number, one: TileSection) =>
        await store.writeSections([{ key, row: packSection(7, clearedAt, one) }], null)
      await store.writeMany([{ key, row: packTombstone(100) }], null)
      expect(await write(key, section(0, 50))).toEqual(['OLDER'])
      expect(await writeSince(99, section(0, 50))).toEqual(['OLDER'])
      expect((await store.readMany([key])).rows[0]).toEqual(packTombstone(100))
      expect(await writeSince(100, section(0, 11))).toEqual(['WRITTEN'])
      expect(await write(key, section(1, 50))).toEqual(['OLDER'])
      expect(await writeSince(100, section(1, 12))).toEqual(['WRITTEN'])
      expect(await read(key)).toEqual({
        fingerprint: 7,
        clearedAt: 100,
        sections: [section(0, 11), section(1, 12)],
      })
      // What is of before a deletion goes.
      expect(await writeSince(200, section(1, 13))).toEqual(['WRITTEN'])
      expect(await read(key)).toEqual({ fingerprint: 7, clearedAt: 200, sections: [section(1, 13)] })
    })

    it('of many writers at once are all there', async () => {
      const keys = Array.from({ length: 20 }, newKey)
      await Promise.all(
        stores.map((one, partition) =>
          one.writeSections(
            [...keys, ...keys].map((key, index) => ({
              key,
              row: packSection(7, never, section(partition, index)),
            })),
            null,
          ),
        ),
      )
      for (const [index, key] of keys.entries()) {
        const found = (await read(key))?.sections ?? []
        expect([...found].sort((left, right) => left.partition - right.partition)).toEqual(
          stores.map((_, partition) => section(partition, index + keys.length)),
        )
      }
    })

    it('decide as the one rule does, whatever stood there', async () => {
      const written = fc
        .record({
          topic: fc.integer({ min: 1, max: 2 }),
          partition: fc.integer({ min: 0, max: 2 }),
          offset: fc.integer({ min: 0, max: 4 }),
          fingerprint: fc.constantFrom(7, 7, 7, 8),
          clearedAt: fc.constantFrom(never, never, 20, 40),
          tiles: fc.uint8Array({ maxLength: 12 }),
        })
        .map(({ fingerprint, clearedAt, tiles, ...one }) =>
          packSection(fingerprint, clearedAt, section(0, 0, { ...one, tiles: Buffer.from(tiles) })),
        )
      const garbage = fc.oneof(
        fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
        fc.constant(packedRow([1, 2, 3], 'a plain row')),
        fc.integer({ min: -1, max: 50 }).map(packTombstone),
        fc
          .tuple(written, fc.integer({ min: -9, max: 9 }))
          .map(([value, change]) =>
            change < 0 ? value.subarray(0, change) : Buffer.concat([value, Buffer.alloc(change)]),
          ),
      )
      await fc.assert(
        fc.asyncProperty(
          fc.option(garbage),
          fc.array(written, { minLength: 1, maxLength: 8 }),
          async (before, values) => {
            const key = newKey()
            if (before && before.length > 0) await harness.plant(key, before)
            let expected = before && before.length > 0 ? before : null
            const outcomes = values.map((value) => {
              const merged = mergeSection(expected, value)
              expected = merged ?? expected
              return merged === null ? 'OLDER' : 'WRITTEN'
            })
            expect(
              await store.writeSections(
                values.map((row) => ({ key, row })),
                null,
              ),
            ).toEqual(outcomes)
            expect((await store.readMany([key])).rows[0]).toEqual(expected)
          },
        ),
        { numRuns: 200 },
      )
    })
  })
}
