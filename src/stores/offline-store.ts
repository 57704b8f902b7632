import type { AsOfReader } from './as-of-reader.ts'
import type { FeatureRows } from './feature-rows.ts'
import type { NewestRows } from './newest-rows.ts'
import type { OfflineView } from './offline-view.ts'
import type { StoredEventSource } from './stored-event-source.ts'

/**
 * All feature rows with their times: three ports on one database. Every method rejects with `StoreFailed` when the
 * database cannot be reached, is too slow or answers with an error.
 */
export interface OfflineStore extends AsOfReader, FeatureRows, NewestRows {
  /**
   * Makes missing tables and missing nullable columns of views without a source and of event sources without a table,
   * and checks everything else:
   * @throws TablesDiffer naming every difference, both sides; nothing is changed then.
   */
  readonly ensureTables: (
    views: readonly OfflineView[],
    sources: readonly StoredEventSource[],
  ) => Promise<void>

  readonly close: () => Promise<void>
}
