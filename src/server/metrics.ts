import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { RowStatus } from '../definitions/row-status.ts'
import type { Clock } from '../definitions/timestamp.ts'
import { type AnswerRoute, answerRoutes } from '../graph/answer-route.ts'
import type { RowObserver } from '../graph/row-sources.ts'
import type { StatusTally } from '../graph/view-column.ts'
import type { StreamObserver } from '../ingest/stream-observer.ts'
import type { ComputeFailure } from '../on-demand/compute-row.ts'
import type { GuardReport } from '../online/guard.ts'
import type { Admission } from './admission/admission.ts'
import { operationNames } from './operation-names.ts'
import { type PlainHistogram, plainHistogram, type Series } from './plain-histogram.ts'
import { streamMetrics } from './stream-metrics.ts'
import { type VersionNumbers, versionMetrics } from './version-metrics.ts'
import { workMetrics } from './work-metrics.ts'

/** What `/metrics` answers, in a registry of its own, so that two gateways of one process do not mix. */
export interface Metrics {
  readonly observeRead: RowObserver
  readonly observeOperation: (name: string | null, outcome: string, seconds: number) => void
  readonly countRoute: (route: AnswerRoute) => void
  readonly countEngine: (event: string) => void
  readonly countNonFinite: (view: string) => void
  readonly countComputeFailure: (failure: Pick<ComputeFailure, 'view' | 'kind'>) => void
  /**
   * Row statuses are counted in plain numbers on the hot path and read here when asked for. Returns what is to be called when
   * no more are counted there.
   */
  readonly watchStatuses: (tally: StatusTally) => () => void
  /** What was counted elsewhere, by the view's name. */
  readonly addStatuses: (counted: ReadonlyMap<string, Readonly<Record<RowStatus, number>>>) => void
  /** What of the online store is answered, by the last read. */
  readonly watchOnline: (report: () => GuardReport) => void
  /** How the gateway stands to the registry. */
  readonly watchVersions: (state: () => VersionNumbers) => void
  /** What runs and waits. */
  readonly watchWork: (admission: Pick<Admission, 'report'>) => void
  readonly stream: StreamObserver
  readonly contentType: string
  readonly text: () => Promise<string>
}

const secondsBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const maxOperationNames = 200

