import type { OfflineView } from './offline-view.ts'
import type { StoredEventSource } from './stored-event-source.ts'

interface AnyStep {
  /** As `column "features"."trips"."city"`; equal for equal steps. */
  readonly what: string
}

/** Done in one short transaction, which gives up a table's lock after two seconds and tries again. */
interface ShortStep extends AnyStep {
  readonly kind: 'SCHEMA' | 'TABLE' | 'COLUMNS' | 'DROP_TABLE' | 'DROP_COLUMNS'
  /** Whose lock it waits for; quoted. Null: none. */
  readonly table: string | null
  readonly statements: readonly string[]
}

/** Of a table that may hold rows: built while they are read and written. */
interface IndexStep extends AnyStep {
  readonly kind: 'INDEX'
  readonly table: string
  /** Quoted, without the schema, which is the table's. */
  readonly name: string
  /** What follows the table in `create index`. */
  readonly definition: string
}

/** Of an index that another one stands for: dropped while the table is read and written. */
interface DropIndexStep extends AnyStep {
  readonly kind: 'DROP_INDEX'
  readonly table: string
  readonly name: string
}

/** One change of the tables, which can be made again. */
export type TableStep = ShortStep | IndexStep | DropIndexStep

/** What is stored of something that is retired. */
export interface RetiredPart {
  /** As `table "features"."trips"`. */
  readonly what: string
  /** As `removed feature view "trips"`. */
  readonly owner: string
  /** Rows of a table, values of a column that are not null. */
  readonly count: number
  readonly counted: 'rows' | 'values'
  /** That end it, in order. */
  readonly steps: readonly TableStep[]
}

/** Columns of removed features of a view that is still defined. */
export interface RetiredColumns {
  readonly view: OfflineView
  readonly columns: readonly string[]
}

/** Changes of the managed tables, one at a time. Rejects with `StoreFailed`. */
export interface TableChanges {
  /**
   * What definitions need and the tables lack, in the order in which it is to be made. Checks everything else as
   * `OfflineStore.ensureTables` does. @throws TablesDiffer naming every difference.
   */
  readonly missing: (
    views: readonly OfflineView[],
    sources: readonly StoredEventSource[],
  ) => Promise<readonly TableStep[]>
  /**
   * Makes one, waiting for a table's lock for two seconds at most, and again after a pause; `report` is called with whom it
   * waits for. A step that is made already changes nothing.
   * @throws ApplyRefused naming the processes that hold the table; StoreUnsuitable when the role lacks a right.
   */
  readonly make: (step: TableStep, report: (line: string) => void) => Promise<void>
  /** What is there of removed views, by their ids, and of removed features. Counts rows: it reads whole tables. */
  readonly retired: (
    viewIds: readonly string[],
    columns: readonly RetiredColumns[],
  ) => Promise<readonly RetiredPart[]>
  /** Ends all that is recorded of removed views: snapshots, watermarks, layouts; their online rows are left to be removed. */
  readonly forget: (viewIds: readonly string[]) => Promise<void>
}
