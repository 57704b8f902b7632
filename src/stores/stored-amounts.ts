import type { StoredOfflineView } from './offline-view.ts'
import type { StoredEventSource } from './stored-event-source.ts'

/** So many rows, or, of large tables, about so many. */
export interface Amount {
  readonly rows: number
  readonly isExact: boolean
}

/**
 * How much is stored, for an estimate of what computing it again takes; nothing where a table is not there. Rejects with
 * `StoreFailed` when the database does not answer.
 */
export interface StoredAmounts {
  /** Of a batch view, by its id. */
  readonly snapshots: (viewId: string) => Promise<number>
  /** In a table that the store makes for the view. */
  readonly rows: (view: StoredOfflineView) => Promise<Amount>
  /** As `rows`, of an event source. */
  readonly events: (source: StoredEventSource) => Promise<Amount>
}
