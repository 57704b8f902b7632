import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { BadUserInput, messageOf } from '../../errors.ts'

/** Of the package that this very file is of: a clone, or an installed one. */
export const packageRoot = new URL('../../../', import.meta.url)

const run = promisify(execFile)

/**
 * The running program as a tarball `featuregraph-<version>.tgz` in a folder. A clone is built first, unless its `dist/` was
 * built as a whole from these sources; an installed package is packed as it is.
 * @throws BadUserInput with what npm said, where it fails.
 */
export async function packProgram(folder: string, report: (line: string) => void): Promise<void> {
  const root = fileURLToPath(packageRoot)
  const mustBuild = isClone() && !(await isBuiltAsAWhole())
  if (mustBuild) {
    if (!existsSync(path.join(root, 'node_modules/typescript')))
      throw new BadUserInput(`${root} cannot be built: it lacks its packages; run npm ci there`)
    report(`building featuregraph in ${root}; this takes up to a minute, and only once`)
  }
  await mkdir(folder, { recursive: true })
  const pack = ['pack', root, '--pack-destination', folder, ...(mustBuild ? [] : ['--ignore-scripts'])]
  try {
    await runNpm(pack, root)
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
    throw new BadUserInput(`npm could not pack ${root}: ${said === '' ? messageOf(error) : said}`, {
      cause: error,
    })
  }
}

function isClone(): boolean {
  return existsSync(new URL('src/cli.ts', packageRoot))
}

interface SourceDigests {
  readonly sourceDigest: () => string
}

/** With types and the GraphiQL page, which the build of the commands alone has not. */
async function isBuiltAsAWhole(): Promise<boolean> {
  const stamp = new URL('dist/whole-build', packageRoot)
  if (!existsSync(stamp)) return false
  const { sourceDigest }: SourceDigests = await import(new URL('src/source-digest.js', packageRoot).href)
  return readFileSync(stamp, 'utf8') === sourceDigest()
}

/** The npm that runs this process, if one does, else the one on the PATH. */
async function runNpm(args: readonly string[], cwd: string): Promise<void> {
  const running = process.env['npm_execpath']
  const [command, first] =
    running !== undefined && /\bnpm-cli\.c?js$/.test(running) ? [process.execPath, [running]] : ['npm', []]
  await run(command, [...first, ...args], { cwd, maxBuffer: 64 * 1_048_576 })
}
