import { execFile } from 'node:child_process'
import { access, mkdir, rename } from 'node:fs/promises'
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
  const folder = await pythonPackages(name, requirements)
  if (folder === null) return null
  return async (args, cwd, { PYTHONPATH: first, ...more } = {}) => {
    const path = first === undefined ? folder : `${first}${delimiter}${folder}`
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...more, PYTHONPATH: path }
    const { stdout } = await run('python3', args, { env, cwd, maxBuffer: 256 * 1_048_576 })
    return stdout
  }
}

/** The folder that they stand in. `fromSource`: packages without wheels, which pip builds. */
export async function pythonPackages(
  name: string,
  requirements: readonly string[],
  fromSource: readonly string[] = [],
): Promise<string | null> {
  const folder = await packageFolder(name, requirements)
  if (folder === null) return null
  return folder
}
