import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connectDuckDb } from '../../src/stores/duckdb/open-duckdb.ts'

interface DeltaColumn {
  readonly name: string
  /** As Delta names it. */
  readonly type: unknown
}

export interface DeltaTable {
  /** The next version: files by their names, of what each select gives, and names of files that leave. */
  readonly commit: (add: Readonly<Record<string, string>>, remove?: readonly string[]) => Promise<void>
}

/** A table without Spark: its log is written here, its files by DuckDB. */
export async function newDeltaTable(folder: string, columns: readonly DeltaColumn[]): Promise<DeltaTable> {
  const log = join(folder, '_delta_log')
  await mkdir(log, { recursive: true })
  const fields = columns.map((column) => ({ ...column, nullable: true, metadata: {} }))
  const metaData = {
    ...{ id: 'table', format: { provider: 'parquet', options: {} }, partitionColumns: [], configuration: {} },
    ...{ schemaString: JSON.stringify({ type: 'struct', fields }), createdTime: 1 },
  }
  let version = 0
  return {
    async commit(add, remove = []) {
      const lines: unknown[] =
        version === 0 ? [{ protocol: { minReaderVersion: 1, minWriterVersion: 2 } }, { metaData }] : []
      const { connection, close } = await connectDuckDb()
      for (const [path, select] of Object.entries(add)) {
        await connection.run(
          `copy (${select}) to '${join(folder, path).replaceAll("'", "''")}' (format parquet)`,
        )
        const { size } = await stat(join(folder, path))
        lines.push({ add: { path, partitionValues: {}, size, modificationTime: 1, dataChange: true } })
      }
      close()
      for (const path of remove) lines.push({ remove: { path, deletionTimestamp: 1, dataChange: true } })
      const file = join(log, `${String(version).padStart(20, '0')}.json`)
      await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'))
      version += 1
    },
  }
}
