import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Micros } from '../../src/definitions/timestamp.ts'
import type { EntityKey, FeatureRow } from '../../src/definitions/value.ts'
import type { JoinKeyType } from '../../src/definitions/value-type.ts'
import type { DeletionStore, DeletionView, EntityToDelete } from '../../src/stores/deletion-store.ts'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import { asOfJoin, at, offlineView } from './offline-store.ts'

type StoredDeletionView = Extract<DeletionView, { readonly kind: 'PLAIN' | 'BATCH' }>

export interface DeletionHarness {
  readonly store: Pick<OfflineStore, 'asOfJoin' | 'deletedRows'>
  readonly deletions: DeletionStore
  /** A view of the backend's without rows. */
  readonly newView: (
    name: string,
    joinKeys: Readonly<Record<string, JoinKeyType>>,
  ) => Promise<StoredDeletionView>
  /** Has the rows there, whichever way rows come to the backend. */
  readonly insert: (view: StoredDeletionView, rows: readonly FeatureRow[]) => Promise<unknown>
  readonly close: () => Promise<void>
}

/** Of a store that writes its rows itself. */
export function writtenViews(
  store: OfflineStore,
): Pick<DeletionHarness, 'newView' | 'insert'> & { readonly store: OfflineStore } {
  return {
    store,
    async newView(name, joinKeys) {
      const view = { ...offlineView(name, joinKeys, { n: 'int64' }), online: true }
      await store.ensureTables([view], [])
      return view
    },
    insert: (view, rows) => store.insertRows(view, rows),
  }
}

const t = at('2026-11-20T12:00:00Z')

/** The promises of `DeletionStore` and of a store that writes its rows itself. */
export function deletionStoreContract(
  name: string,
  makeHarness: () => Promise<DeletionHarness & { readonly store: OfflineStore }>,
): void {
  let made: OfflineStore | null = null
  deletedRowsContract(
    name,
    async () => {
      const harness = await makeHarness()
      made = harness.store
      return harness
    },
    () => {
      if (made === null) throw new Error('no store was made yet')
      return made
    },
  )
}

/**
 * The promises of `DeletionStore` and of what is answered beside it, the same for every backend. `written`: the store, where it
 * writes its rows itself, and so can refuse and erase them; null: rows stand in files of somebody else.
 */
