import type { Micros } from '../definitions/timestamp.ts'
import type { ExpiredHistory, NotComputed } from './as-of-reader.ts'
import type { EntityRows } from './entity-rows.ts'
import type { OfflineView } from './offline-view.ts'
import type { ReadFiles } from './read-files.ts'
import type { TableEstimate } from './table-estimate.ts'
import type { ValueColumn } from './value-column.ts'

/** Why an entity row's values are not, or not all, what its newest row holds. */
export type AsOfException = ExpiredHistory | NotComputed | { readonly lacking: readonly string[] }

/** The newest rows of a view, column by column: an entry per entity row, in their order. */
export interface AsOfColumns {
  /** In microseconds; NaN where there is no row, or a closing one. */
  readonly eventTimestamps: Float64Array
  /** Per feature of the view; null where there is no row. */
  readonly columns: readonly ValueColumn[]
  /** By entity row. Those with `storedSince` or `notComputed` have no row. */
  readonly exceptions: ReadonlyMap<number, AsOfException>
}

/**
 * How a view's values are found for many entity rows. LATERAL: a probe of an index for each. MERGE: the events of each key's
 * overlapping windows are read once. SCATTER: all feature rows of the keys are read once, in no order. FILES: the view's own files
 * are joined as a whole.
 */
export type Way = 'LATERAL' | 'MERGE' | 'SCATTER' | 'FILES'

export interface ColumnJoin {
  /** Views of one entity type. */
  readonly views: readonly OfflineView[]
  /** Of each view: MERGE for streaming views, SCATTER for plain ones, FILES for those in files. */
  readonly ways: readonly Way[]
  readonly rows: EntityRows
}

/** As-of joins that all see the same rows, whatever is written meanwhile, on several connections at once. */
export interface AsOfSnapshot {
  /** When it was taken, by the database's clock. */
  readonly takenAt: Micros
  /** Which transactions it sees, as the database writes it: what is read in it can be read again later. */
  readonly visible: string
  /** Of the database that `visible` is of. */
  readonly systemIdentifier: string
  /** Of the views that stand in files, as far as they have been asked for: listed once, when the first is asked for. */
  readonly files: () => readonly ReadFiles[]
  /**
   * Per view what `AsOfReader.asOfJoin` answers, as columns. Any number of rows: large joins are split over the connections.
   * Rows whose keys stand beside each other, the newest first, are found in half the time. Rejects with `StoreFailed`.
   */
  readonly asOfColumns: (join: ColumnJoin) => Promise<readonly AsOfColumns[]>
  /** What is known of the table that a view is answered from, without reading it. */
  readonly estimate: (view: OfflineView) => Promise<TableEstimate>
  /** The statement that answers a view in this way, for a reader; parameters stand in it as `$1`, `$2`, … */
  readonly statement: (view: OfflineView, way: Way) => string
  /** Ends the joins that are under way. */
  readonly close: () => Promise<void>
}

export interface SnapshotRequest {
  readonly connections: number
  /** The `visible` of an earlier snapshot: what came later is not seen. Null: everything that is there now. */
  readonly visibleIn: string | null
  /** The `files` of an earlier snapshot, which have to be the same; of other views they are listed. */
  readonly files: readonly ReadFiles[]
}

export interface AsOfSnapshots {
  /** Rejects with `StoreFailed`. Close it, else the database keeps dead rows for it. */
  readonly open: (request: SnapshotRequest) => Promise<AsOfSnapshot>
}
