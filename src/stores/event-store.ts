import type { Micros } from '../definitions/timestamp.ts'
import type { ScalarValue } from '../definitions/value.ts'
import type { JoinKeyType, ScalarType } from '../definitions/value-type.ts'

/** What a store must know of an event source. */
export interface KeptEventSource {
  readonly name: string
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
 * KEPT: the event counts, from `keptAt` on: now, or when it was kept the first time. REPEATED: another event of its id had
 * been kept before it, and counts instead. DELETED: its entity was deleted at its time or later; it is not there.
 */
export type KeepOutcome =
  | { readonly status: 'KEPT'; readonly keptAt: Micros }
  | { readonly status: 'REPEATED' | 'DELETED' }

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
  /** The number that stands for a topic, the same for ever. */
  readonly topicNumber: (topic: string) => Promise<number>
  /**
   * Keeps events of one topic in one transaction; one outcome an event, in order. An event whose place is taken is the
   * same event come again: nothing is written. Snapshots that hold its hour become stale.
   */
  readonly keep: (
    source: KeptEventSource,
    topic: string,
    events: readonly EventToKeep[],
    keptAt: Micros,
  ) => Promise<readonly KeepOutcome[]>
  /**
   * As `keep`, at the next offsets of partition 0, which are answered: the log of those who have no stream. Callers take
   * turns, so that whoever reads on sees every event.
   */
  readonly append: (
    source: KeptEventSource,
    topic: string,
    events: readonly Omit<EventToKeep, 'partition' | 'offset'>[],
    keptAt: Micros,
  ) => Promise<readonly KeepOutcome[]>
  /** One flag an event, in order: whether an entity of its fields was deleted at its time or later, as of now. */
  readonly deletedEvents: (
    source: KeptEventSource,
    events: readonly Pick<EventToKeep, 'eventTimestamp' | 'values'>[],
  ) => Promise<readonly boolean[]>
  /** Another text after every deletion of an entity: what was held in memory may be of events that are gone. */
  readonly deletionMark: () => Promise<string>
  /** How far every partition of the source is kept: what is read below `nextOffset` is all that there will be. */
  readonly positions: (source: KeptEventSource) => Promise<readonly KeptPartition[]>
  /**
   * At most `limit` events of a partition from a position on, by offset, those only that count (of an id the one that was
   * kept first) and that happened at `since` or later (null: all).
   */
  readonly read: (
    source: KeptEventSource,
    from: KeptPosition,
    options: { readonly limit: number; readonly since: Micros | null },
  ) => Promise<readonly KeptEvent[]>
}
