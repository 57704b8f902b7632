import type { Micros } from '../definitions/timestamp.ts'
import type { FeatureRow } from '../definitions/value.ts'
import type { StoredFeatureRow } from './newest-rows.ts'
import type { StoredOfflineView } from './offline-view.ts'

/** What distinguishes the retry of a push from another push. */
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

export interface InsertedRows {
  readonly rowIds: InsertedRowIds
  /**
   * Of each key among the inserted rows, the newest row that is due at `dueAt`, whichever process stored it: what belongs online. By
   * the transaction that inserts, so that a row which is stored already is never passed over. Empty without `dueAt`.
   */
  readonly newest: readonly StoredFeatureRow[]
}

/**
 * REPEATED: nothing was inserted; the row ids and the arrival are those of the first time, but null for what has been
 * deleted since.
 */
export type InsertedOnce =
  | (InsertedRows & { readonly status: 'INSERTED' | 'REPEATED'; readonly arrival: Micros })
  | { readonly status: 'OTHER_ROWS' }

/** Feature rows on their way into the offline store. */
export interface FeatureRows {
  /** The present by the database's clock, by which moments are set. */
  readonly now: () => Promise<Micros>

  /**
   * Appends rows to a view without a source, all or none but those refused for a deletion, in one statement per few
   * thousand rows; one row id per row, in order. Values are taken as accepted (`acceptValue`). Not idempotent: a row
   * written twice is there twice. Rows of a batch view are overrides of its snapshots (see `SnapshotStore.overrides`).
   * With `dueAt`, one more statement per few thousand rows.
   */
  readonly insertRows: (
    view: StoredOfflineView,
    rows: readonly FeatureRow[],
    dueAt?: Micros,
  ) => Promise<InsertedRows>

  /**
   * As `insertRows`, once per view and idempotency key, also when called many times at once: the receipt is written in
   * the rows' transaction. With the key and digest of an earlier call it inserts nothing; with another digest neither.
   */
  readonly insertRowsOnce: (
    view: StoredOfflineView,
    rows: readonly FeatureRow[],
    receipt: PushReceipt,
    dueAt?: Micros,
  ) => Promise<InsertedOnce>

  /** One flag per row, in order: whether an entity of its key was deleted at its event timestamp or later, as of now. */
  readonly deletedRows: (
    view: StoredOfflineView,
    rows: readonly Pick<FeatureRow, 'key' | 'eventTimestamp'>[],
  ) => Promise<readonly boolean[]>
}
