import type { Micros } from '../definitions/timestamp.ts'

/** How long records stay that nothing answers from after their time, by the database's clock. */
export interface RecordAges {
  readonly pushReceipts: Micros
  readonly audit: Micros
}

/** Rejects with `StoreFailed`. */
export interface RecordRetention {
  /** Removes what is older, a few thousand at a time; may run in many processes at once. Answers how many went. */
  readonly removeOld: (ages: RecordAges) => Promise<number>
}
