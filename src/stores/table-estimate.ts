import type { Micros } from '../definitions/timestamp.ts'

/** What the database's planner thinks of the table that a view is answered from; nothing is read for it. */
export interface TableEstimate {
  /** Of feature rows, or of stored events. */
  readonly rows: number
  /** Different keys of them; at least 1. */
  readonly keys: number
  /**
   * What the newest row of one key costs by an index, as a share of reading the whole table: near 0 where an index has the keys
   * and the times, near 1 without one. Null of events, which always have one.
   */
  readonly probeShare: number | null
  /** From the earliest to the latest event, of stored events whose statistics say so; else null. */
  readonly spanMicros: Micros | null
}
