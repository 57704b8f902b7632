import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExportFolder } from '../export-files.ts'
import type { ObjectStore } from './object-store.ts'

/** Files under a URL's path. An object appears when all of it is there; what is on its way stands on this machine. */
export function objectExportFolder(objects: ObjectStore, given: string): ExportFolder {
  const path = given.replace(/\/+$/, '')
  let staging: string | null = null
  const urlOf = (file: string): string => `${path}/${file}`
  return {
    path,
    async stage() {
      staging ??= await mkdtemp(join(tmpdir(), 'featuregraph-export-'))
      return staging
    },
    list: async () => (await objects.list(`${path}/`)).map((url) => url.slice(path.length + 1)),
    read: (file) => objects.read(urlOf(file)),
    write: (file, text) => objects.write(urlOf(file), text),
    async publish(staged, file) {
      await objects.put(staged, urlOf(file))
      await rm(staged)
    },
    async remove(files) {
      for (const file of files) await objects.remove(urlOf(file))
    },
    async close() {
      if (staging !== null) await rm(staging, { recursive: true, force: true })
    },
  }
}
