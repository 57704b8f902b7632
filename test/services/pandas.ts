import { execFile } from 'node:child_process'
import { access, mkdir, rename } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const folder = fileURLToPath(new URL('../../.cache/pandas', import.meta.url))

/** Runs a Python script that may import pandas, and returns what it printed. */
export type RunPython = (script: string, ...args: readonly string[]) => Promise<string>

/** Null where there is no Python 3.10 or later; pandas comes from PyPI into `.cache/`, once. */
export async function pandas(): Promise<RunPython | null> {
  const python = await run('python3', [
    '-c',
    'import sys; assert sys.version_info >= (3, 10); import pip',
  ]).then(
    () => 'python3',
    () => null,
  )
  if (python === null) return null
  const isThere = await access(folder).then(
    () => true,
    () => false,
  )
  if (!isThere) {
    // Under another name until it is whole.
    const making = `${folder}-${process.pid}`
    await mkdir(making, { recursive: true })
    const options = ['--quiet', '--disable-pip-version-check', '--only-binary', ':all:', '--target', making]
    await run(python, ['-m', 'pip', 'install', ...options, 'pandas>=2,<4'])
    await rename(making, folder)
  }
  return async (script, ...args) => {
    const env = { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' }
    const { stdout } = await run(python, [script, ...args], { env, maxBuffer: 256 * 1_048_576 })
    return stdout
  }
}
