import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import type { EntityKey, FeatureRow, Value } from '../../src/definitions/value.ts'
import { type JoinKeyType, type ValueType, valueTypes } from '../../src/definitions/value-type.ts'
import type { AsOfJoin, AsOfRow, EntityRow } from '../../src/stores/as-of-reader.ts'
import type { NewestRowsScope, StoredFeatureRow } from '../../src/stores/newest-rows.ts'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import type { OfflineView, StoredOfflineView } from '../../src/stores/offline-view.ts'

export interface OfflineStoreHarness {
  readonly store: OfflineStore
  readonly close: () => Promise<void>
}

/** A managed view, unless it gets a source. */
export function offlineView(
  name: string,
  joinKeys: Readonly<Record<string, JoinKeyType>>,
  features: Readonly<Record<string, ValueType>>,
  source: OfflineView['source'] = null,
): StoredOfflineView {
  return {
    ...{ id: name, name },
    kind: 'PLAIN',
    entity: { joinKeys: Object.entries(joinKeys).map(([key, type]) => ({ name: key, type })) },
    features: Object.entries(features).map(([feature, type]) => ({
      ...{ name: feature, id: feature, type },
      columns: [{ name: feature, type }],
    })),
    source,
  }
}

/** `2026-11-20T12:00:00Z` → microseconds. */
export function at(text: string): Micros {
  const micros = parseTimestamp(text)
  if (micros === null) throw new Error(`${text} is no timestamp`)
  return micros
}

export const neverAborted = new AbortController().signal

/** As the store's own, where no row may lie behind the stored events. */
export async function asOfJoin(
  store: OfflineStore,
  join: Omit<AsOfJoin, 'visibleIn'> & Partial<AsOfJoin>,
): Promise<readonly (readonly (AsOfRow | null)[])[]> {
  const answer = await store.asOfJoin({ visibleIn: null, ...join }, neverAborted)
  return answer.map((rows) =>
    rows.map((row) => {
      if (row === null || 'values' in row) return row
      throw new Error(`a row was expected, ${JSON.stringify(row)} came`)
    }),
  )
}

export const allTypes: Readonly<Record<string, ValueType>> = Object.fromEntries(
  valueTypes.map((type) => [
    type.endsWith('[]') ? type.replace('[]', '_list') : `${type.replace(/\((\d)\)/, '$1')}_one`,
    type,
  ]),
)

const t = at('2026-11-20T12:00:00Z')

type Column = readonly [name: string, type: ValueType]

