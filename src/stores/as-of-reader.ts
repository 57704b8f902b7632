import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey, Value } from '../definitions/value.ts'
import type { OfflineView } from './offline-view.ts'

/** An entity key and the moment that is asked for; `knownAt` null: everything that is known now. */
export interface EntityRow {
  readonly key: EntityKey
  readonly asOf: Micros
  readonly knownAt: Micros | null
}

/** The newest row at or before an entity row's time. The ttl is not applied. */
export interface AsOfRow {
  readonly eventTimestamp: Micros
  readonly createdTimestamp: Micros | null
  /** In the view's feature order. */
  readonly values: readonly (Value | null)[]
  /** The key had no event in its windows any more: as if there were no row, but newer than those before it. */
  readonly closing: boolean
}

/** The windows of a streaming view reach behind `storedSince`, from when on all events are there: their values are not known. */
export interface ExpiredHistory {
  readonly storedSince: Micros
}

/** What answers was not computed by today's definition: by another one, or never although there are events. */
export interface NotComputed {
  readonly notComputed: 'RECOMPUTING' | 'NEVER_FILLED'
}

/** A row (null: none) of a snapshot that was computed before these features were added. */
interface LackingRow {
  readonly row: AsOfRow | null
  /** Their ids; never empty. */
  readonly lacking: readonly string[]
}

/** NotComputed and LackingRow are answered for batch views only. */
export type AsOfEntry = AsOfRow | ExpiredHistory | NotComputed | LackingRow | null

export interface AsOfJoin {
  /** Views of one entity type. */
  readonly views: readonly OfflineView[]
  readonly rows: readonly EntityRow[]
  /**
   * A snapshot of the database (the text of a `pg_snapshot`) outside which nothing is read that transactions wrote, whatever
   * its times say; null: no such bound. Mapped tables do not know it, and what was removed since is gone.
   */
  readonly visibleIn: string | null
}

/** Per view, one entry per entity row in the order asked for. */
type AsOfAnswer = readonly (readonly AsOfEntry[])[]

/** Point-in-time joins; the rule is design section 3.1, held by one contract suite. */
export interface AsOfReader {
  /**
   * Per view and entity row, among the rows with that key, `event_timestamp <= asOf` and a created timestamp that is
   * null or `<= knownAt`, the newest by (event timestamp, created timestamp with null oldest, row id); null without one.
   * Of a STREAM view its windows at `asOf` over the events stored until `knownAt`, each at the earlier of its event timestamp
   * and the moment it was stored (design sections 3.5, 3.6 and 3.8); null where no window holds an event, else the event
   * timestamp is the newest of these times, the created timestamp the latest moment of storing in the longest window.
   * Of a BATCH view the newest recorded snapshot at or before `asOf` answers, and so does its definition as it was at
   * `knownAt`: where that, or the one that computed the row, is another than the view's `digests`, it is not computed. Before
   * its first snapshot it is not computed either, unless the source has no event before then.
   * Where one of a STREAM view's windows begins before its events are stored, that is answered instead, whatever is still there.
   * Exactly one entry per entity row, in order, duplicates kept. One statement, one index probe per view and entity
   * row. An aborted signal cancels the statement in the server.
   */
  readonly asOfJoin: (join: AsOfJoin, signal: AbortSignal) => Promise<AsOfAnswer>

  /** Resolves when the server answers. */
  readonly ping: () => Promise<void>
}
