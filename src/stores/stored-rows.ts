import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey, Value } from '../definitions/value.ts'
import type { StoredOfflineView } from './offline-view.ts'

/** Where a page of a key's rows ended, by the total order of design section 3.1. */
export interface StoredRowPlace {
  readonly eventTimestamp: Micros
  readonly createdTimestamp: Micros | null
  /** As decimal digits; null: the view's source has none. */
  readonly rowId: string | null
  /** Without row ids: how many rows of these very times have been read. */
  readonly repeats: number
}

/** Of one key: rows with `from <= event timestamp < to`, those behind `after` if it is given. */
export interface StoredRowRange {
  readonly key: EntityKey
  readonly from: Micros
  readonly to: Micros
  /** Rows created later do not exist; null: later than the present by the store's clock. */
  readonly knownAt: Micros | null
  readonly after: StoredRowPlace | null
}

export interface StoredRowsRequest {
  readonly view: StoredOfflineView
  readonly ranges: readonly StoredRowRange[]
  /** Rows a range at most. */
  readonly first: number
}

/** A row as it is stored, whatever the ttl says by now. */
export interface StoredRow {
  readonly eventTimestamp: Micros
  readonly createdTimestamp: Micros | null
  readonly rowId: string | null
  /** Of a batch view: an override, not computed. */
  readonly pushed: boolean
  /** In the view's feature order; null too where a definition computed it that means something else than today's. */
  readonly values: readonly (Value | null)[]
}

/** The rows of one range, newest first by the total order. */
export interface FoundRows {
  /** The moment that rows were known at: the range's, or the store's present. */
  readonly knownAt: Micros
  readonly rows: readonly StoredRow[]
}

/** What is stored of a key, every created version of every event timestamp, closing rows too. */
export interface StoredRows {
  /**
   * One entry per range, in order. One statement, one walk of the as-of index per range. Rows of equal times without row ids
   * come in the order of their contents. An aborted signal cancels the statement in the server.
   */
  readonly storedRows: (request: StoredRowsRequest, signal: AbortSignal) => Promise<readonly FoundRows[]>
}
