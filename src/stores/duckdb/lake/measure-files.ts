import type { DuckDBConnection } from '@duckdb/node-api'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { MaterializedPoint, NewestRows } from '../../newest-rows.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import type { TableEstimate } from '../../table-estimate.ts'
import { fileList } from './file-columns.ts'
import { allTimes } from './file-times.ts'
import type { Fileset } from './fileset.ts'
import { newFiles, within } from './newest-rows.ts'
import { type LakeReader, readFiles } from './read-files.ts'

/** See `NewestRows.materializeLag`. */
export async function readLag(
  reader: LakeReader,
  view: ParquetOfflineView,
  now: Micros,
  since: MaterializedPoint | null,
): ReturnType<NewestRows['materializeLag']> {
  return await readFiles(reader, view, {
    ...{ doing: 'reading how far they are materialized', signal: null },
    read: async (connection, fileset) => {
      const isNew = since === null ? () => true : (newFiles(fileset, since) ?? (() => false))
      const fresh = await fileset.rowsSql(isNew)
      const known = await fileset.rowsSql((file) => !isNew(file))
      const later = { from: since === null ? null : since.materializedUntil + 1, to: null }
      const text = `select epoch_us(max(newest)), epoch_us(min(waiting)) from (
  select max(event) as newest, min(event) filter (where ${within(allTimes, now)}) as waiting from (${fresh})
  union all
  select max(event), min(event) filter (where ${within(later, now)}) from (${known})
)`
      const [row] = (await connection.runAndReadAll(text)).getRows()
      const [newest = null, waiting = null] = row ?? []
      return {
        newestEventTimestamp: newest === null ? null : Number(newest),
        oldestNotMaterialized: waiting === null ? null : Number(waiting),
      }
    },
  })
}

/** See `NewestRows.isLargerThan`: by the footers. */
export async function isLargerThan(
  reader: LakeReader,
  view: ParquetOfflineView,
  rows: number,
): Promise<boolean> {
  return await readFiles(reader, view, {
    ...{ doing: 'counting the rows', signal: null },
    read: async (connection, fileset) => (await countRows(connection, fileset)) > rows,
  })
}

/** See `ParquetRows.estimate`. */
export async function estimateFiles(reader: LakeReader, view: ParquetOfflineView): Promise<TableEstimate> {
  return await readFiles(reader, view, {
    ...{ doing: 'estimating the rows', signal: null },
    read: async (connection, fileset) => {
      const rows = await countRows(connection, fileset)
      const sketches = view.entity.joinKeys.map((_, index) => `approx_count_distinct(k${index})::DOUBLE`)
      const found = await connection.runAndReadAll(
        `select ${sketches.join(' * ')} from (${await fileset.rowsSql(() => true)})`,
      )
      const keys = Math.max(1, Math.min(rows, Number(found.getRows()[0]?.[0] ?? 1)))
      return { rows, keys, probeShare: 1, spanMicros: null }
    },
  })
}

async function countRows(connection: DuckDBConnection, fileset: Fileset): Promise<number> {
  const { files } = fileset
  const text =
    files.length > 0
      ? `select coalesce(sum(num_rows), 0)::DOUBLE from parquet_file_metadata(${fileList(files)})`
      : `select count(*)::DOUBLE from (${await fileset.rowsSql(() => true)})`
  return Number((await connection.runAndReadAll(text)).getRows()[0]?.[0])
}
