import type { GuardRecord } from '../../src/stores/guard-record.ts'
import type { TombstoneLog } from '../../src/stores/tombstone-log.ts'

/** Of an online store that never lost anything: all of these views were filled in the first epoch, under their first keys. */
export function wholeGuardRecord(viewIds: readonly string[] = []): GuardRecord {
  return {
    read: async () => ({
      epoch: 1,
      check: 1,
      fills: viewIds.map((viewId) => ({ epoch: 1, viewId, generation: 0 })),
      generations: new Map(),
      filledOnce: new Set(viewIds),
    }),
    moment: async () => ({ epoch: 1, check: 1 }),
    generation: async () => 0,
    renew: async () => true,
    recordFill: async () => true,
  }
}

export const noTombstones: TombstoneLog = {
  record: async () => {},
  list: async () => [],
  dropOld: async () => {},
}
