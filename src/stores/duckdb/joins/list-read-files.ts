import type { DuckDBConnection } from '@duckdb/node-api'
import { BadUserInput, FilesChanged } from '../../../errors.ts'
import type { ReadFile, ReadFiles } from '../../read-files.ts'
import { firstLineOf } from '../duckdb-files.ts'
import { listFiles } from '../lake/lake-files.ts'

/**
 * The Parquet files below a folder, of a pattern, or the one file, by their names, with what says that they are the same: of each
 * the footer is read. @throws BadUserInput for a footer that cannot be read
 */
export async function listReadFiles(
  connection: DuckDBConnection,
  of: string,
  path: string,
): Promise<ReadFiles> {
  const found = await listFiles(connection, path)
  return { of, path, files: await withChecksums(connection, found) }
}

/**
 * As `listReadFiles`, of the newest version of a Delta table: later versions change nothing of it.
 * @throws BadUserInput where the path is no Delta table.
 */
export async function listDeltaFiles(
  connection: DuckDBConnection,
  of: string,
  path: string,
): Promise<ReadFiles> {
  const version = await newestVersion(connection, path)
  const paths = await deltaFiles(connection, path, version).catch((error: unknown) => {
    throw new BadUserInput(`the Delta table ${path} cannot be read: ${firstLineOf(error)}`)
  })
  const sizes = await sizesOf(connection, paths)
  const found = paths.map((file) => ({ path: file, size: sizes.get(file) ?? 0 }))
  return { of, path, version, files: await withChecksums(connection, found) }
}

async function newestVersion(connection: DuckDBConnection, path: string): Promise<number> {
  const log = `${path.replace(/\/+$/, '')}/_delta_log`
  const reader = await connection
    .runAndReadAll('select file from glob($1)', [`${literally(log)}/*`])
    .catch((error: unknown) => {
      throw new BadUserInput(`the Delta table ${path} cannot be read: ${firstLineOf(error)}`)
    })
  const versions = reader
    .getRows()
    .flatMap(([file]) => /\/(\d{20})\.(?:json|checkpoint\.(?:.*\.)?parquet)$/.exec(String(file))?.[1] ?? [])
    .map(Number)
  if (versions.length > 0) return Math.max(...versions)
  throw new BadUserInput(`${path} is no Delta table: it has no version in _delta_log`)
}

async function deltaFiles(
  connection: DuckDBConnection,
  path: string,
  version: number,
): Promise<readonly string[]> {
  const text = `select data_file from delta_list_files('${path.replaceAll("'", "''")}', version => ${version})`
  const reader = await connection.runAndReadAll(text)
  return reader
    .getRows()
    .map(([file]) => String(file))
    .sort()
}

/** Those of an earlier listing, if they are what they were. @throws FilesChanged naming the first that is not. */
export async function sameFiles(connection: DuckDBConnection, earlier: ReadFiles): Promise<ReadFiles> {
  if (earlier.version !== undefined) await checkVersion(connection, earlier, earlier.version)
  const sizes = await sizesOf(
    connection,
    earlier.files.map(({ path }) => path),
  )
  const there = earlier.files.filter(({ path }) => sizes.has(path))
  const gone = earlier.files.find(({ path }) => !sizes.has(path))
  if (gone !== undefined) throw changed(earlier, gone, 'is not there any more')
  const now = await withChecksums(
    connection,
    there.map(({ path }) => ({ path, size: sizes.get(path) ?? 0 })),
  )
  earlier.files.forEach((file, index) => {
    const { bytes = 0, checksum = '' } = now[index] ?? {}
    if (bytes !== file.bytes || checksum !== file.checksum)
      throw changed(
        earlier,
        file,
        `has ${bytes} bytes and the checksum ${checksum}, where ${file.bytes} and ${file.checksum} are expected`,
      )
  })
  return earlier
}

/** Its log may be gone, or the table created again. */
async function checkVersion(
  connection: DuckDBConnection,
  earlier: ReadFiles,
  version: number,
): Promise<void> {
  const { path, files } = earlier
  const listed = await deltaFiles(connection, path, version).catch((error: unknown) => {
    throw changed(earlier, { path }, `has no version ${version} any more (${firstLineOf(error)})`)
  })
  const known = new Set(listed)
  const other = files.find((file) => !known.has(file.path))
  if (other !== undefined) throw changed(earlier, other, `is not of version ${version} of ${path} any more`)
  if (listed.length !== files.length)
    throw changed(
      earlier,
      { path },
      `has ${listed.length} files in version ${version}, where ${files.length} are expected`,
    )
}

function changed({ of }: ReadFiles, { path }: Pick<ReadFile, 'path'>, how: string): FilesChanged {
  return new FilesChanged(
    `"${of}" was read from files that are not all the same any more: ${path} ${how}; the same training set cannot be made`,
  )
}

async function sizesOf(
  connection: DuckDBConnection,
  paths: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>()
  for (const path of paths) {
    // Of one file at a time: a pattern that finds nothing is an error. Contents are not read where they are not selected.
    const reader = await connection
      .runAndReadAll('select filename, size from read_blob($1)', [literally(path)])
      .catch(() => null)
    for (const [name, size] of reader?.getRows() ?? []) found.set(String(name), Number(size))
  }
  return found
}

async function withChecksums(
  connection: DuckDBConnection,
  files: readonly { readonly path: string; readonly size: number }[],
): Promise<readonly ReadFile[]> {
  if (files.length === 0) return []
  const list = files.map(({ path }) => `'${literally(path).replaceAll("'", "''")}'`).join(', ')
  const parts = [
    ...['row_group_id', 'row_group_num_rows', 'column_id', 'path_in_schema', 'type', 'num_values'],
    ...['stats_min_value', 'stats_max_value', 'stats_null_count', 'data_page_offset'],
    ...['total_compressed_size', 'total_uncompressed_size'],
  ]
  const reader = await connection
    .runAndReadAll(
      `select file_name, sha256(string_agg(concat_ws('|', ${parts.map((part) => `coalesce(${part}::VARCHAR, '')`).join(', ')}), chr(10) order by row_group_id, column_id))
       from parquet_metadata([${list}]) group by file_name`,
    )
    .catch((error: unknown) => {
      throw new BadUserInput(`files cannot be read as Parquet: ${firstLineOf(error)}`)
    })
  const checksums = new Map(reader.getRows().map(([name, checksum]) => [String(name), String(checksum)]))
  // A file without row groups has no column chunks.
  return files.map(({ path, size }) => ({ path, bytes: size, checksum: checksums.get(path) ?? '' }))
}

function literally(path: string): string {
  return path.replace(/[*?[]/g, '[$&]')
}
