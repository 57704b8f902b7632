import { execFile } from 'node:child_process'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

interface SourceDigests {
  readonly sourceDigest: () => string
  readonly builtDigest: () => string | null
}

const run = promisify(execFile)
const repository = fileURLToPath(new URL('../..', import.meta.url))
const dist = join(repository, 'dist')
const digests = new URL('../../src/source-digest.js', import.meta.url)

/**
 * Compiles the sources into `dist/`, unless it was built from this very tree: a command that a test starts then runs
 * from there, in a fraction of the time that tsx takes. Types are checked elsewhere, and the GraphiQL page is left as
 * it is.
 *
 * Other runs may do the same at once, or run commands from there: files come into place one by one and whole, and the
 * stamp by which `src/featuregraph.js` knows the build is away from before the first to after the last. A tree that
 * was changed meanwhile gets no stamp, and its commands run by tsx.
 */
export async function buildCommands(): Promise<void> {
  const { sourceDigest, builtDigest }: SourceDigests = await import(digests.href)
  const source = sourceDigest()
  if (source === builtDigest()) return
  const making = join(repository, '.cache', `dist-${process.pid}`)
  try {
    const compiler = join(repository, 'node_modules/typescript/bin/tsc')
    // Neither types nor other packages' declarations are of use here, and they take half of the time.
    const syntaxOnly = ['--noCheck', '--noResolve', '--declaration', 'false']
    await run(process.execPath, [compiler, '-p', 'src/tsconfig.json', ...syntaxOnly, '--outDir', making], {
      cwd: repository,
    })
    if (sourceDigest() !== source) return
    await rm(join(dist, 'source-digest'), { force: true })
    for (const entry of await readdir(making, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const from = join(entry.parentPath, entry.name)
      const to = join(dist, from.slice(making.length))
      await mkdir(dirname(to), { recursive: true })
      await rename(from, to)
    }
    if (sourceDigest() === source) await run(process.execPath, [fileURLToPath(digests)])
  } finally {
    await rm(making, { recursive: true, force: true })
  }
}
