import { readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Micros } from '../../definitions/timestamp.ts'
import { ifMissing } from '../../errors.ts'
import type { SpineStore } from '../../stores/spine-store.ts'
import type { TrainingSetStore } from '../../stores/training-set-store.ts'
import { type FilesFolder, unfinished } from './files-folder.ts'

export interface SweepTargets {
  readonly spines: Pick<SpineStore, 'expire' | 'known'>
  readonly trainingSets: Pick<TrainingSetStore, 'expire' | 'wanted'>
  readonly folder: FilesFolder
  readonly retentionMicros: Micros
}

/** A file that is written, validated or about to be recorded has changed within it: a silent upload ends much earlier. */
const settledMs = 3_600_000

/**
 * Expires what is older than the retention, and removes files that no row knows: of uploads that broke off, of spines and
 * training sets that have expired, were cancelled, failed or were deleted. Any process may do it at any time.
 */
export async function sweepFiles(
  { spines, trainingSets, folder, retentionMicros }: SweepTargets,
  now: Micros,
): Promise<void> {
  await spines.expire(now - retentionMicros)
  await trainingSets.expire(now - retentionMicros, now - 2 * retentionMicros)
  const settledBefore = now / 1_000 - settledMs

  const uploads = await namesIn(folder.spines)
  const named = new Map(uploads.map((name) => [name, path.parse(name).name]))
  const known = await spines.known([...named.values()].filter(isId))
  for (const [name, id] of named) {
    const file = path.join(folder.spines, name)
    const isOurs = name.startsWith(unfinished) || isId(id)
    if (isOurs && !known.has(id) && (await isOlder(file, settledBefore))) await rm(file, { force: true })
  }

  const sets = (await namesIn(folder.sets)).filter(isId)
  const wanted = await trainingSets.wanted(sets)
  // A job that was cancelled may write into it for a second more; then it is found again.
  for (const id of sets) if (!wanted.has(id)) await rm(folder.set(id), { recursive: true, force: true })
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch(ifMissing<string[]>([]))
}

async function isOlder(file: string, beforeMs: number): Promise<boolean> {
  const found = await stat(file).catch(ifMissing(null))
  return found !== null && found.mtimeMs < beforeMs
}

function isId(name: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(name)
}
