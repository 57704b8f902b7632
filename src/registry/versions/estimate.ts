import type { Run, RunKind, RunStore } from '../../stores/run-store.ts'
import type { StoredAmounts } from '../../stores/stored-amounts.ts'
import type { Recomputation } from './recomputations.ts'

/** How much is to be computed again, and how long that takes at the rate of the view's last runs; null: not known. */
export interface Estimate {
  readonly recomputation: Recomputation
  readonly snapshots: number | null
  readonly rows: number | null
  /** Whether the rows were counted, and not estimated. */
  readonly isExact: boolean
  readonly seconds: number | null
}

export interface EstimateStores {
  readonly amounts: StoredAmounts
  readonly runs: Pick<RunStore, 'runs'>
}

/** One per recomputation, in order. Rejects with StoreFailed. */
export async function estimateAll(
  recomputations: readonly Recomputation[],
  stores: EstimateStores,
): Promise<readonly Estimate[]> {
  const estimates: Estimate[] = []
  for (const one of recomputations) estimates.push(await estimate(one, stores))
  return estimates
}

const runsLookedAt = 20

async function estimate(recomputation: Recomputation, { amounts, runs }: EstimateStores): Promise<Estimate> {
  const lastRuns = async (kind: RunKind, view: string): Promise<readonly Run[]> => {
    const found = await runs.runs({ kind, view, since: null, first: runsLookedAt, after: null })
    return found.filter(({ state }) => state === 'SUCCEEDED')
  }
  switch (recomputation.kind) {
    case 'SNAPSHOTS': {
      const { view } = recomputation
      const [snapshots, { rows, isExact }] = [await amounts.snapshots(view.id), await amounts.rows(view)]
      const seconds = secondsFor(rows, await lastRuns('BATCH', view.id), ({ rowsWritten }) => rowsWritten)
      return { recomputation, snapshots, rows, isExact, seconds }
    }
    case 'ONLINE_ROWS': {
      const last = await lastRuns('MATERIALIZE', recomputation.view.id)
      // The largest of them wrote every key, or nearly.
      const rows = last.reduce((most, run) => Math.max(most, run.rowsWritten ?? 0), 0)
      const known = rows === 0 ? null : rows
      const seconds = known === null ? null : secondsFor(known, last, ({ rowsWritten }) => rowsWritten)
      return { recomputation, snapshots: null, rows: known, isExact: false, seconds }
    }
    case 'TILES': {
      const { rows, isExact } = await amounts.events(recomputation.view.events)
      const [last] = await lastRuns('REBUILD', recomputation.view.id)
      // Such a run counts no rows.
      const seconds = last?.finishedAt == null ? null : (last.finishedAt - last.startedAt) / 1_000_000
      return { recomputation, snapshots: null, rows, isExact, seconds: rows === 0 ? 0 : seconds }
    }
    case 'INDEX': {
      const { on } = recomputation
      const { rows, isExact } = await (on.kind === 'event-source' ? amounts.events(on) : amounts.rows(on))
      return { recomputation, snapshots: null, rows, isExact, seconds: rows === 0 ? 0 : null }
    }
  }
}

/** At the rate of all these runs together: one that did little says little. */
function secondsFor(rows: number, runs: readonly Run[], rowsOf: (run: Run) => number | null): number | null {
  if (rows === 0) return 0
  let done = 0
  let seconds = 0
  for (const run of runs) {
    if (run.finishedAt === null || !rowsOf(run)) continue
    done += rowsOf(run) ?? 0
    seconds += (run.finishedAt - run.startedAt) / 1_000_000
  }
  return done === 0 || seconds === 0 ? null : (rows / done) * seconds
}
