import type { ParquetSource } from '../definitions/parquet-source.ts'
import type { NotKnown } from './file-join.ts'
import type { OfflineView } from './offline-view.ts'
import type { ReadFiles } from './read-files.ts'

export interface ViewInFiles {
  readonly files: ReadFiles
  /** Of feature rows how the files are read; null of a streaming view's events. */
  readonly source: ParquetSource | null
  readonly notKnown: NotKnown
}

interface ViewFilesRequest {
  /** A snapshot of the database (`AsOfSnapshot.visible`) that rows are exported as of. */
  readonly visible: string
  /** Those of an earlier training set, which have to be the same; others are listed. */
  readonly files: readonly ReadFiles[]
  readonly signal: AbortSignal
}

/** Views as Parquet files: their own, or what is exported of Postgres, where it is exported first. */
export interface ViewFiles<View extends OfflineView = OfflineView> {
  /** Why the view cannot be read from files; null: it can. Nothing is exported for it. */
  readonly unfitFor: (view: View) => Promise<string | null>
  /** Whether its files would have to be exported first, and how many rows are not there yet, as it is estimated. */
  readonly toExport: (view: View, rows: number) => Promise<number>
  /** Its files as they are now: what would be exported first is not among them. @throws as `filesOf`. */
  readonly filesThere: (view: View) => Promise<ViewInFiles>
  /** @throws FilesChanged; BadUserInput for files that cannot be read; StoreFailed. */
  readonly filesOf: (view: View, request: ViewFilesRequest) => Promise<ViewInFiles>
}
