import { execFile } from 'node:child_process'
import { access, mkdir, rename } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const cache = fileURLToPath(new URL('../../.cache', import.meta.url))

/**
 * The folder under `.cache/` that holds packages from PyPI, installed there once. `alone`: without what they need.
 * Rejects where there is no Python or PyPI cannot be reached.
 */
export async function pythonPackages(
  name: string,
  requirements: readonly string[],
  { alone }: { readonly alone: boolean },
): Promise<string> {
  const folder = path.join(cache, name)
  const isThere = await access(folder).then(
    () => true,
    () => false,
  )
  if (isThere) return folder
  // Under another name until it is whole.
  const making = `${folder}-${process.pid}`
  await mkdir(making, { recursive: true })
  const options = ['--quiet', '--disable-pip-version-check', '--only-binary', ':all:', '--target', making]
  await run('python3', ['-m', 'pip', 'install', ...options, ...(alone ? ['--no-deps'] : []), ...requirements])
  await rename(making, folder)
  return folder
}

/** What a script of this folder prints, with the packages of a folder to import. */
export async function runPython(
  packages: string,
  script: string,
  ...args: readonly string[]
): Promise<string> {
  const env = { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' }
  const { stdout } = await run('python3', [scriptPath(script), ...args], { env, maxBuffer: 67_108_864 })
  return stdout
}

export const scriptPath = (script: string): string => fileURLToPath(new URL(script, import.meta.url))
