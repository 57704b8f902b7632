import { BadUserInput } from '../../errors.ts'
import { suggest } from '../../registry/suggest.ts'
import type { OpenedFile } from '../../stores/file-reader.ts'
import type { ImportTarget } from './import-target.ts'

/** A column that no line of NDJSON seems to have may come later; without times and keys no row can be read. */
export function checkColumns(
  target: ImportTarget,
  file: string,
  { columns, columnsAreFixed }: OpenedFile,
): void {
  // An empty file has no row that lacks anything.
  if (!columnsAreFixed && columns.length === 0) return
  const needed = [
    { column: target.eventTimestamp, meaning: 'the event timestamp', always: true },
    { column: target.createdTimestamp, meaning: 'the created timestamp', always: false },
    { column: target.eventId, meaning: 'the event id', always: false },
    ...target.columns.flatMap(({ name, column, isKey, default: byDefault }) =>
      byDefault === null ? [{ column, meaning: `"${name}"`, always: isKey }] : [],
    ),
  ]
  const problems = needed.flatMap(({ column, meaning, always }) => {
    if (column === null || columns.includes(column) || !(always || columnsAreFixed)) return []
    return [
      `no column ${JSON.stringify(column)} for ${meaning}; ${suggest(
        column,
        columns.filter((name) => name !== ''),
      )}`,
    ]
  })
  if (problems.length === 0) return
  const has = columns
    .filter((column) => column !== '')
    .map((column) => JSON.stringify(column))
    .join(', ')
  throw new BadUserInput(`${file}: ${problems.join('\n')}\nthe file has ${has}`)
}
