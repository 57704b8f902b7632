import { deletionStoreContract, writtenViews } from '../contract/deletion-store.ts'
import { insertedRows, offlineRowsContract } from '../contract/offline-rows.ts'
import { offlineStoreContract } from '../contract/offline-store.ts'
import { memoryOfflineStore } from './memory-offline-store.ts'

offlineStoreContract('memory', async () => {
  const store = memoryOfflineStore()
  return { store, close: store.close }
})

offlineRowsContract('memory', async () => {
  const store = memoryOfflineStore()
  return { ...insertedRows(store), close: store.close }
})

deletionStoreContract('memory', async () => {
  const store = memoryOfflineStore()
  return { ...writtenViews(store), deletions: store.deletions, close: store.close }
})
