import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const sources = fileURLToPath(new URL('.', import.meta.url))
const stamp = fileURLToPath(new URL('../dist/source-digest', import.meta.url))

/** One digest over the names and contents of all sources. */
export function sourceDigest() {
  const hash = createHash('sha256')
  const files = readdirSync(sources, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  for (const path of files.map((file) => join(file.parentPath ?? file.path, file.name)).sort()) {
    hash.update(path.slice(sources.length)).update('\0').update(readFileSync(path)).update('\0')
  }
  return hash.digest('hex')
}

/** The digest of the sources that the build was made from; null without one. */
export function builtDigest() {
  try {
    return readFileSync(stamp, 'utf8')
  } catch {
    return null
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const digest = sourceDigest()
  writeFileSync(stamp, digest)
  // Of a build with types and the GraphiQL page too, which can be packed.
  const [, , whole] = process.argv
  if (whole !== undefined) writeFileSync(new URL(`../dist/${whole}`, import.meta.url), digest)
}
