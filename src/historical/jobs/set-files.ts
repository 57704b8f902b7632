import { readdir, rm, stat } from 'node:fs/promises'
import { ifMissing } from '../../errors.ts'
import type { BegunJob, MadePart } from '../../stores/training-job-queue.ts'
import { cardFile, type FilesFolder } from './files-folder.ts'

/** Those whose files are there: a folder that was lost costs their making again. */
export async function partsFound(
  folder: FilesFolder,
  { set, parts }: BegunJob,
): Promise<readonly MadePart[]> {
  const sizes = await Promise.all(
    parts.map(({ file }) => stat(folder.inSet(set.id, file)).then(({ size }) => size, ifMissing(null))),
  )
  return parts.filter(({ bytes }, index) => sizes[index] === bytes)
}

/** Removes what attempts that were killed have left. */
export async function keepOnly(
  folder: FilesFolder,
  id: string,
  parts: readonly Pick<MadePart, 'file'>[],
): Promise<void> {
  const kept = new Set([cardFile, ...parts.map(({ file }) => file)])
  const found = await readdir(folder.set(id)).catch(ifMissing<string[]>([]))
  for (const name of found)
    if (!kept.has(name)) await rm(folder.inSet(id, name), { recursive: true, force: true })
}
