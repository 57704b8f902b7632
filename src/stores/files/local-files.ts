import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BadUserInput, messageOf } from '../../errors.ts'
import { isHidden, wildcard } from '../file-pattern.ts'
import type { FileFormat, FileReader, FileStore } from '../file-reader.ts'

export interface LocalFilesOptions {
  readonly readers: Readonly<Record<FileFormat, FileReader>>
  /** Files that a pattern with `*`, `**`, `?` or `[…]` matches. */
  readonly expand: (pattern: string) => Promise<readonly string[]>
}

/** Files on this machine. */
export function localFiles({ readers, expand }: LocalFilesOptions): FileStore {
  return {
    async find(pattern) {
      const found = await stat(pattern).catch(() => null)
      if (found?.isFile()) return { kind: 'FILES', files: [pattern] }
      if (found?.isDirectory()) return { kind: 'FOLDER', files: await filesBelow(pattern) }
      const files = wildcard.test(pattern) ? await expand(pattern) : []
      const shown = files.filter((file) => !isHidden(file, pattern))
      if (shown.length === 0) throw new BadUserInput(`no file matches ${JSON.stringify(pattern)}`)
      return { kind: /(?:^|\/)\*+$/.test(pattern) ? 'FOLDER' : 'FILES', files: shown.sort() }
    },
    digest: (path) =>
      digestOf(path).catch((error: unknown) => {
        const message = messageOf(error)
        throw new BadUserInput(`${path} cannot be read: ${message}`, { cause: error })
      }),
    open: (path, format) => readers[format].open(path),
  }
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  const files = entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !isHidden(file, join(folder, '**')))
  if (files.length === 0) throw new BadUserInput(`${folder} is a folder without files to import`)
  return files.sort()
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  const bytes: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: 1_048_576 })
  for await (const piece of bytes) hash.update(piece)
  return hash.digest('hex')
}
