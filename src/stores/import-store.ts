import type { ImportDigest } from '../definitions/import-digest.ts'
import type { Micros } from '../definitions/timestamp.ts'
import type { Value } from '../definitions/value.ts'
import type { StoredOfflineView } from './offline-view.ts'
import type { StoredEventSource } from './stored-event-source.ts'
import type { QuarantinedRow, Violation } from './violation-store.ts'

/** A table that the store writes: the stored events of a source, or the rows of a view without a Postgres source. */
export type ImportTable =
  | { readonly kind: 'EVENTS'; readonly source: StoredEventSource }
  | { readonly kind: 'ROWS'; readonly view: StoredOfflineView }

/** Events with ids: other writers of the same ids would wait for the whole file. */
export function isImportedInChunks(table: ImportTable): boolean {
  return table.kind === 'EVENTS' && table.source.eventId !== null
}

export interface ImportReceipt {
  /** sha-256 of the file's bytes, in hex; what distinguishes one file from another. */
  readonly digest: string
  readonly file: string
  readonly importedAt: Micros
  readonly definition: ImportDigest
}

/**
 * How a table stands to a file's bytes. NEW: they were not imported there. BEGUN: some chunks were, and it goes on behind
 * them. IMPORTED. CHANGED: they were, by another definition of the source that may have left rows out.
 */
export interface ImportState {
  readonly status: 'NEW' | 'BEGUN' | 'IMPORTED' | 'CHANGED'
  /** How often the bytes were imported there by other definitions. */
  readonly earlier: number
}

/**
 * Rows of a batch, by column. Only the rows that `kept` lists are written, in its order.
 * `columns` are the source's fields, or the view's join keys and then its features, in the form of `acceptValue`.
 */
export interface ImportedRows {
  readonly kept: readonly number[]
  readonly rowNumbers: readonly number[]
  readonly eventTimestamps: readonly Micros[]
  /** Null: known always; an event is known from when it happened. */
  readonly createdTimestamps: readonly (Micros | null)[]
  /** Of events; elsewhere not looked at. */
  readonly eventIds: readonly (string | null)[]
  readonly columns: readonly (readonly (Value | null)[])[]
}

export type QuarantinedFileRow = QuarantinedRow & {
  readonly file: string
  readonly rowNumber: number
}

/** Where a file's rows go, batch by batch. */
export interface RowSink {
  /**
   * Rows of a batch, by their places, kept or not, that concern an entity which was deleted at their event timestamp or
   * later: nothing of them may be written. Costs nothing where no such entity was deleted before the file was begun; a
   * later deletion waits for the file's end, and removes them itself.
   */
  readonly deletedRows: (rows: ImportedRows) => Promise<ReadonlySet<number>>
  readonly write: (
    rows: ImportedRows,
    quarantined: readonly QuarantinedFileRow[],
    violations: readonly Violation[],
  ) => Promise<void>
}

export interface ImportCounts {
  readonly read: number
  readonly stored: number
  /** Of the file's rows, those that earlier imports of it have stored. */
  readonly storedBefore: number
}

/** Rejects with `StoreFailed` when the database does not answer. */
export interface ImportStore {
  /** The present by the database's clock, by which moments are set. */
  readonly now: () => Promise<Micros>
  readonly stateOf: (table: ImportTable, digest: string, definition: ImportDigest) => Promise<ImportState>
  /**
   * Rows of a batch, by their places, that earlier imports of the file have stored as events: they stand as they were
   * accepted, and are not stored again. Of feature rows none: a later one of the same times wins.
   */
  readonly storedRows: (
    table: ImportTable,
    digest: string,
    earlier: number,
  ) => Promise<(rows: ImportedRows) => Promise<ReadonlySet<number>>>
  /**
   * Writes a file's rows, its receipt, what was quarantined and the violations in one transaction, and for events which
   * hours of event time got some. `work` is called once, or not at all where the receipt is there already (then null is
   * answered, unless that is of another definition; what the earlier import quarantined goes then); while another import of the same file is under way its end is waited for. What `work` throws rolls all
   * back and is thrown on.
   * A table of which `isImportedInChunks` is written in short transactions instead, each with the rows' claims of their
   * ids: rows that an earlier call has stored are passed over, and what `work` throws leaves those that were stored; so
   * the caller checks the file first. Of an id that an event has claimed before, whichever way it came, the row is
   * stored and does not count.
   * An event stands at topic `file:<digest>`, partition 0, offset = row number; where the file comes for the n-th time at
   * `file:<digest>:<n>`, since readers have passed its first topic. No time limit; memory is bounded by a
   * batch and a COPY buffer.
   */
  readonly importFile: <Counts extends ImportCounts>(
    table: ImportTable,
    receipt: ImportReceipt,
    work: (sink: RowSink) => Promise<Counts>,
  ) => Promise<Counts | null>
}
