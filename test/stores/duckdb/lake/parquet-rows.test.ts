import { duckDbParquetRows } from '../../../../src/stores/duckdb/lake/parquet-rows.ts'
import { isParquet } from '../../../../src/stores/offline-view.ts'
import type { ParquetRows } from '../../../../src/stores/parquet-rows.ts'
import { offlineRowsContract } from '../../../contract/offline-rows.ts'
import { openParquetFiles } from '../../../services/parquet-files.ts'

/** Without a database: no entity was deleted, and the present is long past all rows. */
function openRows(countNonFinite: (view: string) => void = () => {}): ParquetRows {
  return duckDbParquetRows({
    memoryLimit: '512MB',
    lake: { extensionsFolder: null, s3: { credentials: null, region: 'us-east-1', endpoint: null } },
    database: {
      deletedRows: async (_view, rows) => rows.map(() => false),
      now: async () => Number.MAX_SAFE_INTEGER,
    },
    timeoutMs: 60_000,
    countNonFinite,
  })
}

offlineRowsContract('parquet', async () => {
  const files = await openParquetFiles()
  const store = openRows()
  let [calls, rowId] = [0, 0]
  return {
    store,
    async newView(name, joinKeys, features) {
      const view = files.view(name, joinKeys, features)
      await files.write(view, 'empty.parquet', [])
      return view
    },
    async insert(view, rows) {
      if (!isParquet(view)) throw new TypeError('a view of files was expected')
      calls += 1
      const withIds = rows.map((row) => {
        rowId += 1
        return { ...row, rowId }
      })
      await files.write(view, `rows_${calls}.parquet`, withIds)
      return withIds.map((row) => row.rowId)
    },
    async close() {
      await store.close()
      await files.close()
    },
  }
})
