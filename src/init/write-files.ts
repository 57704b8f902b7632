import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { BadUserInput, errorCode, messageOf } from '../errors.ts'

/** A file of the new project: its path inside it, and its text. */
export interface ProjectFile {
  readonly path: string
  readonly text: string
  /** Readable by its owner only. */
  readonly isSecret?: boolean
}

interface WrittenFiles {
  readonly written: readonly string[]
  /** They were there before, and are as they were. */
  readonly kept: readonly string[]
}

/**
 * Writes the files that are not there yet, and their folders; nothing is ever overwritten.
 * @throws BadUserInput where a file cannot be written.
 */
export async function writeFiles(folder: string, files: readonly ProjectFile[]): Promise<WrittenFiles> {
  const written: string[] = []
  const kept: string[] = []
  for (const file of files) {
    const target = path.join(folder, file.path)
    try {
      await mkdir(path.dirname(target), { recursive: true })
      await writeFile(target, file.text, { flag: 'wx', mode: file.isSecret ? 0o600 : 0o666 })
      written.push(file.path)
    } catch (error) {
      if (errorCode(error) !== 'EEXIST')
        throw new BadUserInput(`${target} cannot be written: ${messageOf(error)}`, { cause: error })
      kept.push(file.path)
    }
  }
  return { written, kept }
}
