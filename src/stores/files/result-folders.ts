import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'

/** Folders of a name below a root, of which one at a time is used: `fresh` removes those that ended processes have left. */
export function resultFolders(root: string): {
  /** A path that is not there yet, in a folder that is. */
  readonly fresh: (name: string) => Promise<string>
  readonly remove: (folder: string) => Promise<void>
} {
  return {
    async fresh(name) {
      const folder = path.join(root, name)
      await rm(folder, { recursive: true, force: true })
      await mkdir(folder, { recursive: true })
      return path.join(folder, randomUUID())
    },
    remove: (folder) => rm(folder, { recursive: true, force: true }),
  }
}
