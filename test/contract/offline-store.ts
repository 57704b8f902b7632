import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import type { EntityKey, FeatureRow, Value } from '../../src/definitions/value.ts'
import { type JoinKeyType, type ValueType, valueTypes } from '../../src/definitions/value-type.ts'
import type { AsOfJoin, AsOfReader, AsOfRow, EntityRow } from '../../src/stores/as-of-reader.ts'
import type { StoredFeatureRow } from '../../src/stores/newest-rows.ts'
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

/** A feature row as it is written. */
export function row(
  key: EntityKey,
  eventTimestamp: Micros,
  createdTimestamp: Micros | null,
  ...values: readonly (Value | null)[]
): FeatureRow {
  return { key, eventTimestamp, createdTimestamp, values }
}

/** An entity row of an as-of join. */
export function ask(key: EntityKey, asOf: Micros, knownAt: Micros | null = null): EntityRow {
  return { key, asOf, knownAt }
}

/** Of the first feature. */
export function valuesOf(
  answer: readonly (AsOfRow | null)[] | undefined,
): readonly (Value | null)[] | undefined {
  return answer?.map((found) => found?.values[0] ?? null)
}

export const neverAborted = new AbortController().signal

/** As the store's own, where no row may lie behind the stored events. */
export async function asOfJoin(
  store: Pick<AsOfReader, 'asOfJoin'>,
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
    const join = async (view: OfflineView, ...rows: readonly EntityRow[]) =>
      (await asOfJoin(store, { views: [view], rows }))[0]

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

    it('gives ascending row ids, one per row, also over thousands of rows', async () => {
      const view = await newView()
      const rows = Array.from({ length: 5_001 }, (_, index) => row([index % 3], t, null, index))
      const { rowIds: ids } = await store.insertRows(view, rows)
      expect(ids).toHaveLength(5_001)
      expect(await store.insertRows(view, [])).toEqual({ rowIds: [], newest: [] })
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
  })
}
