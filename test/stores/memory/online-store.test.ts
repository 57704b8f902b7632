import { memoryOnlineStore } from '../../../src/stores/memory/online-store.ts'
import { onlineSectionsContract } from '../../contract/online-sections.ts'
import { nowMicros, type OnlineStoreHarness, onlineStoreContract } from '../../contract/online-store.ts'

const makeHarness = async (): Promise<OnlineStoreHarness> => {
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
}
onlineStoreContract('memory', makeHarness)
onlineSectionsContract('memory', makeHarness)
