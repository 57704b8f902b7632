import { access, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { BadUserInput, errorCode, messageOf } from '../../errors.ts'

/** Written last, as Hadoop does it. */
export const successFile = '_SUCCESS'

/** A path of this machine, not of an object store or a cluster's file system. */
export function isLocal(folder: string): boolean {
  return !/^[A-Za-z][A-Za-z0-9+.-]+:\//.test(folder)
}

/** Beside the output while it is written: what stands there without `_SUCCESS` is a run's then, and nobody else's. */
function markOf(output: string): string {
  return `${output.replace(/\/+$/, '')}.unfinished`
}

/**
 * Makes a local output ready to be written: what an earlier run left that was ended is removed, and it is marked as being
 * written. `run-spark.py` does the same on the file systems of Spark.
 * @throws BadUserInput when a finished run stands there, or what no run left; then nothing is touched.
 */
export async function beginOutput(output: string): Promise<void> {
  await checkOutput(output)
  await rm(output, { recursive: true, force: true })
  await mkdir(path.dirname(path.resolve(output)), { recursive: true })
  await writeFile(markOf(output), '')
}

/** Only the check of it. */
export async function checkOutput(output: string): Promise<void> {
  const entries = await readdir(output).catch((error: unknown): string[] => {
    if (errorCode(error) === 'ENOENT') return []
    throw new BadUserInput(`${output} cannot be written: ${messageOf(error)}`)
  })
  if (entries.length === 0) return
  if (entries.includes(successFile))
    throw new BadUserInput(`${output} holds the rows of a finished run; name another folder, or remove it`)
  if (!(await isThere(markOf(output))))
    throw new BadUserInput(
      `${output} holds files that no run left; expected a folder that is empty or not there yet`,
    )
}

export async function finishOutput(output: string): Promise<void> {
  await writeFile(path.join(output, successFile), '')
  await rm(markOf(output), { force: true })
}

export async function hasSucceeded(output: string): Promise<boolean> {
  return await isThere(path.join(output, successFile))
}

async function isThere(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  )
}
