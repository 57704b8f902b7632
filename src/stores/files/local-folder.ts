import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { errorCode } from '../../errors.ts'
import type { ExportFolder } from '../export-files.ts'

/** Beginning of what is on its way: no reader of datasets takes it for data. */
const stagingPrefix = '.featuregraph-'

/** A folder of this machine. Files come by a rename within it, so that nobody finds half of one. */
export function localExportFolder(given: string): ExportFolder {
  const path = given.replace(/(?<=.)\/+$/, '')
  let staging: string | null = null

  async function stage(): Promise<string> {
    if (staging !== null) return staging
    await mkdir(path, { recursive: true })
    for (const entry of await readdir(path))
      if (entry.startsWith(stagingPrefix)) await rm(join(path, entry), { recursive: true, force: true })
    staging = await mkdtemp(join(path, stagingPrefix))
    return staging
  }
  async function publish(staged: string, file: string): Promise<void> {
    const target = join(path, file)
    await mkdir(dirname(target), { recursive: true })
    await rename(staged, target)
  }

  return {
    path,
    stage,
    publish,
    async list() {
      const entries = await ifThere(readdir(path, { withFileTypes: true, recursive: true }))
      return (entries ?? [])
        .filter((entry) => !entry.isDirectory())
        .map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join('/'))
        .filter((file) => !file.startsWith(stagingPrefix))
        .toSorted()
    },
    read: (file) => ifThere(readFile(join(path, file), 'utf8')),
    async write(file, text) {
      const staged = join(await stage(), 'text')
      await writeFile(staged, text)
      await publish(staged, file)
    },
    async remove(files) {
      for (const file of files) await rm(join(path, file), { force: true })
      for (const folder of new Set(files.map(dirname))) {
        const left = folder === '.' ? null : await ifThere(readdir(join(path, folder)))
        if (left?.length === 0) await rm(join(path, folder), { recursive: true })
      }
    },
    async close() {
      if (staging !== null) await rm(staging, { recursive: true, force: true })
    },
  }
}

async function ifThere<Result>(reading: Promise<Result>): Promise<Result | null> {
  try {
    return await reading
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}
