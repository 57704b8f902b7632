import type { DuckDBConnection } from '@duckdb/node-api'
import { isFolder, type LakeFile, listFiles } from './lake-files.ts'
import { UnfitFiles } from './unfit-files.ts'

const listingsAtMost = 10

/**
 * The files of a path: of a folder that `featuregraph export` wrote those that its manifest lists, so that what a run replaces is seen
 * before or after it, and what a killed run left is not seen at all; else all of them, at least one.
 * @throws UnfitFiles where there are none, or a first export has not ended.
 */
export async function filesOf(connection: DuckDBConnection, path: string): Promise<readonly LakeFile[]> {
  for (let listings = 0; listings < listingsAtMost; listings += 1) {
    const files = await listFiles(connection, path)
    const listed = isFolder(path) ? await exportedFiles(connection, path) : null
    if (listed === null) {
      // An empty answer would say nothing: a folder that is not mounted looks like this.
      if (files.length === 0) throw new UnfitFiles([{ path, message: noFiles }], false)
      return files
    }
    const known = files.filter((file) => listed.has(file.path))
    // The manifest may be newer than the listing.
    if (known.length === listed.size) return known
  }
  const message = 'files that its _export.json lists are not there; export it again, into another folder'
  throw new UnfitFiles([{ path, message }], false)
}

const noFiles =
  'there are no Parquet files; expected a folder with *.parquet files in it or below, a pattern, or a file (names that begin with _ or . are passed over)'

const notEnded = 'an export is under way there, or has not ended; the same command again completes it'

/** Paths that the manifest lists; null where there is none. */
async function exportedFiles(
  connection: DuckDBConnection,
  path: string,
): Promise<ReadonlySet<string> | null> {
  const folder = path.replace(/\/+$/, '')
  // A pattern: an object that is named, and is not there, is an error.
  const found = await connection.runAndReadAll('select content from read_text($1)', [
    `${folder.replace(/[*?[]/g, '[$&]')}/_export.jso[n]`,
  ])
  const [content] = found.getRows()[0] ?? []
  if (content === undefined) return null
  const { format, point, parts } = manifestOf(String(content))
  if (format !== 'featuregraph export 1' || !Array.isArray(parts)) return null
  if (point === null) throw new UnfitFiles([{ path, message: notEnded }], false)
  return new Set(parts.map((part: { readonly file?: unknown }) => `${folder}/${String(part.file)}`))
}

interface ReadManifest {
  readonly format?: unknown
  readonly point?: unknown
  readonly parts?: unknown
}

function manifestOf(content: string): ReadManifest {
  try {
    const read: unknown = JSON.parse(content)
    return typeof read === 'object' && read !== null ? read : {}
  } catch {
    return {}
  }
}
