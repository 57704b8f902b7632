import type { Micros } from '../definitions/timestamp.ts'
import type { AcceptedEvent, StoreOutcome } from './event-log.ts'
import type { StoredEventSource } from './stored-event-source.ts'

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

/** Rejects with `StoreFailed` when the database does not answer. */
export interface DeadLetterStore {
  /** Newest first, at most `first`; `source` null: of all; `before` an id that a page ended with. */
  readonly page: (filter: {
    readonly source: string | null
    readonly before: number | null
    readonly first: number
  }) => Promise<readonly DeadLetter[]>
  /** Those of sources that their topics of dead letters lack, oldest first. */
  readonly unpublished: (sources: readonly string[], first: number) => Promise<readonly DeadLetter[]>
  readonly markPublished: (ids: readonly number[]) => Promise<void>
  /**
   * Stores events that were made of letters at the end of a log, and removes the letters, in one transaction; null for a
   * letter that was not there any more.
   */
  readonly retry: (
    source: StoredEventSource,
    log: string,
    letters: readonly { readonly id: number; readonly event: Omit<AcceptedEvent, 'partition' | 'offset'> }[],
    storedAt: Micros,
  ) => Promise<readonly (StoreOutcome | null)[]>
}
