import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey, FeatureRow } from '../definitions/value.ts'
import type { StoredOfflineView } from './offline-view.ts'

/** A feature row as it stands in the store; `rowId` null where a mapped source has none that is a safe integer. */
export interface StoredFeatureRow extends FeatureRow {
  readonly rowId: number | null
  readonly closing: boolean
  /** False: a row of a batch view that another definition computed, or one that lacked a feature of today. */
  readonly isCurrent: boolean
}

/** What an earlier reading saw: everything of transactions below `snapshotXmin`, and rows due until `materializedUntil`. */
export interface MaterializedPoint {
  readonly snapshotXmin: string
  readonly materializedUntil: Micros
  /** Transaction ids of another database mean nothing here. */
  readonly systemIdentifier: string
  /** Of a view in Parquet files: those that had been read, each by a digest of its path, size and moment; else null. */
  readonly files: readonly string[] | null
}

export type NewestRowsScope =
  | { readonly kind: 'FULL' }
  /** Keys with a row that may have arrived, or became due, after the point. */
  | { readonly kind: 'ARRIVED'; readonly since: MaterializedPoint }
  /** Event timestamps from `from` on and before `to`; null is no bound. */
  | { readonly kind: 'RANGE'; readonly from: Micros | null; readonly to: Micros | null }

export interface NewestRowsRequest {
  readonly view: StoredOfflineView
  /** Rows whose event timestamp is later have not come yet. */
  readonly now: Micros
  readonly scope: NewestRowsScope
}

/** The reading's own point, for the next one, and the scope that was read in fact. */
export interface NewestRowsReading {
  readonly snapshotXmin: string
  readonly systemIdentifier: string
  readonly files: MaterializedPoint['files']
  readonly scope: NewestRowsScope['kind']
  /** False: of a batch view whose newest snapshot another definition computed. */
  readonly isCurrent: boolean
}

/** How far a view has been materialized, by the offline store's rows. */
interface MaterializeLag {
  /** Null: no row at all. */
  readonly newestEventTimestamp: Micros | null
  /** The oldest due row that may have arrived, or became due, after the point; null: none. */
  readonly oldestNotMaterialized: Micros | null
}

/** What is to be materialized: the newest row of each key. */
export interface NewestRows {
  /**
   * Hands over the newest due row of each key of the scope, by the total order of design section 3.1, a key once, in
   * batches of a bounded number; the next batch comes once `receive` has resolved. All rows are of one snapshot.
   * ARRIVED is read as FULL where the view has a source (its rows have no arrival) or the point is another database's; of
   * Parquet files those arrived that the point lacks, and it is FULL where one of the point's has changed or is gone.
   * What `receive` throws ends the reading and is thrown on as it is. No time limit.
   */
  readonly newestRows: (
    request: NewestRowsRequest,
    receive: (rows: readonly StoredFeatureRow[]) => Promise<void>,
  ) => Promise<NewestRowsReading>

  /**
   * `since` null: nothing has been materialized. Rows of a mapped source count by their event timestamps alone. A scan of
   * the table; no time limit.
   */
  readonly materializeLag: (
    view: StoredOfflineView,
    now: Micros,
    since: MaterializedPoint | null,
  ) => Promise<MaterializeLag>

  /** Whether the view has more rows than that, of all keys. Reads no more than so many; no time limit. */
  readonly isLargerThan: (view: StoredOfflineView, rows: number) => Promise<boolean>

  /**
   * The newest due rows of at most so many keys, picked by chance among the table's rows; none of a view with a source. Reads
   * about as many rows as it is asked for.
   */
  readonly newestOfSample: (
    view: StoredOfflineView,
    now: Micros,
    keys: number,
  ) => Promise<readonly StoredFeatureRow[]>

  /** Keys of the newest due rows by event timestamp, newest first, at most `limit`. A scan of the table; no time limit. */
  readonly newestKeys: (view: StoredOfflineView, now: Micros, limit: number) => Promise<readonly EntityKey[]>
}