/** `trusted`: operations that are always counted under their names. */
export function createMetrics(clock: Clock, trusted: readonly string[] = []): Metrics {
  const register = new Registry()
  collectDefaultMetrics({ register })
  const registers = [register]
  const counter = (name: string, label: string, help: string) =>
    new Counter({ name: `featuregraph_${name}`, help, labelNames: [label], registers })
  const operations = plainHistogram<'operation' | 'outcome'>(register, {
    name: 'featuregraph_operation_seconds',
    help: 'GraphQL operations by name and outcome (ok, or the code of the first error)',
    buckets: secondsBuckets,
  })
  const storeSeconds = byStore(
    plainHistogram(register, {
      name: 'featuregraph_store_read_seconds',
      help: 'Reads of a store, one per tick of a request and entity type',
      buckets: secondsBuckets,
    }),
  )
  const batchRows = byStore(
    plainHistogram(register, {
      name: 'featuregraph_store_read_rows',
      help: 'Rows asked for by one read of a store',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000],
    }),
  )
  const storeErrors = counter('store_errors_total', 'store', 'Reads that a store did not answer')
  const engine = counter(
    'operation_engine_total',
    'event',
    'Operations compiled, not compilable, or repeated by graphql-js after a compiled run without data',
  )
  const routes: Record<AnswerRoute, number> = { direct: 0, compiled: 0, interpreted: 0 }
  new Counter({
    name: 'featuregraph_operations_total',
    help: 'GraphQL operations that were executed, by the way to their answer: direct (past Apollo), compiled (graphql-jit), interpreted (graphql-js)',
    labelNames: ['route'],
    registers,
    collect() {
      this.reset()
      for (const route of answerRoutes) this.inc({ route }, routes[route])
    },
  })
  const nonFinite = counter(
    'non_finite_values_total',
    'view',
    'NaN and infinite values of mapped tables, and values of a wider column out of range, that were answered as null',
  )
  const computeFailures = new Counter({
    name: 'featuregraph_on_demand_failures_total',
    help: 'Rows for which the function of an on-demand view did not answer what it should, by what it did instead (threw, promise, wrong_type)',
    labelNames: ['view', 'kind'],
    registers,
  })
  new Gauge({
    name: 'featuregraph_rows_total',
    help: 'Rows answered by view and status',
    labelNames: ['view', 'status'],
    registers,
    collect() {
      const totals = new Map([...ended].map(([view, counts]) => [view, { ...counts }]))
      for (const tally of tallies) addTo(totals, tally)
      for (const [view, counts] of totals)
        for (const [status, count] of Object.entries(counts)) this.set({ view, status }, count)
    },
  })
  const unavailable = new Gauge({
    name: 'featuregraph_online_view_unavailable',
    help: '1: no row of the view is answered from the online store, for the reason; 0: rows are',
    labelNames: ['view', 'reason'],
    registers,
    collect() {
      this.reset()
      const { refused, views } = reportOnline()
      for (const [view, lacking] of views) {
        const reason = refused ?? lacking
        this.set({ view: view.name, reason: reason ?? '' }, reason === null ? 0 : 1)
      }
    },
  })
  let reportOnline: () => GuardReport = () => ({ refused: null, views: new Map() })
  const tallies = new Set<StatusTally>()
  const ended: StatusTotals = new Map()
  const outcomes = new Map<string, Map<string, Series>>()
  const { label } = operationNames({
    trusted,
    max: maxOperationNames,
    onEvict(operation) {
      for (const series of outcomes.get(operation)?.values() ?? []) operations.remove(series)
      outcomes.delete(operation)
    },
  })

  function seriesOf(operation: string, outcome: string): Series {
    let known = outcomes.get(operation)
    if (known === undefined) {
      known = new Map()
      outcomes.set(operation, known)
    }
    let series = known.get(outcome)
    if (series === undefined) {
      series = operations.series({ operation, outcome })
      known.set(outcome, series)
    }
    return series
  }

  return {
    observeRead({ store, rows: asked, seconds, error }) {
      storeSeconds[store].observe(seconds)
      batchRows[store].observe(asked)
      if (error !== undefined) storeErrors.inc({ store })
    },
    observeOperation: (name, outcome, seconds) => seriesOf(label(name), outcome).observe(seconds),
    countRoute(route) {
      routes[route] += 1
    },
    countEngine: (event) => engine.inc({ event }),
    countNonFinite: (view) => nonFinite.inc({ view }),
    countComputeFailure: ({ view, kind }) => computeFailures.inc({ view, kind: kind.toLowerCase() }),
    watchStatuses: (tally) => {
      tallies.add(tally)
      return () => {
        if (tallies.delete(tally)) addTo(ended, tally)
      }
    },
    addStatuses(counted) {
      for (const [view, counts] of counted) addCounts(ended, view, counts)
    },
    watchOnline: (report) => {
      reportOnline = report
      unavailable.reset()
    },
    watchVersions: versionMetrics(register),
    watchWork: workMetrics(register),
    stream: streamMetrics(register, clock),
    contentType: register.contentType,
    text: () => register.metrics(),
  }
}

function byStore(histogram: PlainHistogram<'store'>): Readonly<Record<'online' | 'offline', Series>> {
  return { online: histogram.series({ store: 'online' }), offline: histogram.series({ store: 'offline' }) }
}

/** By the views' names, since those of every version of the registry are objects of their own. */
type StatusTotals = Map<string, Record<string, number>>

function addTo(totals: StatusTotals, tally: StatusTally): void {
  for (const [{ name }, counts] of tally) addCounts(totals, name, counts)
}

function addCounts(totals: StatusTotals, view: string, counts: Readonly<Record<string, number>>): void {
  const total = totals.get(view) ?? {}
  for (const [status, count] of Object.entries(counts)) total[status] = (total[status] ?? 0) + count
  totals.set(view, total)
}