/** The promises of `OfflineStore`, the same for every backend. */
export function offlineStoreContract(name: string, makeHarness: () => Promise<OfflineStoreHarness>): void {
  describe(`offline store contract: ${name}`, () => {
    let harness: OfflineStoreHarness
    let store: OfflineStore
    let views = 0

    beforeAll(async () => {
      harness = await makeHarness()
      store = harness.store
    })
    afterAll(async () => {
      await harness.close()
    })

    const newView = async (
      joinKeys: Readonly<Record<string, JoinKeyType>> = { id: 'int64' },
      features: Readonly<Record<string, ValueType>> = { n: 'int64' },
    ): Promise<StoredOfflineView> => {
      views += 1
      const view = offlineView(`contract_${views}`, joinKeys, features)
      await store.ensureTables([view], [])
      return view
    }
    const row = (
      key: EntityKey,
      eventTimestamp: Micros,
      createdTimestamp: Micros | null,
      ...values: readonly (Value | null)[]
    ): FeatureRow => ({ key, eventTimestamp, createdTimestamp, values })
    const ask = (key: EntityKey, asOf: Micros, knownAt: Micros | null = null): EntityRow => ({
      key,
      asOf,
      knownAt,
    })
    const join = async (view: OfflineView, ...rows: readonly EntityRow[]) =>
      (await asOfJoin(store, { views: [view], rows }))[0]
    const valuesOf = (answer: readonly (AsOfRow | null)[] | undefined) =>
      answer?.map((found) => found?.values[0] ?? null)

    it('answers a ping', async () => {
      await store.ping()
    })

    /** The view as a later version has it: its features by name, each with its id and columns. */
    const evolved = (
      view: StoredOfflineView,
      name: string,
      features: readonly (readonly [name: string, type: ValueType, ...columns: readonly Column[]])[],
    ): StoredOfflineView => ({
      ...view,
      name,
      features: features.map(([feature, type, ...columns]) => ({
        ...{ name: feature, id: columns.at(-1)?.[0] ?? feature, type },
        columns: columns.map(([column, of]) => ({ name: column, type: of })),
      })),
    })

    it('finds rows by ids: of a renamed view and feature, null of an added one, those of one that comes back', async () => {
      const view = await newView({ id: 'int64' }, { n: 'int64', text: 'string' })
      const [n, text, extra] = [
        ['n', 'int64'],
        ['text', 'string'],
        ['extra', 'bool'],
      ] as const
      await store.insertRows(view, [row([1], t, null, 7, 'a')])
      const renamed = evolved(view, 'renamed', [
        ['extra', 'bool', extra],
        ['m', 'int64', n],
      ])
      await store.ensureTables([renamed], [])
      await store.insertRows(renamed, [row([1], t + 2, null, true, 9)])
      const again = evolved(view, 'again', [
        ['text', 'string', text],
        ['m', 'int64', n],
      ])
      const asked = [ask([1], t), ask([1], t + 2)]
      expect((await join(renamed, ...asked))?.map((one) => one?.values)).toEqual([
        [null, 7],
        [true, 9],
      ])
      expect((await join(again, ...asked))?.map((one) => one?.values)).toEqual([
        ['a', 7],
        [null, 9],
      ])
      const newest = await store.insertRows(again, [row([2], t, null, 'b', 1)], t + 9)
      expect(newest.newest.map(({ values }) => values)).toEqual([['b', 1]])
    })

    it('reads a widened feature of rows before and since as one, ties too, and is null where a narrower one cannot hold it', async () => {
      const view = await newView({ id: 'int64' }, { n: 'int32', x: 'float32' })
      const before = Math.fround(0.1)
      await store.insertRows(view, [row([1], t, null, 7, before), row([2], t, null, 8, before)])
      const columns = [
        [
          ['n__int64', 'int64'],
          ['n', 'int32'],
        ],
        [
          ['x__float64', 'float64'],
          ['x', 'float32'],
        ],
      ] as const
      const wide = evolved(view, 'wide', [
        ['n', 'int64', ...columns[0]],
        ['x', 'float64', ...columns[1]],
      ])
      await store.ensureTables([wide], [])
      await store.insertRows(wide, [row([1], t, null, 2 ** 40, 0.1), row([3], t, null, 5, 1e300)])
      await store.insertRows(view, [row([2], t, null, 9, null)])
      const narrow = evolved(view, 'narrow', [
        ['n', 'int32', ...columns[0]],
        ['x', 'float32', ...columns[1]],
      ])
      await store.insertRows(narrow, [row([4], t, null, -1, before)])
      const asked = [ask([1], t), ask([2], t), ask([3], t), ask([4], t)]
      expect((await join(wide, ...asked))?.map((one) => one?.values)).toEqual([
        [2 ** 40, 0.1],
        [9, null],
        [5, 1e300],
        [-1, before],
      ])
      const narrowed = [
        [null, before],
        [9, null],
        [5, null],
        [-1, before],
      ]
      expect((await join(narrow, ...asked))?.map((one) => one?.values)).toEqual(narrowed)
      const read: StoredFeatureRow[] = []
      await store.newestRows({ view: narrow, now: t, scope: { kind: 'FULL' } }, async (rows) => {
        read.push(...rows)
      })
      expect(
        read.sort((left, right) => Number(left.key[0]) - Number(right.key[0])).map(({ values }) => values),
      ).toEqual(narrowed)
    })

    it('takes the newest row at or before the moment: at it, a microsecond before it, and before any', async () => {
      const view = await newView()
      await store.insertRows(view, [
        row([1], t, null, 1),
        row([1], t + 10, null, 2),
        row([1], t + 5, null, 3),
      ])
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
      await store.insertRows(view, [
        row([1], t, t + 2, 'later'.length),
        row([1], t, t + 1, 1),
        row([1], t, null, 2),
        row([2], t, null, 1),
        row([2], t, t - 1_000_000, 2),
        row([3], t, t, 1),
        row([3], t, t, 2),
        row([4], t, null, 1),
      ])
      await store.insertRows(view, [row([3], t, t, 3), row([4], t, null, 2)])
      expect(valuesOf(await join(view, ask([1], t), ask([2], t), ask([3], t), ask([4], t)))).toEqual([
        5, 2, 3, 2,
      ])
    })

    it('sees with knownAt only what was known then, a null created timestamp always', async () => {
      const view = await newView()
      await store.insertRows(view, [
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
      await store.insertRows(view, [row([1], t, null, 1), row([2], t, null, 2), row([1], t, null, 10)])
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
      expect(await store.insertRows(view, [])).toEqual({ rowIds: [], newest: [] })
    })

    it('joins each view of a question on its own, in their order', async () => {
      const [one, two] = [await newView(), await newView({ id: 'int64' }, { a: 'string', b: 'float64' })]
      await store.insertRows(one, [row([1], t, null, 7)])
      await store.insertRows(two, [row([1], t - 5, t, 'old', 0.5), row([2], t, null, null, 1.5)])
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
      await store.insertRows(numbers, [row([1, 12], t, null, 1), row([11, 2], t, null, 2)])
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
      await store.insertRows(
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

    it('tells keys beyond 2^53 apart to the last digit', async () => {
      const view = await newView()
      const keys = ['9007199254740992', '9007199254740993', '9223372036854775807', '-9223372036854775808']
      await store.insertRows(
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
      await store.insertRows(view, [
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
      await store.insertRows(
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
      await store.insertRows(
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

    it('gives ascending row ids, one per row, also over thousands of rows', async () => {
      const view = await newView()
      const rows = Array.from({ length: 5_001 }, (_, index) => row([index % 3], t, null, index))
      const { rowIds: ids } = await store.insertRows(view, rows)
      expect(ids).toHaveLength(5_001)
      expect(ids.every((id, index) => index === 0 || Number(id) > Number(ids[index - 1] ?? 0))).toBe(true)
      expect(valuesOf(await join(view, ask([0], t), ask([1], t), ask([2], t)))).toEqual([4_998, 4_999, 5_000])
    })

    it('answers with the inserted rows the newest due row of each of their keys, also one that was there before', async () => {
      const view = await newView()
      const { rowIds: before, newest: unasked } = await store.insertRows(view, [
        row([1], t, null, 1),
        row([1], t + 9, null, 2),
        row([2], t - 1, null, 3),
      ])
      expect(unasked).toEqual([])
      const rows = [
        row([1], t - 1, null, 4),
        row([2], t - 1, t, 5),
        row([2], t - 2, t, 6),
        row([3], t + 1, t, 7),
      ]
      const receipt = { idempotencyKey: 'newest', digest: 'd', arrival: t }
      const inserted = await store.insertRowsOnce(view, rows, receipt, t)
      if (inserted.status !== 'INSERTED') throw new Error(inserted.status)
      const expected = [
        { ...row([1], t, null, 1), rowId: before[0], closing: false, isCurrent: true },
        { ...row([2], t - 1, t, 5), rowId: inserted.rowIds[1], closing: false, isCurrent: true },
      ]
      expect(inserted.newest).toHaveLength(2)
      expect(inserted.newest).toEqual(expect.arrayContaining(expected))
      const again = await store.insertRowsOnce(view, rows, receipt, t + 1)
      expect('newest' in again && again.newest).toEqual(
        expect.arrayContaining([
          ...expected,
          { ...row([3], t + 1, t, 7), rowId: inserted.rowIds[3], closing: false, isCurrent: true },
        ]),
      )
    })

    it('keeps a row that is written twice twice, and the tables when they are ensured again', async () => {
      const view = await newView()
      const { rowIds: first } = await store.insertRows(view, [row([1], t, null, 1)])
      const { rowIds: second } = await store.insertRows(view, [row([1], t, null, 1)])
      expect(second).not.toEqual(first)
      await store.ensureTables([view], [])
      expect(valuesOf(await join(view, ask([1], t)))).toEqual([1])
    })

    it('inserts once per view and idempotency key, and answers a retry by the first time', async () => {
      const [view, other] = [await newView(), await newView()]
      const receipt = { idempotencyKey: 'k ä\'"', digest: 'd1', arrival: t + 5 }
      const first = await store.insertRowsOnce(view, [row([1], t, t + 5, 1), row([2], t, t + 5, 2)], receipt)
      expect(first).toMatchObject({ status: 'INSERTED', rowIds: expect.any(Array), arrival: t + 5 })
      const again = [row([1], t, t + 9, 1), row([2], t, t + 9, 2)]
      const second = await store.insertRowsOnce(view, again, { ...receipt, arrival: t + 9 })
      expect(second).toEqual({ ...first, status: 'REPEATED' })
      expect(await store.insertRowsOnce(view, [row([1], t, t, 7)], { ...receipt, digest: 'd2' })).toEqual({
        status: 'OTHER_ROWS',
      })
      const answer = await join(view, ask([1], t), ask([2], t))
      expect(answer?.map((found) => [found?.createdTimestamp, found?.values[0]])).toEqual([
        [t + 5, 1],
        [t + 5, 2],
      ])
      expect(await store.insertRowsOnce(other, [row([1], t, t, 7)], receipt)).toMatchObject({
        status: 'INSERTED',
      })
      expect(await store.insertRowsOnce(view, [], { ...receipt, idempotencyKey: 'none' })).toMatchObject({
        status: 'INSERTED',
        rowIds: [],
      })
    })

    it('inserts once, too, when the same key comes many times at once', async () => {
      const view = await newView()
      const receipt = { idempotencyKey: 'at once', digest: 'd', arrival: t }
      const tries = await Promise.all(
        Array.from({ length: 4 }, () => store.insertRowsOnce(view, [row([1], t, t, 1)], receipt)),
      )
      expect(tries.map(({ status }) => status).sort()).toEqual([
        'INSERTED',
        'REPEATED',
        'REPEATED',
        'REPEATED',
      ])
      expect(new Set(tries.map((answer) => 'rowIds' in answer && answer.rowIds[0])).size).toBe(1)
      const { rowIds: next } = await store.insertRows(view, [row([1], t, t, 2)])
      const [id] = tries.flatMap((answer) => ('rowIds' in answer ? answer.rowIds : []))
      expect(next[0]).toBeGreaterThan(id ?? Number.POSITIVE_INFINITY)
    })

    it('keeps all rows of a call or none', async () => {
      const view = await newView({ id: 'int64' }, { s: 'string' })
      // U+0000 is what Postgres refuses and `acceptValue` would have; memory takes it.
      const rows = Array.from({ length: 5_001 }, (_, index) =>
        row([index], t, t, index === 5_000 ? '\0' : 'a'),
      )
      const failed = await store.insertRows(view, rows).then(
        () => false,
        () => true,
      )
      expect(valuesOf(await join(view, ask([0], t)))).toEqual([failed ? null : 'a'])
      const receipt = { idempotencyKey: 'all or none', digest: 'd', arrival: t }
      const failedOnce = await store.insertRowsOnce(view, rows, receipt).then(
        () => false,
        () => true,
      )
      expect(failedOnce).toBe(failed)
      if (failed) {
        expect(
          await store.insertRowsOnce(view, [row([0], t, t, 'b')], { ...receipt, digest: 'e' }),
        ).toMatchObject({
          status: 'INSERTED',
        })
      }
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
      const { rowIds: ids } = await store.insertRows(view, [
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
          systemIdentifier: expect.any(String),
        },
      })
    })

    it('hands over thousands of rows in batches, each after the one before was taken', async () => {
      const view = await newView()
      const count = 4_500
      await store.insertRows(
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
      await store.insertRows(view, [
        row([1], t - 1, null, 1),
        row([2], t - 1, null, 2),
        row([2], t + 5, null, 3),
        row([3], t + 9, null, 4),
      ])
      const { reading } = await newest(view, { kind: 'FULL' })
      const since = { ...reading, materializedUntil: t }
      expect((await newest(view, { kind: 'ARRIVED', since })).events).toEqual([])
      await store.insertRows(view, [row([1], t - 50, null, 5), row([4], t - 60, null, 6)])
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
      await store.insertRows(
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
      await store.insertRows(view, [row([1], t, null, 1)])
      const refusal = new Error('no more')
      const failing = store.newestRows({ view, now: t, scope: { kind: 'FULL' } }, async () => {
        throw refusal
      })
      await expect(failing).rejects.toBe(refusal)
      expect((await newest(view, { kind: 'FULL' })).events).toEqual([[1, 0]])
    })

    it('says whether a view has more rows than a number, and hands over the newest rows of keys picked by chance', async () => {
      const view = await newView()
      expect(await store.isLargerThan(view, 0)).toBe(false)
      await store.insertRows(
        view,
        [1, 2, 3].flatMap((id) => [
          row([id], t - 5, null, 1),
          row([id], t - id, null, 2),
          row([id], t + 9, null, 3),
        ]),
      )
      expect(await store.isLargerThan(view, 8)).toBe(true)
      expect(await store.isLargerThan(view, 9)).toBe(false)
      const sample = await store.newestOfSample(view, t, 1_000)
      expect(sample.map(({ key: [id], eventTimestamp }) => [id, eventTimestamp - t]).sort()).toEqual([
        [1, -1],
        [2, -2],
        [3, -3],
      ])
      expect(await store.newestOfSample(view, t, 1)).toHaveLength(1)
    })

    it('returns the newest row and the oldest due one that arrived or became due since a reading', async () => {
      const view = await newView()
      expect(await store.materializeLag(view, t, null)).toEqual({
        newestEventTimestamp: null,
        oldestNotMaterialized: null,
      })
      await store.insertRows(view, [row([1], t - 9, null, 1), row([1], t + 9, null, 2)])
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
      await store.insertRows(view, [row([2], t - 90, null, 3)])
      expect((await store.materializeLag(view, t, since)).oldestNotMaterialized).toBe(t - 90)
    })
  })
}
