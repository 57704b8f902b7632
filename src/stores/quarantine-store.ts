import type { Micros } from '../definitions/timestamp.ts'
import type { FeatureRow } from '../definitions/value.ts'
import type { AcceptedEvent, StoreOutcome } from './event-log.ts'
import type { StoredOfflineView } from './offline-view.ts'
import type { StoredEventSource } from './stored-event-source.ts'
import type { Violation } from './violation-store.ts'

/** How a row came: in a file, by a push (also a POST of events), as a stream's message, or computed by a batch run. */
export const waysIn = ['file', 'push', 'message', 'batch'] as const
export type WayIn = (typeof waysIn)[number]

/** A row or message that was kept out of the stores, as it came. */
export interface QuarantinedEntry {
  readonly id: number
  /** Of the event source or the feature view. */
  readonly name: string
  readonly cameBy: WayIn
  readonly reason: string
  readonly recordedAt: Micros
  /**
   * `{ key, values, eventTimestamp }` by registry name, with `createdTimestamp` and `eventId` where there are some; `{ line }`
   * of what could not be taken apart; of a message as far as it could be read. A batch run's row has its key in order.
   */
  readonly content: unknown
  readonly file: { readonly path: string; readonly row: number } | null
  readonly message: {
    readonly topic: string
    readonly partition: number
    readonly offset: number
    readonly key: Buffer | null
    readonly value: Buffer
  } | null
}

/** Entries of one name that came the same way for the same reason, values in it left out. */
export interface QuarantineGroup {
  readonly name: string
  readonly cameBy: WayIn
  readonly reason: string
  readonly rows: number
  readonly newestAt: Micros
}

export interface QuarantineFilter {
  /** Null: of all. */
  readonly name: string | null
  readonly cameBy: WayIn | null
}

/** Everything that is quarantined in a project. Rejects with `StoreFailed` when the database does not answer. */
export interface QuarantineStore {
  /** By name, then the largest first, at most `first`. Reads all entries of the filter. */
  readonly groups: (filter: QuarantineFilter, first: number) => Promise<readonly QuarantineGroup[]>
  /** By id, which rises in the order of arrival; `past`: the id that a page ended with. */
  readonly page: (
    filter: QuarantineFilter & {
      readonly order: 'NEWEST_FIRST' | 'OLDEST_FIRST'
      readonly past: number | null
      readonly first: number
    },
  ) => Promise<readonly QuarantinedEntry[]>
  /**
   * Stores events that were read from entries, and removes the entries, in one transaction; one outcome each, in order, null
   * for an entry that was not there any more. Rows of a file are stored as if it came once more with these alone, so that
   * a later import of it passes over them; all others at the end of the log.
   */
  readonly retryEvents: (
    source: StoredEventSource,
    place: RetryPlace,
    entries: readonly RetriedEventEntry[],
    storedAt: Micros,
  ) => Promise<readonly (StoreOutcome | null)[]>
  /** As `retryEvents`, into a view's own table; a batch view's row is an override of its snapshot. */
  readonly retryRows: (
    view: StoredOfflineView,
    entries: readonly RetriedRow[],
  ) => Promise<readonly ('STORED' | 'DELETED' | null)[]>
}

export type RetriedEvent = Omit<AcceptedEvent, 'partition' | 'offset'>

export interface RetriedEventEntry {
  readonly id: number
  readonly event: RetriedEvent
  /** In its file; elsewhere not looked at. */
  readonly row: number
}

/** `importedAt`: when the file was imported that had the rows. */
export type RetryPlace =
  | { readonly kind: 'LOG'; readonly topic: string }
  | {
      readonly kind: 'FILE'
      readonly path: string
      readonly importedAt: Micros
      /** Taken where the file's receipt is not there, or its import has not ended. */
      readonly topic: string
    }

export interface RetriedRow {
  readonly id: number
  readonly row: FeatureRow
  /** What it breaks and is only warned of: recorded if it is stored. */
  readonly violations: readonly Violation[]
}
