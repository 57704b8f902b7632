import type { Micros } from '../definitions/timestamp.ts'
import type { OnlineMarkers } from './online-markers.ts'

/** One packed row (`packed-row.ts`) under its whole key (`online-key.ts`). */
export interface OnlineWrite {
  readonly key: string
  readonly row: Buffer
}

/** What a read says of the state that its store is in; see `online/guard.ts` for what a reader concludes from it. */
export interface GuardReading {
  /** The guard's text (`online-guard.ts`) as it stood with the rows; null: the store has none, or has lost it. */
  readonly guard: string | null
  /** Of the connection that was read over: another number after each reconnect. 0 where a store cannot be set back unseen. */
  readonly connection: number
}

export interface OnlineRead extends GuardReading {
  /** One entry per key, in key order. */
  readonly rows: readonly (Buffer | null)[]
}

/** The rows are larger than may be. */
interface TooManyBytesStored {
  /** That they take together, at least. */
  readonly bytesStored: number
}

/** OLDER: the store holds a row of this key that is newer by (event timestamp, created timestamp, row id). */
export type OnlineWriteOutcome = 'WRITTEN' | 'OLDER'

/**
 * Newest packed row per key. A backend keeps bytes and knows of a row only what its header says: the three numbers of
 * the total order. What rows mean is judged above it.
 *
 * Left out on purpose: single reads (a batch of one), unconditional writes (they cost more), scans of rows.
 * Every method rejects with `StoreFailed` when the server cannot be reached, is too slow or answers with an error.
 */
export interface OnlineStore extends OnlineMarkers {
  /** Named in readiness and metrics. */
  readonly name: 'redis' | 'postgres' | 'memory'
  /** The marker that is the guard of the project's rows. */
  readonly guardName: string
  /**
   * Whether the store may lose the tail of its commands and keep the rest (a restart, a promotion), so that the guard has
   * to move. Without, rows are lost all together or not at all, and the guard with them.
   */
  readonly losesTail: boolean
  /** Of the connection that writes go over, as in `GuardReading`; null while there is none. */
  readonly writeConnection: () => number | null

  /**
   * The guard, and of the rows null where there is none; duplicate keys give duplicate entries; without keys the guard alone.
   * One command for all keys and the guard; reads of concurrent callers may be joined. Bounded in time by the backend's read timeout.
   */
  readonly readMany: (keys: readonly string[]) => Promise<OnlineRead>

  /**
   * As `readMany` where the rows take at most `mostBytes` together; else nothing of them reaches this process. For rows that may
   * be large: dearer than `readMany`, and joined with no other read.
   */
  readonly readWithin: (
    keys: readonly string[],
    mostBytes: number,
  ) => Promise<OnlineRead | TooManyBytesStored>

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

  /**
   * Removes every row whose key begins with the prefix, the marker of that name, and those whose names go on
   * behind a space; a few at a time beside other work.
   * For key prefixes that are written no more. A walk over all keys of the store.
   */
  readonly removeRows: (prefix: string) => Promise<void>

  /** Resolves when the server answers and can be used; rejects with `StoreUnsuitable` where it answers and cannot. */
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}
