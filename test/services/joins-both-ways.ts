import { expect } from 'vitest'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import { postgresAsOfSnapshots } from '../../src/stores/postgres/features/as-of-snapshot.ts'
import { noRows, putEntries } from '../../src/stores/postgres/features/growing-columns.ts'
import { testPool } from './test-pool.ts'

/**
 * The store, whose as-of joins also go the way of training sets, through a temporary table and binary COPY: both must answer
 * the same.
 */
export function joinsBothWays(url: string, store: OfflineStore, project = 'default'): OfflineStore {
  const pool = testPool(url, 2, null)
  const snapshots = postgresAsOfSnapshots(pool, { project, countNonFinite: () => {}, arrayRows: 0 })
  return {
    ...store,
    async asOfJoin(join, signal) {
      const answer = await store.asOfJoin(join, signal)
      const snapshot = await snapshots.open({ connections: 1, visibleIn: join.visibleIn, files: [] })
      try {
        const rows = {
          length: join.rows.length,
          keys: (join.views[0]?.entity.joinKeys ?? []).map((_, at) =>
            join.rows.map(({ key }) => key[at] ?? 0),
          ),
          asOf: Float64Array.from(join.rows, ({ asOf }) => asOf),
          knownAt: (row: number) => join.rows[row]?.knownAt ?? null,
        }
        const columns = await snapshot.asOfColumns({
          views: join.views,
          ways: join.views.map(({ kind }) => (kind === 'STREAM' ? 'MERGE' : 'LATERAL')),
          rows,
        })
        const expected = join.views.map((view) => noRows(view, join.rows.length))
        expected.forEach((one, index) => {
          putEntries(one, 0, answer[index] ?? [])
        })
        expect(columns).toEqual(expected)
      } finally {
        await snapshot.close()
      }
      return answer
    },
    close: async () => {
      await Promise.all([store.close(), pool.end()])
    },
  }
}
