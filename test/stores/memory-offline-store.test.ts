import { memoryOfflineStore } from '../../src/stores/memory/memory-offline-store.ts'
import { offlineStoreContract } from '../contract/offline-store.ts'

offlineStoreContract('memory', async () => {
  const store = memoryOfflineStore()
  return { store, close: store.close }
})
