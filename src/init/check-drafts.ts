import { InvalidDefinitions } from '../errors.ts'
import { buildRegistry } from '../registry/build-registry.ts'
import { type Drafts, draftDefinitions } from './draft-definitions.ts'
import type { FoundTable, LeftOut } from './found-table.ts'

const partOfDefinition = /^(feature view|event source) ([a-z0-9_]+)\.(?:features|fields)\.([a-z0-9_]+)/

/**
 * Drafts that the registry takes: what it refuses is left out, part by part, and drafted again without; a table whose
 * definitions are refused as a whole is left out with the reason.
 */
export function checkedDrafts(tables: readonly FoundTable[]): Drafts {
  const refused = new Map<string, string>()
  const leftOut: LeftOut[] = []
  let left = tables
  for (;;) {
    const drafts = draftDefinitions(left, refused)
    const problems = problemsOf(drafts)
    if (problems.length === 0) return { ...drafts, leftOut: [...drafts.leftOut, ...leftOut] }
    const before = refused.size
    for (const { path, message } of problems) {
      const [, kind, name, part] = partOfDefinition.exec(path) ?? []
      if (part !== undefined) refused.set(`${kind} ${name}.${part}`, message)
    }
    if (refused.size > before) continue
    // What cannot be mended by leaving out a column: without the last table, until the rest fits.
    const [{ path = '', message = '' } = {}] = problems
    const last = left.at(-1)
    if (!last) return drafts
    leftOut.push({ what: last.name, reason: `${path}: ${message}` })
    left = left.slice(0, -1)
  }
}

function problemsOf({ definitions }: Drafts): InvalidDefinitions['problems'] {
  if (definitions.length === 0) return []
  try {
    buildRegistry(definitions.map(({ constant, definition }) => ({ path: constant, value: definition })))
    return []
  } catch (error) {
    if (error instanceof InvalidDefinitions) return error.problems
    throw error
  }
}
