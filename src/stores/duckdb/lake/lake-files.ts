import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { DuckDBConnection } from '@duckdb/node-api'
import { errorCode } from '../../../errors.ts'
import { isObjectUrl } from '../../lake-access.ts'

/** A file as a listing found it. */
export interface LakeFile {
  readonly path: string
  readonly size: number
  /** When it was written, as the file system or the object store says. */
  readonly modified: string
}

/**
 * The Parquet files of a path, by their names: all below a folder, those of a pattern, or the one file. What a writer has under way
 * or keeps for itself is left out: names that begin with `.` or `_` below the path, but for partitions (`_day=…`). One listing,
 * and for files on a disk one `stat` each.
 */
export async function listFiles(connection: DuckDBConnection, path: string): Promise<readonly LakeFile[]> {
  const pattern = patternOf(path)
  const found = isObjectUrl(path) ? await objects(connection, pattern) : await localFiles(connection, pattern)
  const fixed = fixedPart(path)
  return found
    .filter((file) => !isHidden(file.path.slice(fixed.length)))
    .sort((left, right) => (left.path < right.path ? -1 : 1))
}

/** Of a path, a size and a moment: a file that was written again is another one. */
export function fingerprint({ path, size, modified }: LakeFile): string {
  return createHash('sha256').update(`${path}\n${size}\n${modified}`).digest('hex').slice(0, 24)
}

const wildcards = /[*?[]/

/** No pattern, and no file. */
export function isFolder(path: string): boolean {
  return !wildcards.test(path) && !path.endsWith('.parquet')
}

function patternOf(path: string): string {
  if (!isFolder(path)) return path
  return `${path.replace(/\/+$/, '')}/**/*.parquet`
}

/** What stands before the first wildcard, up to a whole segment: the user's own words, which may begin with any letter. */
function fixedPart(path: string): string {
  const at = path.search(wildcards)
  return at < 0 ? path : path.slice(0, path.lastIndexOf('/', at) + 1)
}

function isHidden(path: string): boolean {
  return path.split('/').some((name) => /^[._]/.test(name) && !name.includes('='))
}

async function objects(connection: DuckDBConnection, pattern: string): Promise<readonly LakeFile[]> {
  // Their contents are not read where they are not selected.
  const text = 'select filename, size, epoch_us(last_modified) from read_blob($1)'
  const reader = await connection.runAndReadAll(text, [pattern])
  return reader
    .getRows()
    .map(([path, size, modified]) => ({ path: String(path), size: Number(size), modified: String(modified) }))
}

const statsAtOnce = 64
const listingsAtMost = 10

/**
 * DuckDB knows no finer times than seconds, in which a file may be written twice. Where a file is gone again before it is looked at, what
 * stands in its place may not be in the listing: it is made again.
 */
async function localFiles(connection: DuckDBConnection, pattern: string): Promise<readonly LakeFile[]> {
  for (let listings = 0; listings < listingsAtMost; listings += 1) {
    const reader = await connection.runAndReadAll('select file from glob($1)', [pattern])
    const files = await statFiles(reader.getRows().map(([path]) => String(path)))
    const there = files.filter((file) => file !== null)
    if (there.length === files.length) return there
  }
  throw new Error(`${pattern}: files were removed in each of ${listingsAtMost} listings`)
}

/** In order; null: it is gone. */
async function statFiles(paths: readonly string[]): Promise<readonly (LakeFile | null)[]> {
  const files: (LakeFile | null)[] = []
  for (let start = 0; start < paths.length; start += statsAtOnce)
    files.push(...(await Promise.all(paths.slice(start, start + statsAtOnce).map(statFile))))
  return files
}

async function statFile(path: string): Promise<LakeFile | null> {
  try {
    const { size, mtimeNs, ino } = await stat(path, { bigint: true })
    return { path, size: Number(size), modified: `${mtimeNs}/${ino}` }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}

/**
 * Whether none of them has become another file since it was listed. One that is gone was read while it was there: what is open stays
 * readable. An object that changes while it is read fails by itself.
 */
export async function areUnchanged(files: readonly LakeFile[]): Promise<boolean> {
  const local = files.filter(({ path }) => !isObjectUrl(path))
  const now = await statFiles(local.map(({ path }) => path))
  return now.every((file, index) => file === null || file.modified === local[index]?.modified)
}
