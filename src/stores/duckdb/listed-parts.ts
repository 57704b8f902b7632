import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { BadUserInput, messageOf } from '../../errors.ts'
import { isObjectUrl } from '../lake-access.ts'
import { firstLineOf } from './duckdb-files.ts'

/** A Parquet file of a folder; another version of it has another size or time. */
export interface ListedPart {
  readonly path: string
  readonly version: string
}

const successMark = '_SUCCESS'

export interface ListedFolder {
  /** By path. */
  readonly parts: readonly ListedPart[]
  /** It has `_SUCCESS`. */
  readonly isWhole: boolean
}

/**
 * The Parquet files at any depth below a folder, without those whose name, or that of a folder on the way, begins with `_` or
 * `.`. @throws BadUserInput where the folder cannot be read.
 */
export async function listedParts(connection: DuckDBConnection, folder: string): Promise<ListedFolder> {
  const found = isObjectUrl(folder) ? await objects(connection, folder) : await localFiles(folder)
  const parts = found
    .filter(({ name }) => name.endsWith('.parquet'))
    .filter(({ name }) => name.split('/').every((part) => !/^[_.]/.test(part)))
    .map(({ name, version }) => ({ path: `${folder.replace(/\/+$/, '')}/${name}`, version }))
    .sort((left, right) => (left.path < right.path ? -1 : 1))
  return { parts, isWhole: found.some(({ name }) => name === successMark) }
}

interface Found {
  /** Below the folder. */
  readonly name: string
  readonly version: string
}

async function localFiles(folder: string): Promise<readonly Found[]> {
  const unreadable = (error: unknown): never => {
    throw new BadUserInput(`the folder ${folder} cannot be read: ${messageOf(error)}`)
  }
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(unreadable)
  const files = entries.filter((entry) => !entry.isDirectory())
  return await Promise.all(
    files.map(async (entry) => {
      const file = path.join(entry.parentPath, entry.name)
      const { size, mtimeMs, ino } = await stat(file).catch(unreadable)
      const name = path.relative(folder, file).split(path.sep).join('/')
      return { name, version: `${size} ${mtimeMs} ${ino}` }
    }),
  )
}

async function objects(connection: DuckDBConnection, folder: string): Promise<readonly Found[]> {
  const prefix = `${folder.replace(/\/+$/, '')}/`
  const reader = await connection
    .runAndReadAll('select filename, size::VARCHAR, last_modified::VARCHAR from read_blob($1)', [
      `${prefix}**`,
    ])
    .catch((error: unknown) => {
      throw new BadUserInput(`the folder ${folder} cannot be read: ${firstLineOf(error)}`)
    })
  return reader.getRows().map(([file, size, modified]) => ({
    name: String(file).slice(prefix.length),
    version: `${String(size)} ${String(modified)}`,
  }))
}
