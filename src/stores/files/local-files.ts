import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { BadUserInput, messageOf } from '../../errors.ts'
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
      if (found?.isFile()) return [pattern]
      if (found?.isDirectory())
        throw new BadUserInput(
          `${pattern} is a folder; name its files, as ${pattern.replace(/\/$/, '')}/*.parquet`,
        )
      const files = /[*?[]/.test(pattern) ? await expand(pattern) : []
      if (files.length === 0) throw new BadUserInput(`no file matches ${JSON.stringify(pattern)}`)
      return [...files].sort()
    },
    digest: (path) =>
      digestOf(path).catch((error: unknown) => {
        const message = messageOf(error)
        throw new BadUserInput(`${path} cannot be read: ${message}`, { cause: error })
      }),
    open: (path, format) => readers[format].open(path),
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  const bytes: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: 1_048_576 })
  for await (const piece of bytes) hash.update(piece)
  return hash.digest('hex')
}
