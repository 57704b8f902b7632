import type { RunStore } from '../../stores/run-store.ts'

const newestRuns = { kind: 'MATERIALIZE', view: null, since: null, first: 100, after: null } as const

/** How many rows each materialize that runs now has read, by the view's id. Rejects with `StoreFailed`. */
export async function fillProgress({ runs }: Pick<RunStore, 'runs'>): Promise<ReadonlyMap<string, number>> {
  const running = (await runs(newestRuns)).filter(({ state }) => state === 'RUNNING')
  return new Map(
    running.flatMap(({ view, rowsRead }) => (view === null ? [] : [[view, rowsRead ?? 0] as const])),
  )
}
