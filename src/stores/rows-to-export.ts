import type { Micros } from '../definitions/timestamp.ts'
import type { Value } from '../definitions/value.ts'
import type { ValueType } from '../definitions/value-type.ts'
import type { StoredOfflineView } from './offline-view.ts'
import type { StoredEventSource } from './stored-event-source.ts'

/** What leaves as files: the events of a source, or the rows of a view with a table. */
export type ExportSubject =
  | { readonly kind: 'EVENTS'; readonly source: StoredEventSource }
  | { readonly kind: 'ROWS'; readonly view: StoredOfflineView }

export interface ExportColumn {
  readonly name: string
  readonly type: ValueType
}

/** Rows by their day's time (of events when they count, of rows the event timestamp): `from <= time < to`; null is no bound. */
export interface ExportRange {
  readonly from: Micros | null
  readonly to: Micros | null
}

/** Rows of the range; with `since` those alone that were not visible in that earlier snapshot. */
export interface ExportedPart extends ExportRange {
  readonly since: string | null
}

/** A reading of one subject, whose rows are all of one snapshot of the database. */
export interface ExportReading {
  readonly takenAt: Micros
  /** Which transactions it sees, as the database writes it. */
  readonly visible: string
  /** Since when events are all there; null: nothing was dropped. Earlier ones are left out. */
  readonly storedSince: Micros | null
  /** Days (UTC, since 1970) that have rows of the part, in order, with their number. A scan of the table, or of what arrived. */
  readonly days: (part: ExportedPart) => Promise<readonly { readonly day: number; readonly rows: number }[]>
  /**
   * Rows with the values of `exportColumns`, day by day; within a day events in their total order, and rows by key and time.
   * Batches of a bounded number; the server waits while one is worked on.
   */
  readonly rows: (part: ExportedPart) => AsyncIterable<readonly (readonly (Value | null)[])[]>
  readonly close: () => Promise<void>
}

/** Rows of deleted entities are left out. Rejects with `StoreFailed`. */
export interface RowsToExport {
  /** Close it, else the database keeps dead rows for it. `visibleIn`: an earlier snapshot, behind which nothing is seen. */
  readonly open: (subject: ExportSubject, visibleIn: string | null) => Promise<ExportReading>
}

/** The subject's columns in their order; of the first kind the fields, of the second the join keys and features come first. */
export function exportColumns(subject: ExportSubject): readonly ExportColumn[] {
  return subject.kind === 'EVENTS'
    ? [...subject.source.fields.map(({ name, type }) => ({ name, type })), ...eventColumns]
    : [
        ...subject.view.entity.joinKeys.map(({ name, type }) => ({ name, type })),
        ...subject.view.features.map(({ name, type }) => ({ name, type })),
        ...rowColumns,
      ]
}

/** A mapped table has no positions, and no moment but the one that it declares. */
const eventColumns: readonly ExportColumn[] = [
  { name: 'event_timestamp', type: 'timestamp' },
  { name: '_counted_at', type: 'timestamp' },
  { name: '_stored_at', type: 'timestamp' },
  { name: '_topic', type: 'string' },
  { name: '_partition', type: 'int32' },
  { name: '_offset', type: 'int64' },
  { name: 'counts', type: 'bool' },
]
const rowColumns: readonly ExportColumn[] = [
  { name: 'event_timestamp', type: 'timestamp' },
  { name: 'created_timestamp', type: 'timestamp' },
  { name: 'row_id', type: 'int64' },
  { name: 'closing', type: 'bool' },
]

/** The column by whose day a row is filed. */
export const dayColumn: Readonly<Record<ExportSubject['kind'], string>> = {
  EVENTS: '_counted_at',
  ROWS: 'event_timestamp',
}

/** Whether the subject's table carries the transaction of each row, so that what arrived since a snapshot is known. */
export function knowsArrivals(subject: ExportSubject): boolean {
  return subject.kind === 'EVENTS' ? subject.source.table === null : subject.view.source === null
}
