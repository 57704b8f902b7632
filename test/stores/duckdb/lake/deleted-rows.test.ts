import { routedDeletionStore, routedOfflineStore } from '../../../../src/gateway/route-offline.ts'
import { isParquet } from '../../../../src/stores/offline-view.ts'
import { postgresDeletionStore } from '../../../../src/stores/postgres/deletion/deletion-store.ts'
import { deletedRowsContract } from '../../../contract/deletion-store.ts'
import { openParquetFiles, openParquetRows } from '../../../services/parquet-files.ts'
import { createTestDatabase } from '../../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../../services/test-pool.ts'

// Deletions are recorded in the database, rows stand in files.
deletedRowsContract(
  'parquet',
  async () => {
    const [database, files] = await Promise.all([createTestDatabase(), openParquetFiles()])
    const pool = testPool(database.url, 2, null)
    const stored = testOfflineStore(database.url)
    const parquet = openParquetRows({ database: stored })
    let [calls, rowId] = [0, 0]
    return {
      store: routedOfflineStore(stored, parquet, () => {}),
      deletions: routedDeletionStore(postgresDeletionStore(pool, 'default'), parquet),
      async newView(name, joinKeys) {
        const view = files.view(name, joinKeys, { n: 'int64' })
        await files.write(view, 'empty.parquet', [])
        return { ...view, online: true }
      },
      async insert(view, rows) {
        if (!isParquet(view)) throw new TypeError('a view of files was expected')
        calls += 1
        const withIds = rows.map((row) => {
          rowId += 1
          return { ...row, rowId }
        })
        await files.write(view, `rows_${calls}.parquet`, withIds)
      },
      async close() {
        await Promise.all([parquet.close(), files.close(), stored.close(), pool.end()])
        await database.drop()
      },
    }
  },
  null,
)
