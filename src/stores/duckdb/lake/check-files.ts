import { BadUserInput, messageOf, type Problem } from '../../../errors.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
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
): Promise<readonly Problem[]> {
  const problems: Problem[] = []
  for (const view of views) {
    const place = `feature view ${view.name}, source ${view.source.name}`
    const found = await problemsOf(reader, view)
    problems.push(...found.map(({ path, message }) => ({ path: `${place}, ${path}`, message })))
  }
  return problems
}

async function problemsOf(
  { instanceFor, columns }: LakeReader,
  view: ParquetOfflineView,
): Promise<readonly Problem[]> {
  const { path } = view.source
  try {
    const instance = await instanceFor(view)
    const connection = await instance.connect()
    try {
      const fileset = await openFileset(connection, columns, view)
      return columnProblems(view, await fileset.groups(filesChecked))
    } finally {
      connection.disconnectSync()
    }
  } catch (error) {
    if (error instanceof UnfitFiles) return error.problems
    const reason = error instanceof BadUserInput ? messageOf(error) : firstLineOf(error)
    return [{ path, message: `its files cannot be read: ${reason}` }]
  }
}
