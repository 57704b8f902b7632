import type { Micros } from '../definitions/timestamp.ts'
import type { StoredEventSource } from './stored-event-source.ts'

/** Months by their beginning, oldest first. */
interface DroppedMonths {
  /** From when on the source's events are all there; null: nothing was ever dropped. */
  readonly storedSince: Micros | null
  readonly dropped: readonly Micros[]
  /** Someone reads or writes the source for long; to be dropped by a later call. */
  readonly inUse: readonly Micros[]
}

/** Drops stored events of sources without a table. Rejects with `StoreFailed` when the database does not answer. */
export interface EventRetention {
  /**
   * Drops the months (UTC) that end at `before` or earlier, each in a transaction of its own. First, and committed, it
   * records the end of the newest of them as the moment since when events are stored, unless a later one stands there; so
   * no reading finds less than there was without finding that. Everything from then on is stored.
   *
   * An event of an earlier time that comes after that (late, imported, replayed) is stored as any other: its month is made
   * again, and dropped again by the next call. Nothing is answered from it, since the recorded moment decides, not what is
   * there. The ids of the events
   * that are gone are free again, so that an event which comes later with one counts; its repeats that are stored never do.
   */
  readonly expire: (source: StoredEventSource, before: Micros) => Promise<DroppedMonths>
}
