import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  BIGINT,
  BOOLEAN,
  DECIMAL,
  DuckDBDataChunk,
  DuckDBDecimalValue,
  DuckDBInstance,
  type DuckDBType,
  type DuckDBValue,
  TIMESTAMPTZ,
} from '@duckdb/node-api'
import { scaledOf } from '../../src/definitions/decimal.ts'
import { parquetSource } from '../../src/definitions/parquet-source.ts'
import type { FeatureRow, Value } from '../../src/definitions/value.ts'
import {
  decimalDigits,
  isDecimal,
  type JoinKeyType,
  type ValueType,
} from '../../src/definitions/value-type.ts'
import { type DuckDbColumn, duckDbColumn } from '../../src/stores/duckdb/duckdb-type.ts'
import { duckDbParquetRows, type ParquetRowsOptions } from '../../src/stores/duckdb/lake/parquet-rows.ts'
import type { ParquetOfflineView } from '../../src/stores/offline-view.ts'
import type { ParquetRows } from '../../src/stores/parquet-rows.ts'
import { offlineView } from '../contract/offline-store.ts'

/** A feature row as a file has it. */
export type FileRow = FeatureRow & { readonly rowId?: number | null; readonly closing?: boolean }

/** A DuckDB that writes Parquet files, and the folder that it writes to. */
export interface ParquetFiles {
  readonly folder: string
  /** Of a view whose columns are called as the registry's, with all that a row may have. */
  readonly view: (
    name: string,
    joinKeys: Readonly<Record<string, JoinKeyType>>,
    features: Readonly<Record<string, ValueType>>,
    source?: Partial<ParquetOfflineView['source']>,
  ) => ParquetOfflineView
  /** Rows as a file of the view's folder, in one step; its place may have folders (`day=2026-11-20/a.parquet`). */
  readonly write: (view: ParquetOfflineView, file: string, rows: readonly FileRow[]) => Promise<void>
  /** `select …` as a file, by its path below the folder. */
  readonly copy: (file: string, select: string, options?: string) => Promise<string>
  readonly close: () => Promise<void>
}

const chunkRows = 2_048

export async function openParquetFiles(): Promise<ParquetFiles> {
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-lake-'))
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  await connection.run(`set timezone = 'UTC'`)
  let written = 0

  async function put(file: string, select: string, options: string): Promise<string> {
    const target = path.resolve(folder, file)
    await mkdir(path.dirname(target), { recursive: true })
    written += 1
    const temporary = path.join(path.dirname(target), `.${written}`)
    await connection.run(`copy (${select}) to '${temporary}' (format parquet${options})`)
    await rename(temporary, target)
    return target
  }

  return {
    folder,
    view: (name, joinKeys, features, source = {}) => ({
      ...offlineView(name, joinKeys, features),
      kind: 'PLAIN',
      source: {
        ...parquetSource(name, {
          path: path.join(folder, name),
          ...{ eventTimestamp: 'event_timestamp', createdTimestamp: 'created_timestamp', rowId: 'row_id' },
          closing: 'closing',
        }),
        ...{ kind: 'parquet', format: 'parquet', columns: {}, partitions: {}, empty: {} },
        ...source,
      },
    }),
    async write(view, file, rows) {
      const columns = columnsOf(view)
      const list = columns.map(({ name, column }) => `"${name}" ${column.type}`)
      await connection.run(`create or replace temp table rows (${list.join(', ')})`)
      const appender = await connection.createAppender('rows')
      for (let start = 0; start < rows.length; start += chunkRows) {
        const some = rows.slice(start, start + chunkRows)
        const chunk = DuckDBDataChunk.create(
          columns.map(({ column }) => column.type),
          some.length,
        )
        chunk.setColumns(columns.map(({ column, of }) => some.map((row) => column.value(of(row)))))
        appender.appendDataChunk(chunk)
      }
      appender.closeSync()
      await put(path.join(view.source.path, file), 'select * from rows', '')
    },
    copy: (file, select, options = '') => put(file, select, options),
    async close() {
      connection.disconnectSync()
      instance.closeSync()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Without a database: no entity was deleted, and the present is long past all rows. */
export function openParquetRows(options: Partial<ParquetRowsOptions> = {}): ParquetRows {
  return duckDbParquetRows({
    memoryLimit: '512MB',
    lake: { extensionsFolder: null, s3: { credentials: null, region: 'us-east-1', endpoint: null } },
    database: {
      deletedRows: async (_view, rows) => rows.map(() => false),
      now: async () => Number.MAX_SAFE_INTEGER,
    },
    timeoutMs: 60_000,
    countNonFinite: () => {},
    ...options,
  })
}

interface FileColumn {
  readonly name: string
  readonly column: { readonly type: DuckDBType; readonly value: (value: Value | null) => DuckDBValue }
  readonly of: (row: FileRow) => Value | null
}

function columnsOf({ entity, features }: ParquetOfflineView): readonly FileColumn[] {
  const time = { ...duckDbColumn('timestamp'), type: TIMESTAMPTZ }
  const whole = { ...duckDbColumn('int64'), type: BIGINT }
  return [
    ...entity.joinKeys.map(({ name, type }, index) => ({
      ...{ name, column: duckDbColumn(type), of: ({ key }: FileRow) => key[index] ?? null },
    })),
    { name: 'event_timestamp', column: time, of: ({ eventTimestamp }) => eventTimestamp },
    { name: 'created_timestamp', column: time, of: ({ createdTimestamp }) => createdTimestamp },
    { name: 'row_id', column: whole, of: ({ rowId }) => rowId ?? null },
    {
      name: 'closing',
      column: { ...duckDbColumn('bool'), type: BOOLEAN },
      of: ({ closing }) => closing ?? null,
    },
    ...features.map(({ name, type }, index) => ({
      ...{ name, column: featureColumn(type), of: ({ values }: FileRow) => values[index] ?? null },
    })),
  ]
}

/** A decimal with all the digits that 64 bits may have. */
function featureColumn(type: ValueType): DuckDbColumn {
  if (!isDecimal(type)) return duckDbColumn(type)
  const digits = decimalDigits(type)
  return {
    type: DECIMAL(19, digits),
    value: (value) =>
      value === null ? null : new DuckDBDecimalValue(scaledOf(value as number | string, digits), 19, digits),
  }
}
