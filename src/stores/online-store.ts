import type { Micros } from '../definitions/timestamp.ts'
import type { OnlineMarkers } from './online-markers.ts'

/** One packed row (`packed-row.ts`) under its whole key (`online-key.ts`). */
export interface OnlineWrite {
  readonly key: string
  readonly row: Buffer
}

/** OLDER: the store holds a row of this key that is newer by (event timestamp, created timestamp, row id). */
export type OnlineWriteOutcome = 'WRITTEN' | 'OLDER'

/**
 * Newest packed row per key. A backend keeps bytes and knows of a row only what its header says: the three numbers of
 * the total order. What rows mean is decided above it.
 *
 * Left out on purpose: single reads (a batch of one), unconditional writes (they cost more), scans.
 * Every method rejects with `StoreFailed` when the server cannot be reached, is too slow or answers with an error.
 */
export interface OnlineStore extends OnlineMarkers {
  /** Named in readiness and metrics. */
  readonly name: 'redis' | 'postgres' | 'memory'

  /**
   * One entry per key, in key order, null where there is no row; duplicate keys give duplicate entries.
   * One command for all keys; reads of concurrent callers may be joined. Bounded in time by the backend's read timeout.
   */
  readonly readMany: (keys: readonly string[]) => Promise<readonly (Buffer | null)[]>

  /**
   * One outcome per write, in order. Each row replaces the stored one unless that is newer by the total order (an
   * equal one is replaced, so that rows can be written again in another layout); each key's decision is atomic, the
   * batch is not. Two writes of one key behave as one after the other.
   * A row expires physically `expireAfterMicros` after its own event timestamp (null: never); a row that has already
   * expired counts as WRITTEN and is not kept. A stored value that is no packed row is replaced.
   */
  readonly writeMany: (
    writes: readonly OnlineWrite[],
    expireAfterMicros: Micros | null,
  ) => Promise<readonly OnlineWriteOutcome[]>

  /**
   * One outcome per write, in order. Each row is a streaming view's value of one section (`tile-sections.ts`); it takes
   * the place of that partition's section in the stored value, unless the stored one is of a later offset, and leaves the
   * others as they are. Each key's decision is atomic, the batch is not. A stored value that is of other
   * windows, or no such value, is replaced as a whole. A written value expires at `expireAt` (null: never).
   */
  readonly writeSections: (
    writes: readonly OnlineWrite[],
    expireAt: Micros | null,
  ) => Promise<readonly OnlineWriteOutcome[]>

  /** Resolves when the server answers and can be used; rejects with `StoreUnsuitable` where it answers and cannot. */
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}
