import type { Micros } from '../definitions/timestamp.ts'
import type { ScalarValue } from '../definitions/value.ts'
import type { JoinKeyType, ScalarType } from '../definitions/value-type.ts'
import type { Violation } from './violation-store.ts'

/** What a store must know of an event source. */
export interface KeptEventSource {
  readonly name: string
  /** Of the stream. */
  readonly topic: string | null
  /** Fields by which streamed views look events up, each list with the event timestamp behind it. */
  readonly indexedKeys: readonly (readonly string[])[]
  /** An existing table; null: one that the store makes and writes itself. */
  readonly table: string | null
  /** What the times and the event's own id are called in a mapped table. */
  readonly eventTimestamp: string
  readonly createdTimestamp: string | null
  readonly eventId: string | null
  readonly fields: readonly {
    readonly name: string
    readonly type: ScalarType
    /** In a mapped table. */
    readonly column: string
  }[]
}

/** The fields that name the entity of an event. */
export type EventKeys = readonly { readonly name: string; readonly type: JoinKeyType }[]

/** An event on its way into the store; values in the order of the source's fields, in the form of `acceptValue`. */
export interface EventToKeep {
  readonly partition: number
  readonly offset: number
  readonly eventTimestamp: Micros
  readonly eventId: string | null
  readonly values: readonly (ScalarValue | null)[]
}

/**
 * KEPT: the event counts, from the moment given. REPEATED: another event of its id had been kept before it, and counts
 * instead. DELETED: its entity was deleted at its time or later; it is not there. DECIDED: its place had been decided
 * before, this way or another, and stays so.
 */
export type KeepOutcome = 'KEPT' | 'REPEATED' | 'DELETED' | 'DECIDED'

/** An event for the end of a log. */
export type NewEvent = Omit<EventToKeep, 'partition' | 'offset'>

/** A message that is no event of its source, or not to be kept as one. */
export interface MessageAside {
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

/** What it breaks and is only warned of is recorded if it is kept. */
export interface DecidedEvent extends EventToKeep {
  readonly violations: readonly Violation[]
}

/** Messages of one topic with what was decided about each. */
export interface DecidedMessages {
  readonly events: readonly DecidedEvent[]
  readonly aside: readonly MessageAside[]
}

/** One outcome each, in order. An entity's messages are put aside only if it was not deleted. */
export interface DecisionOutcomes {
  /** From when on the events that are kept count: later than asked for where the clock of another writer is ahead. */
  readonly keptAt: Micros
  readonly events: readonly KeepOutcome[]
  readonly aside: readonly ('PUT_ASIDE' | 'DELETED' | 'DECIDED')[]
}

/** An event as it stands, with the moment that it was kept. */
export interface KeptEvent extends EventToKeep {
  readonly topic: string
  readonly keptAt: Micros
}

/** A partition of a topic and where its next event will stand. */
export interface KeptPartition {
  readonly topic: string
  readonly topicNumber: number
  readonly partition: number
  readonly nextOffset: number
  /** Of the source's topic in the stream, as it is now; logs, files and topics of before are always level. */
  readonly isStreamed: boolean
  /** All that stood in the stream's partition at this moment is decided; null: that is not known. */
  readonly levelAt: Micros | null
}

export interface PartitionLevel {
  readonly topic: string
  readonly partition: number
  /** Everything below it is decided. */
  readonly nextOffset: number
  readonly at: Micros
}

/** Where a partition's events are to be read on. */
interface KeptPosition {
  readonly topic: string
  readonly partition: number
  /** The first that is wanted. */
  readonly offset: number
}

/** Kept events of sources without a table. Every method rejects with `StoreFailed` when the database does not answer. */
export interface EventStore {
  /**
   * The topic of kept events for a topic of a stream; made for one that is seen for the first time. Null where another
   * topic stands behind the name than the one whose events are kept: it was made anew.
   */
  readonly openTopic: (name: string, identity: string) => Promise<string | null>
  /** From now on the events of this topic are kept under that name, behind those of the one before it. */
  readonly adoptTopic: (name: string, identity: string) => Promise<void>
  /**
   * Keeps events of one topic, and puts aside what is none, in one transaction; writers of a partition take turns. A place
   * that was decided before, below the partition's position, stays as it was decided: replays and writers who have lost
   * their partition change nothing. Snapshots that hold an event's hour become stale.
   */
  readonly keep: (
    source: KeptEventSource,
    topic: string,
    messages: DecidedMessages,
    keptAt: Micros,
  ) => Promise<DecisionOutcomes>
  /** As `keep`, at the next offsets of partition 0: the log of those who have no stream. Callers take turns. */
  readonly append: (
    source: KeptEventSource,
    topic: string,
    events: readonly NewEvent[],
    keptAt: Micros,
  ) => Promise<readonly Exclude<KeepOutcome, 'DECIDED'>[]>
  /** One flag an event, in order: whether an entity of its fields was deleted at its time or later, as of now. */
  readonly deletedEvents: (
    source: KeptEventSource,
    events: readonly Pick<EventToKeep, 'eventTimestamp' | 'values'>[],
  ) => Promise<readonly boolean[]>
  /** Another text after every deletion of an entity: what was held in memory may be of events that are gone. */
  readonly deletionMark: () => Promise<string>
  /** Until when partitions of the source are level with their stream; never moved back. */
  readonly recordLevels: (source: KeptEventSource, levels: readonly PartitionLevel[]) => Promise<void>
  /** How far every partition of the source is kept: what is read below `nextOffset` is all that there will be. */
  readonly positions: (source: KeptEventSource) => Promise<readonly KeptPartition[]>
  /**
   * At most `limit` events of a partition from a position on, by offset, those only that count (of an id the one that was
   * kept first) and that happened at `since` or later (null: all); with the position behind them. `until` is the
   * partition's own as it was told.
   */
  readonly read: (
    source: KeptEventSource,
    from: KeptPosition,
    options: { readonly limit: number; readonly since: Micros | null; readonly until: number },
  ) => Promise<{ readonly events: readonly KeptEvent[]; readonly next: number }>
}
