import type { Clock, Micros } from '../definitions/timestamp.ts'
import { isFixedSize } from '../definitions/value-type.ts'
import type { DeleteEntity } from '../ingest/deletion/delete-entity.ts'
import type { PushRows } from '../ingest/push/push-rows.ts'
import type { OnComputeFailure } from '../on-demand/compute-row.ts'
import type { OnDemandFunctions } from '../on-demand/functions.ts'
import type { OnlineGuard } from '../online/guard.ts'
import { type ComputeOnDemand, onDemandComputer } from '../online/on-demand.ts'
import type { OnlineFills } from '../online/online-fills.ts'
import type { RowLayouts } from '../online/row-layouts.ts'
import { viewReader } from '../online/view-reader.ts'
import { recordedNames } from '../registry/recorded-names.ts'
import type { FeatureView, OnDemandView, Registry } from '../registry/registry.ts'
import type { AsOfReader } from '../stores/as-of-reader.ts'
import type { OnlineStore } from '../stores/online-store.ts'
import type { ProcessRegistry } from '../stores/process-registry.ts'
import type { RunStore } from '../stores/run-store.ts'
import type { StoredRows } from '../stores/stored-rows.ts'
import type { ViolationStore } from '../stores/violation-store.ts'
import type { AskingRequest, Caller, GraphContext } from './context.ts'
import { historyLoader } from './history-loader.ts'
import { readNeeds, rowLoader } from './row-loader.ts'
import type { Need, OfflineInstead, RowObserver, RowSources } from './row-sources.ts'
import { unavailableViews } from './unavailable-views.ts'
import { type ColumnReader, type StatusTally, statusTally, type ViewColumn } from './view-column.ts'

export interface RequestContextOptions {
  readonly registry: Registry
  readonly layouts: RowLayouts
  readonly guard: RowSources['guard'] & Pick<OnlineGuard, 'watermark'>
  readonly fills: Pick<OnlineFills, 'find'>
  readonly stores: {
    readonly online: OnlineStore
    readonly offline: AsOfReader & StoredRows
    readonly runs: RunStore
    readonly processes: Pick<ProcessRegistry, 'running'>
    readonly violations: ViolationStore
    readonly versions: GraphContext['versions']
  }
  /** Of the version that is served; `GraphContext`. */
  readonly changedIn: GraphContext['changedIn']
  readonly instead: OfflineInstead
  readonly clock: Clock
  readonly observe: RowObserver
  readonly push: PushRows
  readonly deleteEntity: DeleteEntity
  readonly functions: OnDemandFunctions
  readonly onComputeFailure: OnComputeFailure
  readonly trainingSets: GraphContext['trainingSets']
  /** That one request may read of stored rows; `ReadBytes`. */
  readonly maxReadBytes: number
}

/** `signal` is asked for only when the offline store is read, or the request waits for its turn. */
export type BeginRequest = (
  requestId: string,
  caller: Caller,
  payer: string,
  signal: () => AbortSignal,
  audit: GraphContext['audit'],
  now?: Micros,
) => AskingRequest

export interface RequestContexts {
  readonly begin: BeginRequest
  /** `rows`: where all that its resolvers need was read before. */
  readonly make: (request: AskingRequest, rows?: GraphContext['rows']) => GraphContext
  /** Without a context: what a loader answers for the needs of one tick. @throws TooManyBytes */
  readonly read: (
    request: AskingRequest,
    needs: readonly Need[],
  ) => Promise<readonly (readonly ViewColumn[])[]>
  readonly tally: StatusTally
}

/** What all requests share, prepared once; then one context a request. */
export function requestContexts(options: RequestContextOptions): RequestContexts {
  const { registry, layouts, guard, fills, instead, stores, clock, observe, push, deleteEntity } = options
  const tally = statusTally(registry.views)
  const readers = new Map(
    [...tally].map(([view, counts]) => [
      view,
      {
        ...viewReader(view, layouts.layout(view), layouts.history, {
          watermark: watermarkOf(view, guard),
          fill: () => fills.find(view),
        }),
        counts,
        largeValues: view.features.filter(({ type }) => !isFixedSize(type)).length,
        seen: { largestRow: null },
      },
    ]),
  )
  function reader(view: FeatureView): ColumnReader {
    const found = readers.get(view)
    if (!found) throw new TypeError(`feature view ${view.name} is not of this registry`)
    return found
  }
  const computers = new Map(
    registry.onDemandViews.map((view) => [
      view,
      onDemandComputer(view, options.functions, options.onComputeFailure),
    ]),
  )
  function computeOnDemand(view: OnDemandView): ComputeOnDemand {
    const found = computers.get(view)
    if (!found) throw new TypeError(`on-demand view ${view.name} is not of this registry`)
    return found
  }
  const sources = { ...stores, reader, guard, instead, observe, layouts: layouts.history }
  const recorded = {
    runs: recordedNames({ ...registry, eventSources: [] }),
    violations: recordedNames(registry),
  }
  return {
    tally,
    begin(requestId, caller, payer, signal, audit, now = clock()) {
      const readBytes = { limit: options.maxReadBytes, repeats: 1, total: 0 }
      const startedMs = performance.now()
      return { requestId, caller, payer, signal, audit, now, startedMs, readBytes }
    },
    make(request, rows = rowLoader(sources, request)) {
      const { requestId, caller, payer, signal, audit, now, startedMs, readBytes } = request
      return {
        requestId,
        caller,
        payer,
        signal,
        audit,
        now,
        startedMs,
        readBytes,
        reply: { apart: null },
        push,
        deleteEntity,
        rows,
        history: historyLoader(sources, request),
        runs: stores.runs,
        processes: stores.processes,
        violations: stores.violations,
        recorded,
        versions: stores.versions,
        changedIn: options.changedIn,
        trainingSets: options.trainingSets,
        unavailable: unavailableViews(),
        computeOnDemand,
      }
    },
    read: (request, needs) => readNeeds(sources, request, needs),
  }
}

function watermarkOf(view: FeatureView, guard: Pick<OnlineGuard, 'watermark'>): () => Micros | null {
  return view.kind === 'STREAM' ? () => guard.watermark(view) : () => null
}
