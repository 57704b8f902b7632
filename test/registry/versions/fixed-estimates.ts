import type { EstimateStores } from '../../../src/registry/versions/estimate.ts'
import type { RunKind } from '../../../src/stores/run-store.ts'

const second = 1_000_000
const seconds: Readonly<Partial<Record<RunKind, number>>> = { BATCH: 4, MATERIALIZE: 1, REBUILD: 120 }

/** Every view has 31 snapshots, 12,400 rows and 3,200,000 events; runs wrote 400 rows in 4 s (batch) or 1 s (materialize). */
export const fixedEstimates: EstimateStores = {
  amounts: {
    snapshots: async () => 31,
    rows: async () => ({ rows: 12_400, isExact: true }),
    events: async () => ({ rows: 3_200_000, isExact: false }),
  },
  runs: {
    runs: async ({ kind, view }) => {
      const rows = kind === 'REBUILD' ? null : 400
      const took = kind === null ? 0 : (seconds[kind] ?? 0)
      return [
        {
          ...{ id: 'a', kind: kind ?? 'BATCH', view, asOf: null, state: 'SUCCEEDED', error: null },
          ...{ startedAt: 0, finishedAt: took * second, rowsRead: rows, rowsWritten: rows },
        },
      ]
    },
  },
}
