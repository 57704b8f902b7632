import { memoryOnlineStore } from '../../src/stores/memory/memory-online-store.ts'
import { nowMicros, onlineStoreContract } from '../contract/online-store.ts'

onlineStoreContract('memory', async () => {
  const store = memoryOnlineStore(nowMicros)
  return {
    // Its rows live in the object, so there can be but one.
    open: async () => store,
    // It takes any bytes; what is no packed row stands at the epoch.
    plant: async (key, row) => {
      await store.writeMany([{ key, row }], null)
    },
    close: async () => {},
  }
})
