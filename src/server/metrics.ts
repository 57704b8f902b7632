import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Clock } from '../definitions/timestamp.ts'
import type { RowObserver } from '../graph/row-loader.ts'
import type { StatusTally } from '../graph/view-column.ts'
import type { StreamObserver } from '../ingest/stream-observer.ts'
import { streamMetrics } from './stream-metrics.ts'

/** What `/metrics` tells, in a registry of its own, so that two gateways of one process do not mix. */
export interface Metrics {
  readonly observeRead: RowObserver
  readonly observeOperation: (name: string | null, outcome: string, seconds: number) => void
  readonly countEngine: (event: string) => void
  readonly countNonFinite: (view: string) => void
  /** Row statuses are counted in plain numbers on the hot path and read here when asked for. */
  readonly watchStatuses: (tally: StatusTally) => void
  readonly stream: StreamObserver
  readonly contentType: string
  readonly text: () => Promise<string>
}

const secondsBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const maxOperationNames = 200
const longestOperationName = 100

export function createMetrics(clock: Clock): Metrics {
  const register = new Registry()
  collectDefaultMetrics({ register })
  const operations = new Histogram({
    name: 'featuregraph_operation_seconds',
    help: 'GraphQL operations by name and outcome (ok, or the code of the first error)',
    labelNames: ['operation', 'outcome'],
    buckets: secondsBuckets,
    registers: [register],
  })
  const storeSeconds = new Histogram({
    name: 'featuregraph_store_read_seconds',
    help: 'Reads of a store, one per tick of a request and entity type',
    labelNames: ['store'],
    buckets: secondsBuckets,
    registers: [register],
  })
  const batchRows = new Histogram({
    name: 'featuregraph_store_read_rows',
    help: 'Rows asked for by one read of a store',
    labelNames: ['store'],
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000],
    registers: [register],
  })
  const storeErrors = new Counter({
    name: 'featuregraph_store_errors_total',
    help: 'Reads that a store did not answer',
    labelNames: ['store'],
    registers: [register],
  })
  const engine = new Counter({
    name: 'featuregraph_operation_engine_total',
    help: 'Operations compiled, not compilable, or repeated by graphql-js after a compiled run without data',
    labelNames: ['event'],
    registers: [register],
  })
  const nonFinite = new Counter({
    name: 'featuregraph_non_finite_values_total',
    help: 'NaN and infinite values of mapped tables that were answered as null',
    labelNames: ['view'],
    registers: [register],
  })
  const rows = new Gauge({
    name: 'featuregraph_rows_total',
    help: 'Rows answered by view and status',
    labelNames: ['view', 'status'],
    registers: [register],
    collect() {
      for (const tally of tallies) {
        for (const [view, counts] of tally) {
          for (const [status, count] of Object.entries(counts)) this.set({ view: view.name, status }, count)
        }
      }
    },
  })
  const tallies: StatusTally[] = []
  const names = new Set<string>()

  /** Callers choose names, so their number and length are bounded. */
  function boundedName(name: string | null): string {
    if (name === null) return 'anonymous'
    if (!names.has(name)) {
      if (names.size >= maxOperationNames || name.length > longestOperationName) return 'other'
      names.add(name)
    }
    return name
  }

  return {
    observeRead({ store, rows: asked, seconds, error }) {
      storeSeconds.observe({ store }, seconds)
      batchRows.observe({ store }, asked)
      if (error !== undefined) storeErrors.inc({ store })
    },
    observeOperation: (name, outcome, seconds) =>
      operations.observe({ operation: boundedName(name), outcome }, seconds),
    countEngine: (event) => engine.inc({ event }),
    countNonFinite: (view) => nonFinite.inc({ view }),
    watchStatuses: (tally) => {
      tallies.push(tally)
      rows.reset()
    },
    stream: streamMetrics(register, clock),
    contentType: register.contentType,
    text: () => register.metrics(),
  }
}
