import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Micros } from '../../src/definitions/timestamp.ts'
import type { EntityKey, FeatureRow } from '../../src/definitions/value.ts'
import type { JoinKeyType } from '../../src/definitions/value-type.ts'
import type { DeletionStore, DeletionView, EntityToDelete } from '../../src/stores/deletion-store.ts'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import { asOfJoin, at, offlineView } from './offline-store.ts'

type StoredDeletionView = Extract<DeletionView, { readonly kind: 'PLAIN' | 'BATCH' }>

interface DeletionHarness {
  readonly store: OfflineStore
  readonly deletions: DeletionStore
  readonly close: () => Promise<void>
}

const t = at('2026-11-20T12:00:00Z')

/** The promises of `DeletionStore` and of the offline store beside it, the same for every backend. */
export function deletionStoreContract(name: string, makeHarness: () => Promise<DeletionHarness>): void {
  describe(`deletion store contract: ${name}`, () => {
    let harness: DeletionHarness
    let store: OfflineStore
    let deletions: DeletionStore
    let names = 0
    beforeAll(async () => {
      harness = await makeHarness()
      store = harness.store
      deletions = harness.deletions
    })
    afterAll(() => harness?.close())

    const newName = (): string => {
      names += 1
      return `n${names}`
    }
    const newView = async (joinKeys: Readonly<Record<string, JoinKeyType>>): Promise<StoredDeletionView> => {
      const view = { ...offlineView(newName(), joinKeys, { n: 'int64' }), online: true }
      await store.ensureTables([view], [])
      return view
    }
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

    it('erases rows at or before the time, at any knownAt, refuses such rows from then on and takes later ones', async () => {
      const a = newName()
      const view = await newView({ [a]: 'int64' })
      await store.insertRows(view, [row([1], t - 5), row([1], t), row([2], t, 2)])
      const deletion = deletionOf({ [a]: 'int64' }, [1], view)
      expect(await remove(deletion, t)).toBe(2)
      expect(await values(view, [[1], [2]])).toEqual([null, 2])
      expect(await values(view, [[1], [2]], t, t - 1)).toEqual([null, null])
      const rows = [row([1], t, 3), row([2], t, 4), row([1], t + 1, 5), row([1], t - 1, 6)]
      expect(await store.deletedRows(view, rows)).toEqual([true, false, false, true])
      const { rowIds } = await store.insertRows(view, rows)
      expect(rowIds.map((id) => id !== null)).toEqual([false, true, true, false])
      expect(await values(view, [[1], [2]])).toEqual([5, 4])
      expect(await values(view, [[1]], t)).toEqual([null])
      expect(await remove(deletion, t)).toBe(0)
      expect(await values(view, [[1]])).toEqual([5])
    })

    it('erases what is dated ahead if it was known by then, and leaves what came later', async () => {
      const a = newName()
      const view = await newView({ [a]: 'string' })
      await store.insertRows(view, [
        row(['x'], t + 50, 1, t - 1),
        row(['x'], t + 51, 2, null),
        row(['x'], t + 40, 3, t + 2),
      ])
      expect(await remove(deletionOf({ [a]: 'string' }, ['x'], view), t)).toBe(2)
      expect(await values(view, [['x']])).toEqual([3])
    })

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
      await store.insertRows(pair, [row(keys.pair, t), row(['x', 1], t), row(['1', 1], t)])
      await store.insertRows(triple, [row(keys.triple, t), row([8, 1, 'x,1'], t - 1), row([9, 2, 'x,1'], t)])
      await store.insertRows(half, [row(keys.half, t)])
      await store.insertRows(otherType, [row(keys.otherType, t)])
      const deletion = deletionOf({ [a]: 'int64', [b]: 'string' }, [1, 'x,1'], pair, triple)
      expect(await remove(deletion, t)).toBe(3)
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
      await store.insertRows(view, [row([deleted], t), row([other], t)])
      expect(await remove(deletionOf({ [a]: type }, [deleted], view), t)).toBe(1)
      expect(await store.deletedRows(view, [row([deleted], t), row([other], t)])).toEqual([true, false])
      expect(await values(view, [[deleted], [other]])).toEqual([null, 1])
    })

    it('knows the retry of a push from before, and answers null for what was deleted since', async () => {
      const a = newName()
      const view = await newView({ [a]: 'int64' })
      const rows = [row([1], t), row([2], t)]
      const receipt = { idempotencyKey: 'k', digest: 'd', arrival: t }
      const first = await store.insertRowsOnce(view, rows, receipt)
      await remove(deletionOf({ [a]: 'int64' }, [1], view), t)
      const again = await store.insertRowsOnce(view, rows, { ...receipt, arrival: t + 9 })
      expect(again).toEqual({
        status: 'REPEATED',
        arrival: t,
        rowIds: [null, first.status === 'INSERTED' ? first.rowIds[1] : 'none'],
        newest: [],
      })
      expect(await store.insertRowsOnce(view, rows, { ...receipt, digest: 'e' })).toEqual({
        status: 'OTHER_ROWS',
      })
      expect(await values(view, [[1], [2]])).toEqual([null, 1])
      const refused = await store.insertRowsOnce(view, rows, { ...receipt, idempotencyKey: 'l' })
      expect(refused).toMatchObject({ status: 'INSERTED', rowIds: [null, expect.any(Number)] })
    })

    it('returns the online keys of views with more join keys, also of erased rows, until they are forgotten', async () => {
      const [a, b] = [newName(), newName()]
      const wide = await newView({ [b]: 'int64', [a]: 'string' })
      const same = await newView({ [a]: 'string' })
      const offlineOnly = { ...(await newView({ [a]: 'string', [b]: 'int64' })), online: false }
      await store.insertRows(wide, [
        row([1, 'x'], t),
        row([1, 'x'], t - 1),
        row(['9007199254740993', 'x'], t),
        row([3, 'y'], t),
      ])
      await store.insertRows(same, [row(['x'], t)])
      await store.insertRows(offlineOnly, [row(['x', 4], t)])
      const deletion = deletionOf({ [a]: 'string' }, ['x'], wide, same, offlineOnly)
      const reported = async () =>
        (await deletions.onlineKeys(deletion)).map(({ view, key }) => JSON.stringify([view, key])).sort()
      const expected = [
        JSON.stringify([wide.name, ['9007199254740993', 'x']]),
        JSON.stringify([wide.name, [1, 'x']]),
      ]
      expect(await reported()).toEqual(expected)
      expect(await remove(deletion, t)).toBe(5)
      expect(await reported()).toEqual(expected)
      await deletions.forgetOnlineKeys(deletion, [{ view: wide.name, key: [1, 'x'] }])
      expect(await reported()).toEqual(expected.slice(0, 1))
      expect(await deletions.onlineKeys(deletionOf({ [a]: 'string' }, ['y'], wide))).toEqual([
        { view: wide.name, key: [3, 'y'] },
      ])
    })

    it('records a key that nobody knows', async () => {
      const a = newName()
      const view = await newView({ [a]: 'int64' })
      expect(await remove(deletionOf({ [a]: 'int64' }, [404], view), t)).toBe(0)
      expect((await store.insertRows(view, [row([404], t)])).rowIds).toEqual([null])
    })
  })
}
