import type { Clock, Micros } from '../definitions/timestamp.ts'
import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import type { DeleteEntity } from '../ingest/deletion/delete-entity.ts'
import type { PushRows } from '../ingest/push/push-rows.ts'
import type { LiveTiles } from '../online/live-tiles.ts'
import type { OnlineFills } from '../online/online-fills.ts'
import type { RowLayouts } from '../online/row-layouts.ts'
import { viewReader } from '../online/view-reader.ts'
import type { FeatureView, Registry } from '../registry/registry.ts'
import type { AsOfReader } from '../stores/as-of-reader.ts'
import type { OnlineStore } from '../stores/online-store.ts'
import type { RunStore } from '../stores/run-store.ts'
import type { ViolationStore } from '../stores/violation-store.ts'
import type { Caller, GraphContext } from './context.ts'
import { type RowObserver, rowLoader } from './row-loader.ts'
import { unavailableViews } from './unavailable-views.ts'
import { type ColumnReader, type StatusTally, statusTally } from './view-column.ts'

export interface RequestContextOptions {
  readonly registry: Registry
  readonly layouts: RowLayouts
  readonly tiles: Pick<LiveTiles, 'find' | 'missing'>
  readonly fills: Pick<OnlineFills, 'find'>
  readonly stores: {
    readonly online: OnlineStore
    readonly offline: AsOfReader
    readonly runs: RunStore
    readonly violations: ViolationStore
  }
  readonly clock: Clock
  readonly observe: RowObserver
  readonly push: PushRows
  readonly deleteEntity: DeleteEntity
}

export interface RequestContexts {
  /** `signal` is asked for only when the offline store is read. */
  readonly make: (requestId: string, caller: Caller, signal: () => AbortSignal) => GraphContext
  readonly tally: StatusTally
}

/** What all requests share, prepared once; then one context a request. */
export function requestContexts(options: RequestContextOptions): RequestContexts {
  const { registry, layouts, tiles, fills, stores, clock, observe, push, deleteEntity } = options
  const tally = statusTally(registry.views)
  const readers = new Map(
    [...tally].map(([view, counts]) => [
      view,
      {
        ...viewReader(view, layouts.layout(view), layouts.history, {
          watermark: watermarkOf(view, tiles),
          fill: () => fills.find(view),
        }),
        counts,
      },
    ]),
  )
  function reader(view: FeatureView): ColumnReader {
    const found = readers.get(view)
    if (!found) throw new TypeError(`feature view ${view.name} is not of this registry`)
    return found
  }
  const keyPrefix = (view: FeatureView): string | null =>
    view.kind === 'STREAM' ? (tiles.find(view)?.prefix ?? null) : layouts.keyPrefix(view)
  const missingTiles = (view: FeatureView): UnavailableReason =>
    view.kind === 'STREAM' ? tiles.missing(view) : 'NEVER_FILLED'
  const sources = { ...stores, reader, keyPrefix, missingTiles, observe }
  return {
    tally,
    make(requestId, caller, signal) {
      const now = clock()
      return {
        requestId,
        caller,
        now,
        startedMs: performance.now(),
        push,
        deleteEntity,
        rows: rowLoader(sources, { requestId, now, signal }),
        runs: stores.runs,
        violations: stores.violations,
        unavailable: unavailableViews(),
      }
    },
  }
}

function watermarkOf(view: FeatureView, tiles: Pick<LiveTiles, 'find'>): () => Micros | null {
  return view.kind === 'STREAM' ? () => tiles.find(view)?.watermark ?? null : () => null
}
