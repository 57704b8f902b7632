import type { Micros } from '../definitions/timestamp.ts'
import type { ScalarValue } from '../definitions/value.ts'
import type { StoredEventSource } from './stored-event-source.ts'
import type { Violation } from './violation-store.ts'

/** An event on its way into the store; values in the order of the source's fields, in the form of `acceptValue`. */
export interface EventToStore {
  readonly partition: number
  readonly offset: number
  readonly eventTimestamp: Micros
  readonly eventId: string | null
  readonly values: readonly (ScalarValue | null)[]
}

/**
 * STORED: the event counts, from the moment given. REPEATED: another event of its id had been stored before it, and counts
 * instead. DELETED: its entity was deleted at its time or later; it is not there. PROCESSED: its position had been processed
 * before, this way or another, and stays so.
 */
export type StoreOutcome = 'STORED' | 'REPEATED' | 'DELETED' | 'PROCESSED'

/** An event for the end of a log. */
export type NewEvent = Omit<EventToStore, 'partition' | 'offset'>

/** A message that is no event of its source, or not to be stored as one. */
export interface DeadLetteredMessage {
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer
  /** In the shape of an imported row as far as it can be read, so that an entity's messages can be found. */
  readonly content: object
  /** Null where it cannot be read as an event. */
  readonly event: NewEvent | null
  readonly reason: string
  readonly violations: readonly Violation[]
}

/** What it breaks and is only warned of is recorded if it is stored. */
export interface AcceptedEvent extends EventToStore {
  readonly violations: readonly Violation[]
}

/** Messages of one topic with the outcome of each. */
export interface ProcessedMessages {
  readonly events: readonly AcceptedEvent[]
  readonly deadLetters: readonly DeadLetteredMessage[]
}

/** One outcome each, in order. An entity's messages are dead-lettered only if it was not deleted. */
export interface ProcessedOutcomes {
  /** From when on the stored events count. */
  readonly storedAt: Micros
  readonly events: readonly StoreOutcome[]
  readonly deadLetters: readonly ('DEAD_LETTERED' | 'DELETED' | 'PROCESSED')[]
}

/** An event as it stands, with the moment that it was stored. */
export interface StoredEvent extends EventToStore {
  readonly topic: string
  readonly storedAt: Micros
}

/** Where a partition's events are to be read on. */
interface ReadPosition {
  readonly topic: string
  readonly partition: number
  /** The first that is wanted. */
  readonly offset: number
}

/** The stored events of sources without a table. Every method rejects with `StoreFailed` when the database does not answer. */
export interface EventLog {
  /** The present by the database's clock, by which moments are set: no clock of a gateway's changes one. */
  readonly now: () => Promise<Micros>
  /**
   * Stores events of one topic, and dead-letters what is none, in one transaction; writers of a partition take turns. A place
   * that was processed before, below the partition's position, keeps its outcome: replays and writers who have lost
   * their partition change nothing. Snapshots that hold an event's hour become stale.
   */
  readonly storeMessages: (
    source: StoredEventSource,
    topic: string,
    messages: ProcessedMessages,
    storedAt: Micros,
  ) => Promise<ProcessedOutcomes>
  /** As `storeMessages`, at the next offsets of partition 0: the log of those who have no stream. Callers take turns. */
  readonly append: (
    source: StoredEventSource,
    topic: string,
    events: readonly NewEvent[],
    storedAt: Micros,
  ) => Promise<readonly Exclude<StoreOutcome, 'PROCESSED'>[]>
  /** One flag an event, in order: whether an entity of its fields was deleted at its time or later, as of now. */
  readonly deletedEvents: (
    source: StoredEventSource,
    events: readonly Pick<EventToStore, 'eventTimestamp' | 'values'>[],
  ) => Promise<readonly boolean[]>
  /**
   * Another text after every deletion of an entity and every correction of moments: what was held in memory may be of events
   * that are gone, or that were changed.
   */
  readonly deletionMark: () => Promise<string>
  /**
   * At most `limit` events of a partition from a position on, by offset, those only that count (of an id the one that was
   * accepted first) and that happened at `since` or later (null: all); with the position behind them. `until` is the
   * partition's own as it was reported.
   */
  readonly read: (
    source: StoredEventSource,
    from: ReadPosition,
    options: { readonly limit: number; readonly since: Micros | null; readonly until: number },
  ) => Promise<{ readonly events: readonly StoredEvent[]; readonly next: number }>
  /**
   * Sets stored moments that lie ahead of the database's clock to the present, where it has come back, and records that;
   * resolves with the number of the source's latest correction, 0 for none.
   */
  readonly correctMoments: (source: StoredEventSource) => Promise<number>
}
