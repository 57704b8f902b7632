import type { AsOfReader } from './as-of-reader.ts'
import type { FeatureRows } from './feature-rows.ts'
import type { NewestRows } from './newest-rows.ts'
import type { OfflineView } from './offline-view.ts'
import type { StoredEventSource } from './stored-event-source.ts'
import type { StoredRows } from './stored-rows.ts'

/** How the managed tables stood to the definitions. */
export interface TableReport {
  /** Columns that tables lacked: they have been added, or with `CHECK` would be. A new table lacks none. */
  readonly missingColumns: readonly string[]
  /** A line for each table with columns that no definition names, with the remedy where it looks like a rename. */
  readonly ignoredColumns: readonly string[]
}

/**
 * All feature rows with their times: four ports on one database. Every method rejects with `StoreFailed` when the
 * database cannot be reached, is too slow or answers with an error.
 */
export interface OfflineStore extends AsOfReader, FeatureRows, NewestRows, StoredRows {
  /**
   * Creates missing tables and missing nullable columns of views without a source and of event sources without a table,
   * and checks everything else. Columns that no definition names are ignored where rows can be written without them.
   * With `CHECK` nothing is changed.
   * @throws TablesDiffer naming every difference, both sides; nothing is changed then.
   */
  readonly ensureTables: (
    views: readonly OfflineView[],
    sources: readonly StoredEventSource[],
    mode?: 'CHECK',
  ) => Promise<TableReport>

  readonly close: () => Promise<void>
}
