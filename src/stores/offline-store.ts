import type { PostgresSource } from '../definitions/data-source.ts'
import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey, FeatureRow, Value } from '../definitions/value.ts'
import type { JoinKeyType, ValueType } from '../definitions/value-type.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'
import type { KeptEventSource } from './event-store.ts'

interface ViewColumns {
  readonly name: string
  readonly entity: { readonly joinKeys: readonly { readonly name: string; readonly type: JoinKeyType }[] }
  readonly features: readonly { readonly name: string; readonly type: ValueType }[]
}

/** A view whose rows stand somewhere. BATCH: they are snapshots of windows, and some of them are closing rows. */
export interface StoredOfflineView extends ViewColumns {
  readonly kind: 'PLAIN' | 'BATCH'
  /** Null: a table that the store makes and writes itself. */
  readonly source: PostgresSource | null
}

/** A view that is computed from kept events when it is asked for. */
export interface StreamedOfflineView extends ViewColumns {
  readonly kind: 'STREAM'
  readonly source: null
  readonly events: KeptEventSource
  /** In the features' order. */
  readonly aggregations: readonly WindowedAggregation[]
}

/** What a store must know of a feature view: its columns, its key and where its rows stand or come from. */
export type OfflineView = StoredOfflineView | StreamedOfflineView

/** An entity key and the moment that is asked for; `knownAt` null: everything that is known now. */
export interface EntityRow {
  readonly key: EntityKey
  readonly asOf: Micros
  readonly knownAt: Micros | null
}

/** The newest row at or before an entity row's time. The ttl is not applied. */
export interface AsOfRow {
  readonly eventTimestamp: Micros
  readonly createdTimestamp: Micros | null
  /** In the view's feature order. */
  readonly values: readonly (Value | null)[]
  /** The key had no event in its windows any more: as if there were no row, but newer than those before it. */
  readonly closing: boolean
}

/** The windows of a streamed view reach behind `keptSince`, from when on all events are there: their values are not known. */
export interface ExpiredHistory {
  readonly keptSince: Micros
}

export interface AsOfJoin {
  /** Views of one entity type. */
  readonly views: readonly OfflineView[]
  readonly rows: readonly EntityRow[]
}

/** A feature row as it stands in the store; `rowId` null where a mapped source has none that is a safe integer. */
export interface StoredFeatureRow extends FeatureRow {
  readonly rowId: number | null
  readonly closing: boolean
}

/** What an earlier reading saw: everything of transactions below `snapshotXmin`, and rows due until `carriedUntil`. */
export interface CarriedPoint {
  readonly snapshotXmin: string
  readonly carriedUntil: Micros
  /** Transaction ids of another database mean nothing here. */
  readonly systemIdentifier: string
}

export type NewestRowsScope =
  | { readonly kind: 'FULL' }
  /** Keys with a row that may have arrived, or became due, after the point. */
  | { readonly kind: 'ARRIVED'; readonly since: CarriedPoint }
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
  readonly scope: NewestRowsScope['kind']
}

/** How far a view has been carried, by the offline store's rows. */
interface CarryLag {
  /** Null: no row at all. */
  readonly newestEventTimestamp: Micros | null
  /** The oldest due row that may have arrived, or became due, after the point; null: none. */
  readonly oldestNotCarried: Micros | null
}

/** What tells the retry of a push from another push. */
export interface PushReceipt {
  /** One per view; at most a few hundred characters. */
  readonly idempotencyKey: string
  /** Of the push: another one under the same key is a mistake of the caller's. */
  readonly digest: string
  /** The rows' created timestamp. */
  readonly arrival: Micros
}

/** One per row, in order; null: refused, since an entity of its key was deleted at its event timestamp or later. */
export type InsertedRowIds = readonly (number | null)[]

/**
 * REPEATED: nothing was inserted; the row ids and the arrival are those of the first time, but null for what has been
 * deleted since.
 */
