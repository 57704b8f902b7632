import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Micros } from '../../src/definitions/timestamp.ts'
import type { FeatureRow, Value } from '../../src/definitions/value.ts'
import type { JoinKeyType, ValueType } from '../../src/definitions/value-type.ts'
import type { AsOfReader, EntityRow } from '../../src/stores/as-of-reader.ts'
import type { NewestRows, NewestRowsScope, StoredFeatureRow } from '../../src/stores/newest-rows.ts'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import type { OfflineView, StoredOfflineView } from '../../src/stores/offline-view.ts'
import type { StoredRow, StoredRowPlace, StoredRowRange, StoredRows } from '../../src/stores/stored-rows.ts'
import { allTypes, ask, asOfJoin, at, neverAborted, offlineView, row, valuesOf } from './offline-store.ts'

export interface OfflineRowsHarness {
  readonly store: Pick<AsOfReader, 'asOfJoin'> & StoredRows & NewestRows
  /** A view of the backend's without rows. */
  readonly newView: (
    name: string,
    joinKeys: Readonly<Record<string, JoinKeyType>>,
    features: Readonly<Record<string, ValueType>>,
  ) => Promise<StoredOfflineView>
  /** Has the rows there, whichever way rows come to the backend; their row ids ascend over all calls. */
  readonly insert: (
    view: StoredOfflineView,
    rows: readonly FeatureRow[],
  ) => Promise<readonly (number | null)[]>
  readonly close: () => Promise<void>
}

const t = at('2026-11-20T12:00:00Z')

