import { isParquet } from '../../../../src/stores/offline-view.ts'
import { offlineRowsContract } from '../../../contract/offline-rows.ts'
import { openParquetFiles, openParquetRows } from '../../../services/parquet-files.ts'

offlineRowsContract('parquet', async () => {
  const files = await openParquetFiles()
  const store = openParquetRows()
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
