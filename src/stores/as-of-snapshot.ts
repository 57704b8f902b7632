import type { Micros } from '../definitions/timestamp.ts'
import type { AsOfJoin, AsOfReader } from './as-of-reader.ts'

/** As-of joins that all see the same rows, whatever is written meanwhile, on several connections at once. */
export interface AsOfSnapshot {
  /** When it was taken, by the database's clock. */
  readonly takenAt: Micros
  /** As `AsOfReader.asOfJoin`; at most as many at once as there are connections, others wait for their turn. */
  readonly asOfJoin: (join: Omit<AsOfJoin, 'visibleIn'>) => ReturnType<AsOfReader['asOfJoin']>
  /** Ends the joins that are under way. */
  readonly close: () => Promise<void>
}

export interface AsOfSnapshots {
  /** Rejects with `StoreFailed`. Close it, else the database keeps dead rows for it. */
  readonly open: (connections: number) => Promise<AsOfSnapshot>
}
