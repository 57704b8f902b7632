import type { Micros } from '../definitions/timestamp.ts'

/** A tombstone of the online store: a deletion that an older state of the store does not know. */
export interface LoggedTombstone {
  readonly key: string
  readonly viewId: string
  readonly deletedAt: Micros
  /** After `deletedAt`, as `OnlineStore.writeMany` takes it. */
  readonly expireAfterMicros: Micros | null
}

/**
 * Tombstones that were written lately, by the keys of the online store. Rejects with `StoreFailed`.
 */
export interface TombstoneLog {
  /** Before they are written online. */
  readonly record: (tombstones: readonly LoggedTombstone[]) => Promise<void>
  readonly list: () => Promise<readonly LoggedTombstone[]>
  /** Those of more than an hour ago, and before the last watermark of their view. */
  readonly dropOld: () => Promise<void>
}
