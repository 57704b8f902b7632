import type { RowStatus } from '../../definitions/row-status.ts'
import type { StatusTally } from '../../graph/view-column.ts'
import type { Metrics } from '../../server/metrics.ts'
import type { Measures } from './thread-messages.ts'

/** The part of `Metrics` that answers of requests need. */
export type AnswerMetrics = Pick<
  Metrics,
  'observeRead' | 'observeOperation' | 'countRoute' | 'countEngine' | 'countNonFinite' | 'countComputeFailure'
>

type Collected = { -readonly [Name in keyof Omit<Measures, 'statuses'>]: Measures[Name][number][] }

export interface MeasureCollector {
  readonly metrics: AnswerMetrics
  /** Statuses are counted there. Returns how to stop. */
  readonly watch: (tally: StatusTally) => () => void
  /** What was measured since the last time. */
  readonly take: () => Measures
}

/** Collects in a thread what the main thread's registry is to count. */
export function measureCollector(): MeasureCollector {
  let collected = nothing()
  const tallies = new Set<StatusTally>()
  return {
    metrics: {
      observeRead({ error, ...read }) {
        collected.reads.push({ ...read, failed: error !== undefined })
      },
      observeOperation(name, outcome, seconds) {
        collected.operations.push({ name, outcome, seconds })
      },
      countRoute: (route) => collected.routes.push(route),
      countEngine: (event) => collected.engine.push(event),
      countNonFinite: (view) => collected.nonFinite.push(view),
      countComputeFailure: ({ view, kind }) => collected.computeFailures.push({ view, kind }),
    },
    watch(tally) {
      tallies.add(tally)
      return () => tallies.delete(tally)
    },
    take() {
      const taken = { ...collected, statuses: takeStatuses(tallies) }
      collected = nothing()
      return taken
    },
  }
}

function nothing(): Collected {
  return { reads: [], operations: [], routes: [], engine: [], nonFinite: [], computeFailures: [] }
}

/** And begins to count from 0 again. */
function takeStatuses(tallies: Iterable<StatusTally>): Measures['statuses'] {
  const taken = new Map<string, Record<RowStatus, number>>()
  for (const tally of tallies) {
    for (const [{ name }, counts] of tally) {
      const total = taken.get(name) ?? { PRESENT: 0, NOT_FOUND: 0, OUTSIDE_TTL: 0, UNAVAILABLE: 0 }
      for (const status of Object.keys(total) as RowStatus[]) {
        total[status] += counts[status]
        counts[status] = 0
      }
      taken.set(name, total)
    }
  }
  return taken
}

/** In the main thread: counts what a thread has measured. */
export function countMeasures(
  metrics: AnswerMetrics & Pick<Metrics, 'addStatuses'>,
  { reads, operations, routes, engine, nonFinite, computeFailures, statuses }: Measures,
): void {
  for (const { failed, ...read } of reads)
    metrics.observeRead(failed ? { ...read, error: 'reported by its thread' } : read)
  for (const { name, outcome, seconds } of operations) metrics.observeOperation(name, outcome, seconds)
  for (const route of routes) metrics.countRoute(route)
  for (const event of engine) metrics.countEngine(event)
  for (const view of nonFinite) metrics.countNonFinite(view)
  for (const failure of computeFailures) metrics.countComputeFailure(failure)
  metrics.addStatuses(statuses)
}