export type InsertedOnce =
  | {
      readonly status: 'INSERTED' | 'REPEATED'
      readonly rowIds: InsertedRowIds
      readonly arrival: Micros
    }
  | { readonly status: 'OTHER_ROWS' }

/** Per view, one entry per entity row in the order asked for. */
type AsOfAnswer = readonly (readonly (AsOfRow | ExpiredHistory | null)[])[]

/**
 * All feature rows with their times. The rule of `asOfJoin` is design section 3.1, held by one contract suite.
 * Every method rejects with `StoreFailed` when the database cannot be reached, is too slow or answers with an error.
 */
export interface OfflineStore {
  /**
   * Per view and entity row, among the rows with that key, `event_timestamp <= asOf` and a created timestamp that is
   * null or `<= knownAt`, the newest by (event timestamp, created timestamp with null oldest, row id); null without one.
   * Of a STREAM view its windows at `asOf` over the events kept until `knownAt`, each at the earlier of its event timestamp
   * and the moment it was kept (design sections 3.5, 3.6 and 3.8); null where no window holds an event, else the event
   * timestamp is the newest of these times, the created timestamp the latest moment of keeping in the longest window.
   * Where one of its windows begins before its events are kept, that is answered instead, whatever is still there.
   * Exactly one entry per entity row, in order, duplicates kept. One statement, one index probe per view and entity
   * row. An aborted signal cancels the statement in the server.
   */
  readonly asOfJoin: (join: AsOfJoin, signal: AbortSignal) => Promise<AsOfAnswer>

  /**
   * Appends rows to a view without a source, all or none but those refused for a deletion, in one statement per few
   * thousand rows; one row id per row, in order. Values are taken as accepted (`acceptValue`). Not idempotent: a row
   * written twice is there twice.
   */
  readonly insertRows: (view: StoredOfflineView, rows: readonly FeatureRow[]) => Promise<InsertedRowIds>

  /**
   * As `insertRows`, once per view and idempotency key, also when called many times at once: the receipt is written in
   * the rows' transaction. With the key and digest of an earlier call it inserts nothing; with another digest neither.
   */
  readonly insertRowsOnce: (
    view: StoredOfflineView,
    rows: readonly FeatureRow[],
    receipt: PushReceipt,
  ) => Promise<InsertedOnce>

  /** One flag per row, in order: whether an entity of its key was deleted at its event timestamp or later, as of now. */
  readonly deletedRows: (
    view: StoredOfflineView,
    rows: readonly Pick<FeatureRow, 'key' | 'eventTimestamp'>[],
  ) => Promise<readonly boolean[]>

  /**
   * Hands over the newest due row of each key of the scope, by the total order of design section 3.1, a key once, in
   * batches of a bounded number; the next batch comes once `receive` has resolved. All rows are of one snapshot.
   * ARRIVED is read as FULL where the view has a source (its rows tell no arrival) or the point is another database's.
   * What `receive` throws ends the reading and is thrown on as it is. No time limit.
   */
  readonly newestRows: (
    request: NewestRowsRequest,
    receive: (rows: readonly StoredFeatureRow[]) => Promise<void>,
  ) => Promise<NewestRowsReading>

  /**
   * `since` null: nothing has been carried. Rows of a mapped source count by their event timestamps alone. A scan of
   * the table; no time limit.
   */
  readonly carryLag: (view: StoredOfflineView, now: Micros, since: CarriedPoint | null) => Promise<CarryLag>

  /** Keys of the newest due rows by event timestamp, newest first, at most `limit`. A scan of the table; no time limit. */
  readonly newestKeys: (view: StoredOfflineView, now: Micros, limit: number) => Promise<readonly EntityKey[]>

  /**
   * Makes missing tables and missing nullable columns of views without a source and of event sources without a table,
   * and checks everything else:
   * @throws TablesDiffer naming every difference, both sides; nothing is changed then.
   */
  readonly ensureTables: (views: readonly OfflineView[], sources: readonly KeptEventSource[]) => Promise<void>

  /** Resolves when the server answers. */
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}
