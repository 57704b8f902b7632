import { BadUserInput, messageOf } from '../../../errors.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import type { FileProblem } from '../../parquet-rows.ts'
import { firstLineOf } from '../duckdb-files.ts'
import { openFileset } from './fileset.ts'
import type { LakeReader } from './read-files.ts'
import { UnfitFiles } from './unfit-files.ts'
import { columnProblems } from './view-rows.ts'

/** Of a view: an object store takes a round trip for each. What is read later is checked when it is. */
const filesChecked = 200

/** See `ParquetRows.checkViews`. */
export async function checkFiles(
  reader: LakeReader,
  views: readonly ParquetOfflineView[],
): Promise<readonly FileProblem[]> {
  const problems: FileProblem[] = []
  for (const view of views) {
    const place = `feature view ${view.name}, source ${view.source.name}`
    const found = await fileProblems(reader, view)
    problems.push(...found.map((one) => ({ ...one, path: `${place}, ${one.path}` })))
  }
  return problems
}

/** Of one view, by file. */
export async function fileProblems(
  { instanceFor, columns }: LakeReader,
  view: ParquetOfflineView,
): Promise<readonly FileProblem[]> {
  const { path } = view.source
  try {
    const instance = await instanceFor(view)
    const connection = await instance.connect()
    try {
      const fileset = await openFileset(connection, columns, view)
      const problems = columnProblems(view, await fileset.groups(filesChecked))
      return problems.map((problem) => ({ ...problem, isLasting: true }))
    } finally {
      connection.disconnectSync()
    }
  } catch (error) {
    if (error instanceof UnfitFiles)
      return error.problems.map((problem) => ({ ...problem, isLasting: error.isLasting }))
    const reason = error instanceof BadUserInput ? messageOf(error) : firstLineOf(error)
    return [{ path, message: `its files cannot be read: ${reason}`, isLasting: false }]
  }
}
