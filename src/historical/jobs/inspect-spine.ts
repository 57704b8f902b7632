import { BadUserInput, LimitExceeded } from '../../errors.ts'
import type { FileFormat, FileStore } from '../../stores/file-reader.ts'

/** How many problems are listed before a file is refused. */
const shownProblems = 5

/**
 * What a file holds, after every row of it has been read as one of its format.
 * @throws BadUserInput for a file that is not of its format, or breaks off; LimitExceeded for one of more rows.
 */
export async function inspectSpine(
  files: Pick<FileStore, 'open'>,
  { path, format, maxRows }: { readonly path: string; readonly format: FileFormat; readonly maxRows: number },
): Promise<{ readonly rows: number; readonly columns: readonly string[] }> {
  try {
    const opened = await files.open(path, format)
    try {
      const { columns } = opened
      if (new Set(columns).size < columns.length)
        throw new BadUserInput(`${path}: two columns have one name: ${columns.join(', ')}`)
      const problems: string[] = []
      let rows = 0
      // Rows are counted by a column that no file has, so that typed files need not read any.
      for await (const batch of opened.read([{ column: columns.join(' '), type: null }])) {
        rows += batch.rowNumbers.length
        if (rows > maxRows)
          throw new LimitExceeded(
            `expected a spine of at most ${maxRows} rows (FEATUREGRAPH_SPINE_MAX_ROWS), more came; send it in several`,
          )
        for (const [index, { reason }] of batch.malformed)
          problems.push(`row ${batch.rowNumbers[index]}: ${reason}`)
        if (problems.length >= shownProblems) break
      }
      if (problems.length > 0)
        throw new BadUserInput(
          ['the spine cannot be read:', ...problems.slice(0, shownProblems)].join('\n  '),
        )
      return { rows, columns }
    } finally {
      await opened.close()
    }
  } catch (error) {
    throw withoutPath(error, path, 'the spine')
  }
}

/** A caller knows no path of the gateway: what stands there is called by its name. */
export function withoutPath(error: unknown, path: string, name: string): unknown {
  if (!(error instanceof BadUserInput) || path === '' || !error.message.includes(path)) return error
  return new BadUserInput(error.message.replaceAll(path, name), { cause: error })
}