export function deletedRowsContract(
  name: string,
  makeHarness: () => Promise<DeletionHarness>,
  written: (() => OfflineStore) | null,
): void {
  describe(`deletion store contract: ${name}`, () => {
    let harness: DeletionHarness
    let store: DeletionHarness['store']
    let deletions: DeletionStore
    let insert: DeletionHarness['insert']
    let names = 0
    beforeAll(async () => {
      harness = await makeHarness()
      store = harness.store
      deletions = harness.deletions
      insert = harness.insert
    })
    afterAll(() => harness?.close())

    /** Files stay as they are: what is left out of answers is not erased. */
    const erased = (rows: number): number => (written === null ? 0 : rows)

    const newName = (): string => {
      names += 1
      return `n${names}`
    }
    const newView = (joinKeys: Readonly<Record<string, JoinKeyType>>): Promise<StoredDeletionView> =>
      harness.newView(newName(), joinKeys)
    const row = (
      key: EntityKey,
      eventTimestamp: Micros,
      n = 1,
      created: Micros | null = eventTimestamp,
    ): FeatureRow => ({
      key,
      eventTimestamp,
      createdTimestamp: created,
      values: [n],
    })
    /** An entity of the join keys, in their order. */
    const deletionOf = (
      joinKeys: Readonly<Record<string, JoinKeyType>>,
      key: EntityKey,
      ...views: readonly StoredDeletionView[]
    ): EntityToDelete => ({
      entity: {
        ...{ id: 'thing', name: 'thing' },
        joinKeys: Object.entries(joinKeys).map(([one, type]) => ({ name: one, type })),
      },
      key,
      views,
      sources: [],
    })
    const remove = async (deletion: EntityToDelete, deletedAt: Micros): Promise<number> => {
      const recorded = await deletions.record(deletion, deletedAt)
      const counts = await deletions.erase(deletion, recorded.deletedAt)
      return counts.reduce((sum, count) => sum + count.rows, 0)
    }
    const values = async (
      view: StoredDeletionView,
      keys: readonly EntityKey[],
      asOf = t + 100,
      knownAt: Micros | null = null,
    ) => {
      const [answers] = await asOfJoin(store, {
        views: [view],
        rows: keys.map((key) => ({ key, asOf, knownAt })),
      })
      return answers?.map((one) => one?.values[0] ?? null)
    }

    it('leaves no row at or before the time, at any knownAt, nor of such rows that come from then on, but later ones', async () => {
      const a = newName()
      const view = await newView({ [a]: 'int64' })
      await insert(view, [row([1], t - 5), row([1], t), row([2], t, 2)])
      const deletion = deletionOf({ [a]: 'int64' }, [1], view)
      expect(await remove(deletion, t)).toBe(erased(2))
      expect(await values(view, [[1], [2]])).toEqual([null, 2])
      expect(await values(view, [[1], [2]], t, t - 1)).toEqual([null, null])
      const rows = [row([1], t, 3), row([2], t, 4), row([1], t + 1, 5), row([1], t - 1, 6)]
      expect(await store.deletedRows(view, rows)).toEqual([true, false, false, true])
      if (written === null) await insert(view, rows)
      else {
        const { rowIds } = await written().insertRows(view, rows)
        expect(rowIds.map((id) => id !== null)).toEqual([false, true, true, false])
      }
      expect(await values(view, [[1], [2]])).toEqual([5, 4])
      expect(await values(view, [[1]], t)).toEqual([null])
      expect(await remove(deletion, t)).toBe(0)
      expect(await values(view, [[1]])).toEqual([5])
    })

    // Of files the deletion's moment is held against the newest row alone: one that is dated ahead answers.
    it.skipIf(written === null)(
      'erases what is dated ahead if it was known by then, and leaves what came later',
      async () => {
        const a = newName()
        const view = await newView({ [a]: 'string' })
        await insert(view, [
          row(['x'], t + 50, 1, t - 1),
          row(['x'], t + 51, 2, null),
          row(['x'], t + 40, 3, t + 2),
        ])
        expect(await remove(deletionOf({ [a]: 'string' }, ['x'], view), t)).toBe(2)
        expect(await values(view, [['x']])).toEqual([3])
      },
    )

    it('moves the time forward when the key is deleted again, never back', async () => {
      const a = newName()
      const view = await newView({ [a]: 'int32' })
      const deletion = deletionOf({ [a]: 'int32' }, [7], view)
      for (const [asked, stands] of [
        [t, t],
        [t + 10, t + 10],
        [t - 10, t + 10],
      ] as const)
        expect((await deletions.record(deletion, asked)).deletedAt).toBe(stands)
      expect(await store.deletedRows(view, [row([7], t + 10), row([7], t + 11)])).toEqual([true, false])
    })

    it('covers what has all join keys of the entity, in any order, by name and type, and nothing else', async () => {
      const [a, b, c] = [newName(), newName(), newName()]
      const pair = await newView({ [b]: 'string', [a]: 'int64' })
      const triple = await newView({ [c]: 'int32', [a]: 'int64', [b]: 'string' })
      const half = await newView({ [a]: 'int64' })
      const otherType = await newView({ [a]: 'int32', [b]: 'string' })
      const keys = { pair: ['x,1', 1], triple: [9, 1, 'x,1'], half: [1], otherType: [1, 'x,1'] } as const
      await insert(pair, [row(keys.pair, t), row(['x', 1], t), row(['1', 1], t)])
      await insert(triple, [row(keys.triple, t), row([8, 1, 'x,1'], t - 1), row([9, 2, 'x,1'], t)])
      await insert(half, [row(keys.half, t)])
      await insert(otherType, [row(keys.otherType, t)])
      const deletion = deletionOf({ [a]: 'int64', [b]: 'string' }, [1, 'x,1'], pair, triple)
      expect(await remove(deletion, t)).toBe(erased(3))
      expect(await values(pair, [keys.pair, ['x', 1], ['1', 1]])).toEqual([null, 1, 1])
      expect(await values(triple, [keys.triple, [8, 1, 'x,1'], [9, 2, 'x,1']])).toEqual([null, null, 1])
      expect(await store.deletedRows(pair, [row(keys.pair, t), row(['x', 1], t)])).toEqual([true, false])
      expect(await store.deletedRows(triple, [row([5, 1, 'x,1'], t)])).toEqual([true])
      expect(await store.deletedRows(half, [row(keys.half, t)])).toEqual([false])
      expect(await store.deletedRows(otherType, [row(keys.otherType, t)])).toEqual([false])
    })

    it.each([
      ['int64', '9007199254740993', '9007199254740992'],
      ['int64', -1, 1],
      ['string', '', ' '],
      ['string', 'ü😀{%,:', 'u'],
      ['string', '1', '1:1'],
    ] as const)('tells keys apart: %s %j from %j', async (type, deleted, other) => {
      const a = newName()
      const view = await newView({ [a]: type })
      await insert(view, [row([deleted], t), row([other], t)])
      expect(await remove(deletionOf({ [a]: type }, [deleted], view), t)).toBe(erased(1))
      expect(await store.deletedRows(view, [row([deleted], t), row([other], t)])).toEqual([true, false])
      expect(await values(view, [[deleted], [other]])).toEqual([null, 1])
    })

    it.skipIf(written === null)(
      'knows the retry of a push from before, and answers null for what was deleted since',
      async () => {
        const a = newName()
        const view = await newView({ [a]: 'int64' })
        const rows = [row([1], t), row([2], t)]
        const writer = written?.() ?? fail()
        const receipt = { idempotencyKey: 'k', digest: 'd', arrival: t }
        const first = await writer.insertRowsOnce(view, rows, receipt)
        await remove(deletionOf({ [a]: 'int64' }, [1], view), t)
        const again = await writer.insertRowsOnce(view, rows, { ...receipt, arrival: t + 9 })
        expect(again).toEqual({
          status: 'REPEATED',
          arrival: t,
          rowIds: [null, first.status === 'INSERTED' ? first.rowIds[1] : 'none'],
          newest: [],
        })
        expect(await writer.insertRowsOnce(view, rows, { ...receipt, digest: 'e' })).toEqual({
          status: 'OTHER_ROWS',
        })
        expect(await values(view, [[1], [2]])).toEqual([null, 1])
        const refused = await writer.insertRowsOnce(view, rows, { ...receipt, idempotencyKey: 'l' })
        expect(refused).toMatchObject({ status: 'INSERTED', rowIds: [null, expect.any(Number)] })
      },
    )

    it('returns the online keys of views with more join keys, also of erased rows, until they are forgotten', async () => {
      const [a, b] = [newName(), newName()]
      const wide = await newView({ [b]: 'int64', [a]: 'string' })
      const same = await newView({ [a]: 'string' })
      const offlineOnly = { ...(await newView({ [a]: 'string', [b]: 'int64' })), online: false }
      await insert(wide, [
        row([1, 'x'], t),
        row([1, 'x'], t - 1),
        row(['9007199254740993', 'x'], t),
        row([3, 'y'], t),
      ])
      await insert(same, [row(['x'], t)])
      await insert(offlineOnly, [row(['x', 4], t)])
      const deletion = deletionOf({ [a]: 'string' }, ['x'], wide, same, offlineOnly)
      const reported = async () =>
        (await deletions.onlineKeys(deletion)).map(({ view, key }) => JSON.stringify([view, key])).sort()
      const expected = [
        JSON.stringify([wide.name, ['9007199254740993', 'x']]),
        JSON.stringify([wide.name, [1, 'x']]),
      ]
      expect(await reported()).toEqual(expected)
      expect(await remove(deletion, t)).toBe(erased(5))
      expect(await reported()).toEqual(expected)
      await deletions.forgetOnlineKeys(deletion, [{ view: wide.name, key: [1, 'x'] }])
      // In files they stand on.
      expect(await reported()).toEqual(written === null ? expected : expected.slice(0, 1))
      expect(await deletions.onlineKeys(deletionOf({ [a]: 'string' }, ['y'], wide))).toEqual([
        { view: wide.name, key: [3, 'y'] },
      ])
    })

    it('records a key that nobody knows', async () => {
      const a = newName()
      const view = await newView({ [a]: 'int64' })
      expect(await remove(deletionOf({ [a]: 'int64' }, [404], view), t)).toBe(0)
      await insert(view, [row([404], t)])
      expect(await values(view, [[404]])).toEqual([null])
    })
  })
}

function fail(): never {
  throw new Error('the store does not write its rows')
}
