import type { DuckDBConnection } from '@duckdb/node-api'
import type { Problem } from '../../../errors.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import { quoteText } from '../sql-text.ts'
import { filesOf } from './exported-files.ts'
import type { FileColumns, FileColumnsReader } from './file-columns.ts'
import { fileTimes, overlaps, type TimeRange } from './file-times.ts'
import type { LakeFile } from './lake-files.ts'
import { UnfitFiles } from './unfit-files.ts'
import { type FileGroup, groupFiles, viewRowsSql } from './view-rows.ts'

/** What one listing found of a view's files: all that a statement reads of them is of this. */
export interface Fileset {
  /** None of a Delta table, whose own log says what is read. */
  readonly files: readonly LakeFile[]
  /** The rows of some of the files, as `viewRowsSql` says. */
  readonly rowsSql: (which: (file: LakeFile) => boolean) => Promise<string>
  /** The files that may have rows of these event timestamps. */
  readonly within: (range: TimeRange) => (file: LakeFile) => boolean
  /** Of some files at most: the first and the last by their names. */
  readonly groups: (most: number) => Promise<readonly FileGroup[]>
}

/** One listing; the columns of new files are read when rows are asked for. @throws UnfitFiles */
export async function openFileset(
  connection: DuckDBConnection,
  columns: FileColumnsReader,
  view: ParquetOfflineView,
): Promise<Fileset> {
  const { source } = view
  if (source.format === 'delta') return await openDelta(connection, view)
  const files = await filesOf(connection, source.path)
  const times = new Map<LakeFile, TimeRange>()
  const problems: Problem[] = []
  for (const file of files) {
    const found = fileTimes(source.partitions, file.path)
    if ('message' in found) problems.push(found)
    else times.set(file, found)
  }
  if (problems.length > 0) throw new UnfitFiles(problems)
  const groupsOf = async (some: readonly LakeFile[]) =>
    groupFiles(some, await columns.columnsOf(connection, some))
  return {
    files,
    rowsSql: async (which) => viewRowsSql(view, await groupsOf(files.filter(which))),
    within: (range) => (file) => overlaps(times.get(file) ?? range, range),
    groups: (most) =>
      groupsOf(files.filter((_, index) => index < most / 2 || index >= files.length - most / 2)),
  }
}

/** One version of the table, which is read whole: DuckDB passes over the files that the log rules out. */
async function openDelta(connection: DuckDBConnection, view: ParquetOfflineView): Promise<Fileset> {
  const groups = await deltaGroups(connection, view)
  // It is taken whole or not at all, as one file would be.
  const table: LakeFile = { path: view.source.path, size: 0, modified: '' }
  return {
    files: [],
    rowsSql: async (which) => viewRowsSql(view, which(table) ? groups : []),
    within: () => () => true,
    groups: async () => groups,
  }
}

/** What a Delta table's rows are read from: of the version, or of the newest one. */
export async function deltaGroups(
  connection: DuckDBConnection,
  { source: { path } }: ParquetOfflineView,
  version?: number | undefined,
): Promise<readonly FileGroup[]> {
  const from = `delta_scan(${quoteText(path)}${version === undefined ? '' : `, version => ${version}`})`
  const reader = await connection.runAndReadAll(`describe select * from ${from}`)
  const columns: FileColumns = {
    types: new Map(reader.getRows().map(([name, type]) => [String(name), String(type)])),
    int96: new Set(),
  }
  return [{ from, path, columns }]
}
