import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build, type Plugin } from 'esbuild'

interface SourceDigests {
  readonly sourceDigest: () => string
  readonly builtDigest: () => string | null
}

const run = promisify(execFile)
const repository = fileURLToPath(new URL('../..', import.meta.url))
const dist = join(repository, 'dist')
/** As `src/tsconfig.json` has them. */
const sources = {
  include: /\.ts$/,
  exclude: /\.d\.ts$|^server\/graphiql\/restore-tabs\.ts$|^init\/project\//,
}
const digests = new URL('../../src/source-digest.js', import.meta.url)

/** What the compiler's `rewriteRelativeImportExtensions` changes. */
const relativeImport = /(^(?:import|export)\b[^'=\n]*|^\} from |\bimport\()'(\.{1,2}\/[^'\n]+)\.ts'/gm

const importsOfJavaScript: Plugin = {
  name: 'imports-of-javascript',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace(relativeImport, "$1'$2.js'"),
      loader: 'ts',
    }))
  },
}

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
    await compileSources(making)
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

/**
 * File by file, by esbuild: the sources' TypeScript can be erased, and the compiler of the true build, which `init`'s test
 * packs and installs, takes seven seconds of CPU while no file runs yet.
 */
async function compileSources(outdir: string): Promise<void> {
  const { include, exclude } = sources
  const names = await readdir(join(repository, 'src'), { recursive: true })
  const entryPoints = names
    .filter((name) => include.test(name) && !exclude.test(name))
    .map((name) => join(repository, 'src', name))
  await build({
    ...{ entryPoints, outdir, outbase: join(repository, 'src'), plugins: [importsOfJavaScript] },
    ...{ format: 'esm', platform: 'node', target: 'es2023', logLevel: 'silent' },
  })
}
