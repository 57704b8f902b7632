import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey, FeatureRow, Value } from '../definitions/value.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'
import type { BatchOfflineView } from './offline-view.ts'
import type { EventKeys } from './stored-event-source.ts'
import type { QuarantinedRow, Violation } from './violation-store.ts'

/** A batch view as the store must know it. */
export interface SnapshotView extends BatchOfflineView {
  readonly entity: { readonly joinKeys: EventKeys }
  /** Of all the digests. */
  readonly definition: string
}

/** What spans hold: of all their events, or, where a single span stands for every window, of those from `since` on. */
export type SpanAggregation = WindowedAggregation & { readonly since: Micros | null }

/** Events of one key and one span of time, already aggregated; only spans that have events. */
export interface Span {
  /** The span is [bounds[number], bounds[number + 1]). */
  readonly number: number
  readonly events: number
  /** The cells of the asked aggregations (`spanAggregate`), one after the other. */
  readonly cells: readonly (Value | null)[]
}

export interface StoredSnapshotRow {
  readonly values: readonly (Value | null)[]
  readonly closing: boolean
}

/** What stands at one time of a key. */
export interface StoredTime {
  readonly eventTimestamp: Micros
  /** The newest computed row; null: none, or not read. */
  readonly computed: StoredSnapshotRow | null
  /** When the pushed row that is newer than every computed one became known; null: there is none. */
  readonly pushedAt: Micros | null
}

/** What is known of one key, to make its snapshots of: what was found of it, and what is stored. */
export interface Timeline<Found> {
  readonly key: EntityKey
  /** Its spans by their numbers, or its computed rows, oldest first. */
  readonly found: readonly Found[]
  /** Oldest first: the newest time before the first snapshot, by its newest row alone, then those from the first to the last. */
  readonly stored: readonly StoredTime[]
}

/** One key's row of a snapshot that was computed elsewhere. */
export interface ComputedRow {
  readonly eventTimestamp: Micros
  /** In the view's order. */
  readonly values: readonly (Value | null)[]
  /** In the view's order: how far another right computation may lie from a float; null: not known. */
  readonly tolerances: readonly (number | null)[]
  /** It says that the key has no event any more. */
  readonly closing: boolean
}

/** A row that was pushed to a batch view and is the newest of its time. */
export interface Override {
  readonly key: EntityKey
  readonly eventTimestamp: Micros
  /** The snapshot of its time was computed since. */
  readonly isRecomputed: boolean
}

export type SnapshotRow = FeatureRow & { readonly closing: boolean }

/** What some keys' timelines come to. */
export interface FoldedSnapshots {
  readonly rows: readonly SnapshotRow[]
  readonly violations: readonly Violation[]
  readonly quarantined: readonly QuarantinedRow[]
}

export interface SnapshotComputation {
  readonly view: SnapshotView
  /** Snapshot times, oldest first. */
  readonly times: readonly Micros[]
  /** Where the spans begin and end, oldest first. */
  readonly bounds: readonly Micros[]
  readonly aggregations: readonly SpanAggregation[]
  readonly computedAt: Micros
  /** How many timelines are folded at once. */
  readonly keysPerFold: number
}

export interface SnapshotCounts {
  readonly events: number
  readonly keys: number
  readonly rows: number
}

/** A moment among the transactions: what was committed before it was read by what began at it. */
export interface ArrivalPoint {
  readonly snapshotXmin: string
  readonly systemIdentifier: string
}

/** Snapshots that were computed elsewhere. */
interface SnapshotIntake {
  readonly view: SnapshotView
  /** Oldest first: those that the rows are of, and recorded ones in between or behind that stay as they are. */
  readonly times: readonly Micros[]
  /** Those of `times` that are recorded as computed by today's definition. */
  readonly computed: readonly Micros[]
  readonly computedAt: Micros
  /** When the reading of their events began; null: now. Events that were stored since make them stale. */
  readonly eventsReadAt: ArrivalPoint | null
  /** They need the source's stored events from here on; null: their events stand elsewhere. */
  readonly eventsSince: Micros | null
  /** How many timelines are folded at once. */
  readonly keysPerFold: number
}

export interface IntakeCounts {
  readonly keys: number
  readonly rows: number
  /** Rows that came. */
  readonly read: number
  /** Of them those of entities that were deleted at their event timestamp or later: left out. */
  readonly deleted: number
}

interface RecordedQuestion {
  /** How far before a snapshot its windows go at most. */
  readonly reachMicros: Micros
  readonly since: Micros | null
}

export interface RecordedSnapshot {
  readonly asOf: Micros
  /** Events of its windows may have been stored since. */
  readonly stale: boolean
  /** Ids of features of the view that were added since; null: one of them means something else now. */
  readonly lacking: readonly string[] | null
}

/**
 * Snapshots of batch views: which were computed, and the computing itself next to the data.
 * Every method rejects with `StoreFailed` when the database does not answer.
 */
export interface SnapshotStore {
  /**
   * Oldest first: those from `since` on (null: all), the newest, and those that today's definition did not compute, whatever
   * their time. Of a mapped event table no arrival is known: its snapshots are never stale.
   */
  readonly recorded: (view: SnapshotView, question: RecordedQuestion) => Promise<readonly RecordedSnapshot[]>

  /**
   * A pushed row overrides what is computed at its time, until a computation replaces it; in no order. A scan of the
   * table. `key` null: of all keys.
   */
  readonly overrides: (view: SnapshotView, key: EntityKey | null) => Promise<readonly Override[]>

  /** From when on all events of the view are there; null: none was ever dropped, as in a mapped table. */
  readonly storedSince: (view: SnapshotView) => Promise<Micros | null>

  /**
   * Reads the events once, aggregates them to spans in the database, hands the timelines over in the order of their keys
   * and keeps what comes back; everything is one transaction with the record of the snapshots, so that it is done or
   * not begun. What `fold` or `conclude` (called when all is folded) throws undoes it and is thrown on. No time limit;
   * memory is bounded by the timelines of one fold.
   * @throws HistoryExpired when events from the first bound on are no longer there, or were dropped while they were read.
   */
  readonly compute: (
    computation: SnapshotComputation,
    fold: (timelines: readonly Timeline<Span>[]) => FoldedSnapshots,
    conclude: () => readonly Violation[],
  ) => Promise<SnapshotCounts>

  /** To be read before the events that are computed elsewhere. */
  readonly arrivals: () => Promise<ArrivalPoint>

  /**
   * As `compute`, of rows that were computed elsewhere instead of events: in the order of their keys (strings by their bytes)
   * and then of their times, one a key and time; columns are the join keys, the event timestamp, the features, whether the row
   * closes, and a tolerance a feature. What the rows' iteration throws undoes everything and is thrown on.
   * @throws HistoryExpired when stored events from `eventsSince` on are no longer there.
   */
  readonly take: (
    intake: SnapshotIntake,
    rows: AsyncIterable<readonly (readonly (Value | null)[])[]>,
    fold: (timelines: readonly Timeline<ComputedRow>[]) => FoldedSnapshots,
    conclude: () => readonly Violation[],
  ) => Promise<IntakeCounts>
}
