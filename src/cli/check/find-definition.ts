import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

/** Where a problem's path points, as `schema/plants.ts:12`; null where that cannot be said. */
export type FindDefinition = (problemPath: string) => string | null

/** The functions by which a definition of a kind is written. */
const writers: Readonly<Record<string, string>> = {
  entity: 'entity',
  'event source': 'eventSource',
  'feature view': 'featureView|windowedView|onDemandView',
  'feature service': 'featureService',
}

const kindAndName = /^(entity|event source|feature view|feature service) ([^\s.[(]+)/

/**
 * Finds definitions by their text: where the function of their kind is called with their name, and from there on the last
 * name of the path. Definitions that are written another way, as in a loop, have no line of their own.
 */
export async function definitionFinder(folder: string): Promise<FindDefinition> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const files = await Promise.all(
    names
      .filter((name) => /\.m?[jt]s$/.test(name))
      .sort()
      .map(async (name) => {
        const file = path.join(folder, name)
        return { file: path.relative(process.cwd(), path.resolve(file)), text: await readFile(file, 'utf8') }
      }),
  )
  return (problemPath) => {
    const [found, kind = '', name = ''] = kindAndName.exec(problemPath) ?? []
    if (found === undefined) return null
    const call = new RegExp(`\\b(?:${writers[kind]})\\(\\s*['"\`]${name}['"\`]`)
    for (const { file, text } of files) {
      const start = text.search(call)
      if (start === -1) continue
      const at = within(text, start, partsOf(problemPath.slice(found.length)))
      return `${file}:${text.slice(0, at).split('\n').length}`
    }
    return null
  }
}

/** `.features.litres_7d (schema/plants.ts: x)` → the names in it. */
function partsOf(rest: string): readonly string[] {
  const [own = ''] = rest.split(' (')
  return own.split(/[.[\]]+/).filter((part) => /^[A-Za-z_]\w*$/.test(part))
}

/** Behind each other: `features`, then `litres_7d`; the last that is there, before the next definition. */
function within(text: string, start: number, parts: readonly string[]): number {
  const next = /\n(?:export|const|let|function)\b/g
  next.lastIndex = start
  const end = next.exec(text)?.index ?? text.length
  let at = start
  for (const part of parts) {
    const found = text.slice(at, end).search(new RegExp(`(?<![\\w.])['"]?${part}\\b`))
    if (found !== -1) at += found
  }
  return at
}
