import type { DuckDBConnection } from '@duckdb/node-api'
import { quoteText } from '../sql-text.ts'
import { fingerprint, type LakeFile } from './lake-files.ts'

/** What a file's columns are, by their names. */
export interface FileColumns {
  /** DuckDB's name of the type. */
  readonly types: ReadonlyMap<string, string>
  /** Timestamps in the old form of 96 bits, which have no zone and are UTC. */
  readonly int96: ReadonlySet<string>
}

export interface FileColumnsReader {
  /** One entry a file, in order; files of the same columns have the same entry. */
  readonly columnsOf: (
    connection: DuckDBConnection,
    files: readonly LakeFile[],
  ) => Promise<readonly FileColumns[]>
}

/** So many files are remembered. */
const mostRemembered = 200_000

/**
 * Reads the footers of files that it has not read before, all in one statement, and asks DuckDB once for each form that they have.
 */
export function fileColumnsReader(): FileColumnsReader {
  const known = new Map<string, FileColumns>()
  const forms = new Map<string, FileColumns>()
  return {
    async columnsOf(connection, files) {
      const unknown = files.filter((file) => !known.has(fingerprint(file)))
      if (known.size + unknown.length > mostRemembered) known.clear()
      const read = known.size === 0 ? files : unknown
      const footers = await readFooters(connection, read)
      for (const file of read) {
        const footer = footers.get(file.path)
        const columns = (footer && forms.get(footer.form)) ?? {
          types: await typesOf(connection, file),
          int96: footer?.int96 ?? new Set<string>(),
        }
        if (footer) forms.set(footer.form, columns)
        known.set(fingerprint(file), columns)
      }
      return files.map((file) => known.get(fingerprint(file)) ?? { types: new Map(), int96: new Set() })
    },
  }
}

/** A file's schema as text, equal where columns and types are. */
interface Footer {
  form: string
  readonly int96: Set<string>
}

async function readFooters(
  connection: DuckDBConnection,
  files: readonly LakeFile[],
): Promise<ReadonlyMap<string, Footer>> {
  const footers = new Map<string, Footer>()
  if (files.length === 0) return footers
  const text = `select file_name, name, type, num_children, converted_type, duckdb_type from parquet_schema(${fileList(files)})`
  const result = await connection.stream(text)
  for (
    let chunk = await result.fetchChunk();
    chunk && chunk.rowCount > 0;
    chunk = await result.fetchChunk()
  ) {
    for (const [path, name, type, ...more] of chunk.getRows()) {
      const footer = footers.get(String(path))
      // The first line is the whole schema, whose name is the writer's.
      if (footer === undefined) {
        footers.set(String(path), { form: '', int96: new Set() })
        continue
      }
      footer.form += `${JSON.stringify([name, type, ...more].map(String))}\n`
      if (type === 'INT96') footer.int96.add(String(name))
    }
  }
  return footers
}

async function typesOf(connection: DuckDBConnection, file: LakeFile): Promise<ReadonlyMap<string, string>> {
  const reader = await connection.runAndReadAll(
    `describe select * from read_parquet(${fileList([file])}, hive_partitioning = false)`,
  )
  return new Map(reader.getRows().map(([name, type]) => [String(name), String(type)]))
}

/** As an argument of `read_parquet`; brackets take a wildcard of a name literally. */
export function fileList(files: readonly Pick<LakeFile, 'path'>[]): string {
  return `[${files.map(({ path }) => quoteText(path.replace(/[*?[]/g, '[$&]'))).join(', ')}]`
}
