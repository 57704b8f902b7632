import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'

/** `from './x.ts'`, `import './x.ts'`, `import('./x.ts')`, `require('./x')`; in a comment too, which does no harm. */
const relativeImport = /\b(?:from|import|require)\s*\(?\s*(['"])(\.{1,2}\/[^'"\n]+)\1/g

/**
 * Of a module's text and of all that it imports by a relative path, in the order of a walk: the same wherever the files stand,
 * another as soon as one character of them is. Imports of packages are no part of it; line ends are as on Unix.
 */
export async function moduleDigest(file: string): Promise<string> {
  return (await readModule(file)).digest
}

export interface ReadModule {
  readonly digest: string
  /** Absolute, the module itself first. */
  readonly files: readonly string[]
}

/** As `moduleDigest`, with the files that it is of. */
export async function readModule(file: string): Promise<ReadModule> {
  const hash = createHash('sha256')
  const places = new Map<string, number>()

  async function add(one: string): Promise<void> {
    const known = places.get(one)
    if (known !== undefined) {
      hash.update(`again ${known}\n`)
      return
    }
    const text = await textOf(one)
    if (text === null) return
    places.set(one, places.size)
    hash.update(`file ${Buffer.byteLength(text)}\n${text}`)
    for (const [, , imported = ''] of text.matchAll(relativeImport)) {
      hash.update(`import ${imported}\n`)
      for (const candidate of candidates(path.resolve(path.dirname(one), imported))) await add(candidate)
    }
  }

  await add(path.resolve(file))
  return { digest: hash.digest('hex'), files: [...places.keys()] }
}

async function textOf(file: string): Promise<string | null> {
  try {
    const text = await readFile(file, 'utf8')
    return text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
  } catch {
    return null
  }
}

const compiledFrom: Readonly<Record<string, string>> = { '.js': '.ts', '.mjs': '.mts', '.cjs': '.cts' }
const extensions = ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json']

/** What an import may mean to Node or tsx; those that are there are taken in, all of them. */
function candidates(target: string): readonly string[] {
  const extension = path.extname(target)
  const source = compiledFrom[extension]
  return [
    target,
    ...(source === undefined ? [] : [target.slice(0, -extension.length) + source]),
    ...extensions.map((one) => target + one),
    ...extensions.map((one) => path.join(target, `index${one}`)),
  ]
}
