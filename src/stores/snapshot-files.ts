import type { Micros } from '../definitions/timestamp.ts'
import type { JoinKeyType, ValueType } from '../definitions/value-type.ts'

/** The columns that files of a view's snapshots have. */
export interface SnapshotColumns {
  readonly joinKeys: readonly { readonly name: string; readonly type: JoinKeyType }[]
  readonly features: readonly { readonly name: string; readonly type: ValueType }[]
}

/** Rows by column, values as a typed file has them (`FileForm`), nothing checked. */
export interface SnapshotBatch {
  readonly rows: number
  /** The join keys, the event timestamp, the features, whether the row closes, a tolerance a feature. */
  readonly columns: readonly (readonly unknown[])[]
}

export interface OpenedSnapshots {
  /** The event timestamps of the rows, oldest first; null: some rows have none. */
  readonly times: readonly { readonly asOf: Micros | null; readonly rows: number }[]
  /**
   * The rows of some times in the order of their keys (strings and UUIDs by their bytes) and then of their times. Memory is
   * bounded, the sort goes to disk.
   * @throws BadUserInput where a file cannot be read; at the end, and so before the caller's commit, where a file is gone, new
   * or another than when they were opened.
   */
  readonly read: (times: readonly Micros[]) => AsyncIterable<SnapshotBatch>
  readonly close: () => Promise<void>
}

/** Folders of Parquet with the rows of computed snapshots. */
export interface SnapshotFiles {
  /**
   * The files at any depth below a folder whose `_SUCCESS` says that it is whole, but for names that begin with `_` or `.`. A
   * view's columns by name; `closing` and `<feature>__tolerance` may lack.
   * @throws BadUserInput with all that is wrong with the folder, its files and their columns: `_SUCCESS` or a column
   * missing, a type that cannot become the view's, types that differ between files, times that are no instants.
   */
  readonly open: (folder: string, columns: SnapshotColumns) => Promise<OpenedSnapshots>
}