/** The promises of reading feature rows: as-of joins, stored rows and newest rows, the same for every backend. */
export function offlineRowsContract(name: string, makeHarness: () => Promise<OfflineRowsHarness>): void {
  describe(`offline rows contract: ${name}`, () => {
    let harness: OfflineRowsHarness
    let store: OfflineRowsHarness['store']
    let insert: OfflineRowsHarness['insert']
    let views = 0

    beforeAll(async () => {
      harness = await makeHarness()
      store = harness.store
      insert = harness.insert
    })
    afterAll(async () => {
      await harness?.close()
    })

    const newView = async (
      joinKeys: Readonly<Record<string, JoinKeyType>> = { id: 'int64' },
      features: Readonly<Record<string, ValueType>> = { n: 'int64' },
    ): Promise<StoredOfflineView> => {
      views += 1
      return await harness.newView(`rows_${views}`, joinKeys, features)
    }
    const join = async (view: OfflineView, ...rows: readonly EntityRow[]) =>
      (await asOfJoin(store, { views: [view], rows }))[0]

    it('takes the newest row at or before the moment: at it, a microsecond before it, and before any', async () => {
      const view = await newView()
      await insert(view, [row([1], t, null, 1), row([1], t + 10, null, 2), row([1], t + 5, null, 3)])
      const moments = [t - 1, t, t + 1, t + 4, t + 5, t + 9, t + 10, t + 11]
      const answer = await join(view, ...moments.map((moment) => ask([1], moment)))
      expect(valuesOf(answer)).toEqual([null, 1, 1, 1, 3, 3, 2, 2])
      expect(answer?.[5]).toEqual({
        eventTimestamp: t + 5,
        createdTimestamp: null,
        values: [3],
        closing: false,
      })
    })

    it('breaks ties on the event timestamp by the created timestamp, null oldest, then by the row id', async () => {
      const view = await newView()
      await insert(view, [
        row([1], t, t + 2, 'later'.length),
        row([1], t, t + 1, 1),
        row([1], t, null, 2),
        row([2], t, null, 1),
        row([2], t, t - 1_000_000, 2),
        row([3], t, t, 1),
        row([3], t, t, 2),
        row([4], t, null, 1),
      ])
      await insert(view, [row([3], t, t, 3), row([4], t, null, 2)])
      expect(valuesOf(await join(view, ask([1], t), ask([2], t), ask([3], t), ask([4], t)))).toEqual([
        5, 2, 3, 2,
      ])
    })

    it('sees with knownAt only what was known then, a null created timestamp always', async () => {
      const view = await newView()
      await insert(view, [
        row([1], t, t + 100, 1),
        row([1], t + 10, t + 50, 2),
        row([1], t + 20, t + 200, 3),
        row([1], t + 5, null, 4),
      ])
      const known = [t, t + 49, t + 50, t + 199, t + 200, null]
      expect(valuesOf(await join(view, ...known.map((k) => ask([1], t + 1_000, k))))).toEqual([
        4, 4, 2, 2, 3, 3,
      ])
      expect(valuesOf(await join(view, ask([1], t + 4, t + 99), ask([1], t + 4, t + 100)))).toEqual([null, 1])
    })

    it('answers exactly one entry per entity row, in order, duplicates kept, null for unknown keys', async () => {
      const view = await newView()
      await insert(view, [row([1], t, null, 1), row([2], t, null, 2), row([1], t, null, 10)])
      const rows = [2, 1, 9, 2, 1, 2].map((id) => ask([id], t))
      expect(valuesOf(await join(view, ...rows))).toEqual([2, 10, null, 2, 10, 2])
    })

    it('answers empty questions with empty answers', async () => {
      const view = await newView()
      expect(await store.asOfJoin({ views: [view, view], rows: [], visibleIn: null }, neverAborted)).toEqual([
        [],
        [],
      ])
      expect(await store.asOfJoin({ views: [], rows: [ask([1], t)], visibleIn: null }, neverAborted)).toEqual(
        [],
      )
    })

    it('joins each view of a question on its own, in their order', async () => {
      const [one, two] = [await newView(), await newView({ id: 'int64' }, { a: 'string', b: 'float64' })]
      await insert(one, [row([1], t, null, 7)])
      await insert(two, [row([1], t - 5, t, 'old', 0.5), row([2], t, null, null, 1.5)])
      const answer = await store.asOfJoin(
        { views: [two, one, two], rows: [ask([1], t), ask([2], t)], visibleIn: null },
        neverAborted,
      )
      const fromTwo = [
        { eventTimestamp: t - 5, createdTimestamp: t, values: ['old', 0.5], closing: false },
        { eventTimestamp: t, createdTimestamp: null, values: [null, 1.5], closing: false },
      ]
      expect(answer).toEqual([
        fromTwo,
        [{ eventTimestamp: t, createdTimestamp: null, values: [7], closing: false }, null],
        fromTwo,
      ])
    })

    it('never lets the parts of composite keys meet', async () => {
      const numbers = await newView({ a: 'int64', b: 'int32' })
      await insert(numbers, [row([1, 12], t, null, 1), row([11, 2], t, null, 2)])
      const asked = [ask([11, 2], t), ask([1, 12], t), ask([112, 0], t), ask([12, 1], t)]
      expect(valuesOf(await join(numbers, ...asked))).toEqual([2, 1, null, null])
      const texts = await newView({ a: 'string', b: 'string' })
      const keys = [
        ['a', 'b'],
        ['a,b', ''],
        ['', 'a,b'],
        ['', ''],
        ['"', '\\'],
        ['\\', '"'],
        ['NULL', 'null'],
        ['{a}', '{}'],
        ['ä', 'a\u0308'],
        ['😀', "'; drop table x; --"],
        [' ', '\n'],
      ]
      await insert(
        texts,
        keys.map((key, index) => row(key, t, null, index)),
      )
      const askedTexts = [...keys].reverse().map((key) => ask(key, t))
      expect(valuesOf(await join(texts, ...askedTexts, ask(['a', ''], t), ask(['A', 'b'], t)))).toEqual([
        ...keys.map((_, index) => index).reverse(),
        null,
        null,
      ])
    })

    it('gives what is stored of a key in a range of times, newest first, in pages of any size, ties by their row ids', async () => {
      const view = await newView({ id: 'string', part: 'int32' })
      const times = [t, t + 1, t + 1, t + 2, t + 2, t + 2, t + 3]
      const created = [t, null, t, t + 5, t + 5, null, t + 9]
      await insert(view, [
        ...times.map((time, index) => row(['a', 1], time, created[index] ?? null, index)),
        row(['a', 2], t + 1, null, 100),
      ])
      const page = async (
        range: Partial<StoredRowRange>,
        first = 100,
      ): Promise<readonly (readonly StoredRow[])[]> => {
        const whole = { from: t, to: t + 4, knownAt: null, after: null }
        const ranges = [
          { ...whole, key: ['a', 1], ...range },
          { ...whole, key: ['a', 3], ...range },
        ]
        const found = await store.storedRows({ view, ranges, first }, neverAborted)
        expect(found).toHaveLength(2)
        return found.map(({ rows }) => rows)
      }
      const values = async (range: Partial<StoredRowRange>) =>
        (await page(range)).map((rows) => rows.map((one) => one.values[0]))
      expect(await values({})).toEqual([[6, 4, 3, 5, 2, 1, 0], []])
      expect(await values({ from: t + 1, to: t + 2 })).toEqual([[2, 1], []])
      expect(await values({ knownAt: t })).toEqual([[5, 2, 1, 0], []])
      const [all = []] = await page({})
      expect(all.map(({ createdTimestamp }) => createdTimestamp)).toEqual(
        [6, 4, 3, 5, 2, 1, 0].map((index) => created[index]),
      )
      for (const size of [1, 2, 3, 5]) {
        const found: StoredRow[] = []
        let after: StoredRowPlace | null = null
        for (;;) {
          const [rows = []]: readonly (readonly StoredRow[])[] = await page({ after }, size)
          found.push(...rows)
          const last = rows.at(-1)
          if (last === undefined) break
          after = { ...last, repeats: 0 }
        }
        expect(found).toEqual(all)
      }
    })

    it('distinguishes keys beyond 2^53 to the last digit', async () => {
      const view = await newView()
      const keys = ['9007199254740992', '9007199254740993', '9223372036854775807', '-9223372036854775808']
      await insert(
        view,
        keys.map((key, index) => row([key], t, null, index)),
      )
      expect(
        valuesOf(await join(view, ...keys.map((key) => ask([key], t)), ask([9007199254740991], t))),
      ).toEqual([0, 1, 2, 3, null])
    })

    it('gives back values of every type as they were accepted', async () => {
      const view = await newView({ id: 'string' }, allTypes)
      const values: Readonly<Record<string, Value>> = {
        int32_one: -2_147_483_648,
        int32_list: [1, -2, 2_147_483_647],
        int64_one: '-9223372036854775808',
        int64_list: [0, -1, 9_007_199_254_740_991, '9007199254740993', '9223372036854775807'],
        float32_one: Math.fround(0.1),
        float32_list: [Math.fround(0.1), Math.fround(3e38), Math.fround(1e-45)],
        float64_one: 0.1 + 0.2,
        float64_list: [5e-324, 1.7976931348623157e308, -1 / 3],
        string_one: 'ä€😀 "quoted" \\ {},NULL',
        string_list: ['', 'NULL', 'a,b', '"', '\\', '{}', ' '],
        bool_one: false,
        bool_list: [true, false],
        timestamp_one: -1,
        timestamp_list: [0, t + 1, -9_007_199_254_740_991],
        bytes_one: Buffer.from([0, 255, 92, 34]),
        bytes_list: [Buffer.alloc(0), Buffer.from([0, 1]), Buffer.from('\\x')],
        uuid_one: '123e4567-e89b-12d3-a456-426614174000',
        decimal0_one: '9223372036854775807',
        decimal2_one: 456_535.51,
        decimal5_one: -0.00001,
        decimal9_one: '-9223372036.854775808',
      }
      const inOrder = view.features.map((feature) => values[feature.name] ?? null)
      const empty = view.features.map((feature): Value | null => (feature.type.endsWith('[]') ? [] : null))
      await insert(view, [
        row(['all'], t, null, ...inOrder),
        row(['empty'], t, null, ...empty),
        row(['nulls'], t, null, ...view.features.map(() => null)),
      ])
      const answer = await join(view, ask(['all'], t), ask(['empty'], t), ask(['nulls'], t))
      expect(answer?.map((found) => found?.values)).toEqual([inOrder, empty, view.features.map(() => null)])
    })

    it('finds the rows of keys that are UUIDs', async () => {
      const view = await newView({ id: 'uuid', part: 'int32' })
      const ids = ['ffffffff-ffff-4fff-bfff-ffffffffffff', '0a0b0c0d-0000-4000-8000-00000000000a']
      await insert(
        view,
        ids.map((id, index) => row([id, 1], t, null, index)),
      )
      expect(valuesOf(await join(view, ...ids.map((id) => ask([id, 1], t))))).toEqual([0, 1])
      const newest: StoredFeatureRow[] = []
      await store.newestRows({ view, now: t, scope: { kind: 'FULL' } }, async (rows) => {
        newest.push(...rows)
      })
      expect(newest.map(({ key }) => key[0]).sort()).toEqual([...ids].sort())
    })

    it('keeps timestamps to the microsecond, from 1684 to 2255', async () => {
      const view = await newView()
      const events = [-9_007_199_254_740_991, -1, 0, 1, t + 123_457, 9_007_199_254_740_991]
      await insert(
        view,
        events.map((event, index) => row([index], event, event, index)),
      )
      const answer = await join(view, ...events.map((event, index) => ask([index], event, event)))
      expect(answer).toEqual(
        events.map((event, index) => ({
          eventTimestamp: event,
          createdTimestamp: event,
          values: [index],
          closing: false,
        })),
      )
    })

    const newest = async (view: StoredOfflineView, scope: NewestRowsScope, now: Micros = t) => {
      const batches: (readonly StoredFeatureRow[])[] = []
      const reading = await store.newestRows({ view, now, scope }, async (rows) => {
        batches.push(rows)
      })
      const rows = batches.flat().sort((left, right) => Number(left.key[0]) - Number(right.key[0]))
      return { reading, rows, events: rows.map((found) => [found.key[0], found.eventTimestamp - t]) }
    }

    it('hands over the newest due row of each key once, by the total order, with its row id', async () => {
      const view = await newView()
      const ids = await insert(view, [
        row([1], t, null, 1),
        row([1], t, t - 5, 2),
        row([1], t, t - 5, 3),
        row([1], t - 1, t, 4),
        row([2], t + 1, t, 5),
        row([2], t - 7, null, 6),
        row([3], t + 1, t, 7),
      ])
      const { rows, reading } = await newest(view, { kind: 'FULL' })
      expect(rows).toEqual([
        { ...row([1], t, t - 5, 3), rowId: ids[2], closing: false, isCurrent: true },
        { ...row([2], t - 7, null, 6), rowId: ids[5], closing: false, isCurrent: true },
      ])
      expect(reading).toEqual({
        ...{
          scope: 'FULL',
          snapshotXmin: expect.stringMatching(/^\d+$/),
          isCurrent: true,
          files: expect.toBeOneOf([null, expect.any(Array)]),
          systemIdentifier: expect.any(String),
        },
      })
    })

    it('hands over thousands of rows in batches, each after the one before was taken', async () => {
      const view = await newView()
      const count = 4_500
      await insert(
        view,
        Array.from({ length: count }, (_, index) => row([index], t, null, index)),
      )
      const keys = new Set<unknown>()
      let inside = 0
      let largest = 0
      await store.newestRows({ view, now: t, scope: { kind: 'FULL' } }, async (rows) => {
        inside += 1
        expect(inside).toBe(1)
        largest = Math.max(largest, rows.length)
        await new Promise((resolve) => setImmediate(resolve))
        for (const found of rows) keys.add(found.key[0])
        inside -= 1
      })
      expect(keys.size).toBe(count)
      expect(largest).toBeLessThan(count)
    })

    it('hands over of keys with rows that arrived or became due since a reading, the newest', async () => {
      const view = await newView()
      await insert(view, [
        row([1], t - 1, null, 1),
        row([2], t - 1, null, 2),
        row([2], t + 5, null, 3),
        row([3], t + 9, null, 4),
      ])
      const { reading } = await newest(view, { kind: 'FULL' })
      const since = { ...reading, materializedUntil: t }
      expect((await newest(view, { kind: 'ARRIVED', since })).events).toEqual([])
      await insert(view, [row([1], t - 50, null, 5), row([4], t - 60, null, 6)])
      const arrived = await newest(view, { kind: 'ARRIVED', since })
      expect(arrived.reading.scope).toBe('ARRIVED')
      expect(arrived.events).toEqual([
        [1, -1],
        [4, -60],
      ])
      const next = { ...arrived.reading, materializedUntil: t }
      expect((await newest(view, { kind: 'ARRIVED', since: next }, t + 5)).events).toEqual([[2, 5]])
      const foreign = { ...next, systemIdentifier: 'another' }
      const full = await newest(view, { kind: 'ARRIVED', since: foreign })
      expect([full.reading.scope, full.rows.length]).toEqual(['FULL', 3])
    })

    it('hands over the newest rows of a range of event timestamps, its start included, its end not', async () => {
      const view = await newView()
      await insert(
        view,
        [-4, -3, -2, -1, 0].map((event) => row([event % 2], t + event, null, 1)),
      )
      const range = async (from: number | null, to: number | null) =>
        (
          await newest(view, {
            kind: 'RANGE',
            from: from === null ? null : t + from,
            to: to === null ? null : t + to,
          })
        ).events.map(([, event]) => event)
      expect((await range(-4, -1)).sort()).toEqual([-2, -3])
      expect((await range(-1, null)).sort()).toEqual([-1, 0])
      expect((await range(null, -3)).sort()).toEqual([-4])
    })

    it('throws on what the receiver throws, and reads again afterwards', async () => {
      const view = await newView()
      await insert(view, [row([1], t, null, 1)])
      const refusal = new Error('no more')
      const failing = store.newestRows({ view, now: t, scope: { kind: 'FULL' } }, async () => {
        throw refusal
      })
      await expect(failing).rejects.toBe(refusal)
      expect((await newest(view, { kind: 'FULL' })).events).toEqual([[1, 0]])
    })

    it('returns the newest row and the oldest due one that arrived or became due since a reading', async () => {
      const view = await newView()
      expect(await store.materializeLag(view, t, null)).toEqual({
        newestEventTimestamp: null,
        oldestNotMaterialized: null,
      })
      await insert(view, [row([1], t - 9, null, 1), row([1], t + 9, null, 2)])
      expect(await store.materializeLag(view, t, null)).toEqual({
        newestEventTimestamp: t + 9,
        oldestNotMaterialized: t - 9,
      })
      const { reading } = await newest(view, { kind: 'FULL' })
      const since = { ...reading, materializedUntil: t }
      expect((await store.materializeLag(view, t, since)).oldestNotMaterialized).toBeNull()
      const [newestKey] = await store.newestKeys(view, t, 1)
      expect(await store.newestKeys(view, t, 100)).toContainEqual(newestKey)
      expect(await store.newestKeys(view, t - 1_000_000_000, 100)).toEqual([])
      expect((await store.materializeLag(view, t + 9, since)).oldestNotMaterialized).toBe(t + 9)
      await insert(view, [row([2], t - 90, null, 3)])
      expect((await store.materializeLag(view, t, since)).oldestNotMaterialized).toBe(t - 90)
    })
  })
}

/** Of a store that rows are inserted into. */
export function insertedRows(store: OfflineStore): Omit<OfflineRowsHarness, 'close'> {
  return {
    store,
    async newView(name, joinKeys, features) {
      const view = offlineView(name, joinKeys, features)
      await store.ensureTables([view], [])
      return view
    },
    insert: async (view, rows) => (await store.insertRows(view, rows)).rowIds,
  }
}
