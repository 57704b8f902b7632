import type { Micros } from '../definitions/timestamp.ts'

/** A message of a stream that was dead-lettered, as it came. */
export interface DeadLetter {
  readonly id: number
  /** The name of the event source that did not take it. */
  readonly source: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer
  readonly reason: string
  readonly recordedAt: Micros
}

/** What topics of dead letters lack; the letters themselves are quarantined. Rejects with `StoreFailed` when the database does not answer. */
export interface DeadLetterStore {
  /** Those of sources that their topics of dead letters lack, oldest first. */
  readonly unpublished: (sources: readonly string[], first: number) => Promise<readonly DeadLetter[]>
  readonly markPublished: (ids: readonly number[]) => Promise<void>
}
