import type { EntityKey } from '../definitions/value.ts'
import type { Problem } from '../errors.ts'
import type { AsOfReader } from './as-of-reader.ts'
import type { EntityToDelete } from './deletion-store.ts'
import type { ExampleKeys } from './example-keys.ts'
import type { NewestRows } from './newest-rows.ts'
import type { ParquetOfflineView } from './offline-view.ts'
import type { StoredRows } from './stored-rows.ts'
import type { TableEstimate } from './table-estimate.ts'

export interface FileProblem extends Problem {
  /** False: the files are not there or cannot be read, which may end by itself. */
  readonly isLasting: boolean
}

/**
 * The rows of views that stand in Parquet files, by the same promises as those of the offline store: every method is of such views
 * alone. A view's files are listed once for each reading, so that files which are replaced meanwhile are seen all or none; rows of
 * deleted entities are left out, but by `newestRows`, whose caller asks for them. Files are scanned: a key costs what its columns in
 * the files cost that may hold its time.
 */
export interface ParquetRows extends Pick<AsOfReader, 'asOfJoin'>, StoredRows, NewestRows, ExampleKeys {
  /**
   * What of the files differs from the definitions, or that there are none: each problem names the view, the file and both sides. The
   * footers of the first and the last files by name are read, of at most 200; each reading checks the files that it reads.
   */
  readonly checkViews: (views: readonly ParquetOfflineView[]) => Promise<readonly FileProblem[]>
  /** By the files' footers; the keys by a sketch of one column a key. */
  readonly estimate: (view: ParquetOfflineView) => Promise<TableEstimate>
  /** The different keys of the view's rows that are of the entity. A scan. */
  readonly keysOf: (
    view: ParquetOfflineView,
    deletion: Pick<EntityToDelete, 'entity' | 'key'>,
  ) => Promise<readonly EntityKey[]>
  readonly close: () => Promise<void>
}
