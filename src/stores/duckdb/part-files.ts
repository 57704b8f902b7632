import { stat } from 'node:fs/promises'
import { type DuckDBAppender, DuckDBDataChunk } from '@duckdb/node-api'
import type { KeyValue } from '../../definitions/value.ts'
import type { PartFiles, PartWriter } from '../export-files.ts'
import type { LakeAccess } from '../lake-access.ts'
import type { ExportColumn } from '../rows-to-export.ts'
import { ValueColumn } from '../value-column.ts'
import { connectDuckDb } from './open-duckdb.ts'
import { parquetSource } from './parquet-file.ts'
import { valueColumn } from './stored-column.ts'

/** A data chunk holds no more. */
const chunkRows = 2_048
const memoryLimit = '256MB'

export function duckDbPartFiles(lake: LakeAccess): PartFiles {
  return {
    writer: partWriter,
    async someKey(path, columns, isMeant) {
      const { connection, close } = await connectDuckDb({ memoryLimit, lake, paths: [path] })
      try {
        const list = columns.map(quoted).join(', ')
        const result = await connection.stream(`select distinct ${list} from ${parquetSource(path)}`)
        for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
          if (chunk.rowCount === 0) return false
          // Integers as DuckDB has them: a key's text is the same.
          for (const key of chunk.getRows()) if (isMeant(key as readonly (KeyValue | null)[])) return true
        }
        return false
      } finally {
        close()
      }
    },
  }
}

async function partWriter(columns: readonly ExportColumn[], folder: string): Promise<PartWriter> {
  const { connection, close } = await connectDuckDb({ memoryLimit, temporary: folder })
  const stored = columns.map(({ type }) => valueColumn(type))
  const types = stored.map(({ type }) => type)
  const defined = columns.map(({ name }, index) => `${quoted(name)} ${types[index]}`).join(', ')
  const emptyAppender = async (): Promise<DuckDBAppender> => {
    await connection.run(`create or replace table rows (${defined})`)
    return await connection.createAppender('rows')
  }
  let appender = await emptyAppender()
  let pending = 0
  let filled = 0
  let sources = emptySources(columns)

  function flush(): void {
    if (filled === 0) return
    const chunk = DuckDBDataChunk.create(types, filled)
    stored.forEach(({ write }, index) => {
      const source = sources[index]
      if (source !== undefined) write(chunk, index, source, 0, filled)
    })
    appender.appendDataChunk(chunk)
    filled = 0
    sources = emptySources(columns)
  }

  return {
    pending: () => pending,
    add(row) {
      for (let index = 0; index < sources.length; index += 1) {
        const value = row[index] ?? null
        if (value !== null) sources[index]?.set(filled, value)
      }
      filled += 1
      pending += 1
      if (filled === chunkRows) flush()
    },
    async write(file) {
      flush()
      appender.closeSync()
      const literal = file.replaceAll("'", "''")
      await connection.run(`copy rows to '${literal}' (format parquet, compression zstd)`)
      appender = await emptyAppender()
      const { size } = await stat(file)
      const rows = pending
      pending = 0
      return { rows, bytes: size }
    },
    close,
  }
}

function emptySources(columns: readonly ExportColumn[]): readonly ValueColumn[] {
  return columns.map(({ type }) => new ValueColumn(type, chunkRows))
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
