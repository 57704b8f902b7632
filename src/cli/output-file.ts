import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isObjectUrl, type LakeAccess } from '../stores/lake-access.ts'

/** A file that is written on this machine first, with others beside it whose names begin with its name. */
interface OutputFile {
  /** Where it is written. */
  readonly local: string
  /** Puts these to their place, in order; `beside` is what follows the name. */
  readonly publish: (...beside: readonly string[]) => Promise<void>
  readonly close: () => Promise<void>
}

/** A file of this machine is where it belongs at once; an object appears when all of it is there. */
export async function outputFile(out: string, lake: LakeAccess): Promise<OutputFile> {
  if (!isObjectUrl(out)) return { local: out, publish: async () => {}, close: async () => {} }
  const { openObjectStore } = await import('../stores/s3/object-store.ts')
  const objects = openObjectStore(lake.s3)
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-output-'))
  const local = path.join(folder, path.basename(out))
  return {
    local,
    async publish(...beside) {
      for (const end of beside) await objects.put(`${local}${end}`, `${out}${end}`)
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}
