import type { InvalidDefinitions } from '../errors.ts'
import { definitionFinder } from './check/find-definition.ts'

/** A line for each problem of the definitions in a folder, with file and line where these can be found. */
export async function definitionProblems(
  folder: string,
  { problems }: InvalidDefinitions,
): Promise<readonly string[]> {
  const find = await definitionFinder(folder)
  return problems.map(({ path, message }) => {
    const place = find(path)
    // The place says the file already.
    return place === null
      ? `${path}: ${message}`
      : `${place}: ${path.replace(/ \([^()]*\)$/, '')}: ${message}`
  })
}

const shownProblems = 100
const shownCharacters = 500

/** The problems as text that a terminal can hold, however many they are, and how many there are. */
export function problemsText(problems: readonly string[], folder: string): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  const lines = problems
    .slice(0, shownProblems)
    .map((line) => (line.length > shownCharacters ? `${line.slice(0, shownCharacters)}…` : line))
  const rest = problems.length - lines.length
  return [
    ...lines,
    ...(rest > 0 ? [`… and ${rest} more, which --json lists`] : []),
    '',
    `${count} in the definitions of ${folder}\n`,
  ].join('\n')
}
