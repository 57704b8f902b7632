import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { BadUserInput } from '../../errors.ts'
import { isHidden, wildcard } from '../file-pattern.ts'
import type { FileStore } from '../file-reader.ts'
import { isObjectUrl } from '../lake-access.ts'
import type { ObjectStore } from './object-store.ts'

export interface ObjectFilesOptions {
  /** Files of this machine: what is no `s3://…`, and the copies. */
  readonly local: FileStore
  /** Opened with the first object. */
  readonly objects: () => Promise<ObjectStore>
  /** Objects that a pattern with `*`, `**`, `?` or `[…]` matches. */
  readonly expand: (pattern: string) => Promise<readonly string[]>
}

interface Copy {
  readonly url: string
  readonly folder: string
  readonly file: string
  /** By so many readers. */
  opened: number
}

/**
 * Files of this machine and objects. An object is copied to this machine when its digest is asked for, so that the bytes that
 * are read are those of the digest, whatever becomes of the object; the copy stays while it is open, and until
 * another digest is asked for, or `close`.
 * `s3://bucket/folder/` means what is below it.
 */
export function withObjects({
  local,
  objects,
  expand,
}: ObjectFilesOptions): FileStore & { readonly close: () => Promise<void> } {
  const copies = new Map<string, Copy>()

  async function forget(which: (copy: Copy) => boolean): Promise<void> {
    for (const copy of [...copies.values()].filter(which)) {
      copies.delete(copy.url)
      await rm(copy.folder, { recursive: true, force: true })
    }
  }
  async function copyOf(url: string, isAnew: boolean): Promise<Copy> {
    if (isAnew) await forget(({ opened }) => opened === 0)
    const known = copies.get(url)
    if (known !== undefined) return known
    const folder = await mkdtemp(join(tmpdir(), 'featuregraph-object-'))
    // The name says what the file is.
    const copy = { url, folder, file: join(folder, basename(url)), opened: 0 }
    copies.set(url, copy)
    await (await objects()).fetchInto(url, copy.file).catch(async (error: unknown) => {
      await forget((one) => one === copy)
      throw error
    })
    return copy
  }

  return {
    close: () => forget(() => true),
    async find(pattern) {
      if (!isObjectUrl(pattern)) return await local.find(pattern)
      const isFolder = pattern.endsWith('/')
      if (!isFolder && !wildcard.test(pattern)) return { kind: 'FILES', files: [pattern] }
      const files = isFolder ? await (await objects()).list(pattern) : await expand(pattern)
      const asked = isFolder ? `${pattern}**` : pattern
      const shown = files.filter((file) => !isHidden(file, asked) && !file.endsWith('/'))
      if (shown.length === 0) throw new BadUserInput(`no object matches ${JSON.stringify(pattern)}`)
      return { kind: /\/\*+$/.test(asked) ? 'FOLDER' : 'FILES', files: shown.toSorted() }
    },
    async digest(path) {
      if (!isObjectUrl(path)) return await local.digest(path)
      return await local.digest((await copyOf(path, true)).file)
    },
    async open(path, format) {
      if (!isObjectUrl(path)) return await local.open(path, format)
      const copy = await copyOf(path, false)
      const { file } = copy
      const named = (error: unknown): never => {
        // Its messages would name the copy.
        throw error instanceof BadUserInput ? new BadUserInput(error.message.replaceAll(file, path)) : error
      }
      const opened = await local.open(file, format).catch(named)
      copy.opened += 1
      return {
        ...opened,
        async close() {
          copy.opened -= 1
          await opened.close()
        },
        async *read(...wanted) {
          try {
            yield* opened.read(...wanted)
          } catch (error) {
            named(error)
          }
        },
      }
    },
  }
}
