import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { LimitExceeded } from '../../errors.ts'
import type { FileFormat, FileStore } from '../../stores/file-reader.ts'
import type { Spine, SpineStore } from '../../stores/spine-store.ts'
import { diskFull } from './disk-full.ts'
import type { FilesFolder } from './files-folder.ts'
import { inspectSpine } from './inspect-spine.ts'

export interface SpineTargets {
  readonly spines: Pick<SpineStore, 'add' | 'heldBytes'>
  readonly files: Pick<FileStore, 'open'>
  readonly folder: FilesFolder
  readonly maxBytes: number
  readonly maxRows: number
  /** Of all that one key has in the folder. */
  readonly maxHeldBytes: number
}

interface SpineUpload {
  readonly owner: string
  readonly format: FileFormat
  /** Null: the sender does not say. */
  readonly declaredBytes: number | null
  readonly body: AsyncIterable<Buffer>
}

/** @throws BadUserInput, LimitExceeded, StorageFull, StoreFailed, and what the body breaks off with; nothing stays then. */
export type ReceiveSpine = (upload: SpineUpload) => Promise<Spine>

/**
 * Uploads of one gateway; what of them is under way counts towards their keys' shares. Those of several gateways at once are
 * refused at their end, when they are added.
 */
export function spineReceiver(targets: SpineTargets): ReceiveSpine {
  const underWay = new Map<string, number>()
  const count = (owner: string, bytes: number): void => {
    underWay.set(owner, (underWay.get(owner) ?? 0) + bytes)
  }

  return async ({ owner, format, declaredBytes, body }) => {
    const { spines, files, folder, maxBytes, maxRows, maxHeldBytes } = targets
    const held = await spines.heldBytes(owner)
    let bytes = 0
    const check = (next: number): void => {
      if (next > maxBytes)
        throw new LimitExceeded(
          `expected a spine of at most ${maxBytes} bytes (FEATUREGRAPH_SPINE_MAX_BYTES), more came; Parquet is the smallest form`,
        )
      const others = held + (underWay.get(owner) ?? 0) - bytes
      if (others + next > maxHeldBytes) throw tooMuch(maxHeldBytes, others)
    }
    check(declaredBytes ?? 1)
    const id = randomUUID()
    const path = folder.upload(id, format)
    try {
      await mkdir(folder.spines, { recursive: true })
      const hash = createHash('sha256')
      const file = await open(path, 'wx')
      try {
        for await (const piece of body) {
          check(bytes + piece.length)
          count(owner, piece.length)
          bytes += piece.length
          hash.update(piece)
          await file.write(piece)
        }
        await file.datasync()
      } finally {
        await file.close()
      }
      const found = await inspectSpine(files, { path, format, maxRows })
      const spine: Spine = { id, owner, format, ...found, bytes, sha256: hash.digest('hex') }
      const final = folder.spine(spine)
      await rename(path, final)
      try {
        if (!(await spines.add(spine, maxHeldBytes)))
          throw tooMuch(maxHeldBytes, await spines.heldBytes(owner))
      } catch (error) {
        await rm(final, { force: true })
        throw error
      }
      return spine
    } catch (error) {
      await rm(path, { force: true })
      return diskFull(error)
    } finally {
      count(owner, -bytes)
    }
  }
}

function tooMuch(maxHeldBytes: number, held: number): LimitExceeded {
  return new LimitExceeded(
    `the spines and training sets of a key have at most ${maxHeldBytes} bytes (FEATUREGRAPH_FILES_MAX_BYTES_PER_KEY), those of this one have ${held}; delete training sets that are not needed`,
  )
}
