import { execFile } from 'node:child_process'
import { access, mkdir, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const cache = fileURLToPath(new URL('../../.cache', import.meta.url))

/** The line for a machine where `pythonWith` finds nothing. */
export const installPython = 'apt-get install -y --no-install-recommends python3 python3-pip'

/** Runs Python, with the packages at hand, and returns what it printed; `PYTHONPATH` among `more` comes before theirs. */
export type Python = (
  args: readonly string[],
  cwd?: string,
  more?: Readonly<Record<string, string>>,
) => Promise<string>

/** Null where there is no Python 3.10 or later; the packages come from PyPI into `.cache/<name>`, once. */
export async function pythonWith(name: string, requirements: readonly string[]): Promise<Python | null> {
  const folder = await packageFolder(name, requirements)
  if (folder === null) return null
  return async (args, cwd, { PYTHONPATH: first, ...more } = {}) => {
    const path = first === undefined ? folder : `${first}${delimiter}${folder}`
    // What is compiled on import is kept beside the packages, and out of the folders that are tested.
    const bytecode = { PYTHONDONTWRITEBYTECODE: '', PYTHONPYCACHEPREFIX: `${folder}-bytecode` }
    const env = { ...process.env, ...bytecode, ...more, PYTHONPATH: path }
    const { stdout } = await run('python3', args, { env, cwd, maxBuffer: 256 * 1_048_576 })
    return stdout
  }
}

/** Where the packages stand, as `pythonWith`. `fromSource`: those that have no wheels, which pip builds. */
export async function packageFolder(
  name: string,
  requirements: readonly string[],
  fromSource: readonly string[] = [],
): Promise<string | null> {
  const isSuitable = await run('python3', [
    '-c',
    'import sys; assert sys.version_info >= (3, 10); import pip',
  ]).then(
    () => true,
    () => false,
  )
  if (!isSuitable) return null
  const folder = join(cache, name)
  const isThere = await access(folder).then(
    () => true,
    () => false,
  )
  if (!isThere) {
    // Under another name until it is whole.
    const making = `${folder}-${process.pid}`
    await mkdir(making, { recursive: true })
    // Not compiled: of what stands in these packages most is never imported, and compiling all of it is most of the work.
    const options = [
      ...['--quiet', '--disable-pip-version-check', '--no-compile', '--only-binary', ':all:'],
      ...['--target', making],
      ...fromSource.flatMap((one) => ['--no-binary', one]),
    ]
    await run('python3', ['-m', 'pip', 'install', ...options, ...requirements])
    await rename(making, folder).catch(async (error: unknown) => {
      // The file beside has fetched the same meanwhile.
      await rm(making, { recursive: true, force: true })
      await access(folder).catch(() => Promise.reject(error))
    })
  }
  return folder
}
