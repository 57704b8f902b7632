import type { Micros } from '../definitions/timestamp.ts'
import type { Value } from '../definitions/value.ts'
import type { ExportFolder } from './export-files.ts'
import type { BatchOfflineView } from './offline-view.ts'

/** What the rows of a folder say together. */
export interface HeldSummary {
  /** Event timestamps that have rows, oldest first. */
  readonly times: readonly Micros[]
  /** Null: of no row it is known. */
  readonly newestCreated: Micros | null
  readonly greatestRowId: number | null
}

interface HeldRows {
  /** In the order of their keys (strings and UUIDs by their bytes), of a key newest first, as `keyTimelines` takes stored rows. */
  readonly rows: AsyncIterable<readonly (readonly (Value | null)[])[]>
  /** Whether the folder has the files of which these rows are, and no others. */
  readonly isUnchanged: () => Promise<boolean>
  readonly close: () => void
}

/**
 * Rows of batch snapshots in a folder of Parquet, with the columns of exported feature rows. Of a key and time several may stand
 * there, of which the one that was created last is what the snapshot says.
 */
export interface HeldSnapshots {
  /**
   * A scan of three columns.
   * @throws BadUserInput with all that is wrong with the folder: its files, their columns and types.
   */
  readonly summary: (folder: ExportFolder, view: BatchOfflineView) => Promise<HeldSummary>
  /**
   * Of every key its rows from the first to the last of some times, and the newest one before. All rows up to the last time are
   * read once and sorted; what does not fit into memory goes to disk. @throws StoreFailed
   */
  readonly open: (folder: ExportFolder, view: BatchOfflineView, times: readonly Micros[]) => Promise<HeldRows>
  readonly close: () => Promise<void>
}
