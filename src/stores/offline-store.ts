import type { PostgresSource } from '../definitions/data-source.ts'
import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey, FeatureRow, Value } from '../definitions/value.ts'
import type { JoinKeyType, ValueType } from '../definitions/value-type.ts'

/** What a store must know of a feature view: its columns, its key and where its rows stand. */
export interface OfflineView {
  readonly name: string
  readonly entity: { readonly joinKeys: readonly { readonly name: string; readonly type: JoinKeyType }[] }
  readonly features: readonly { readonly name: string; readonly type: ValueType }[]
  /** Null: a table that the store makes and writes itself. */
  readonly source: PostgresSource | null
}

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
}

export interface AsOfJoin {
  /** Views of one entity type. */
  readonly views: readonly OfflineView[]
  readonly rows: readonly EntityRow[]
}

/** Per view, one entry per entity row in the order asked for. */
type AsOfAnswer = readonly (readonly (AsOfRow | null)[])[]

/**
 * All feature rows with their times. The rule of `asOfJoin` is design section 3.1, held by one contract suite.
 * Every method rejects with `StoreFailed` when the database cannot be reached, is too slow or answers with an error.
 */
export interface OfflineStore {
  /**
   * Per view and entity row, among the rows with that key, `event_timestamp <= asOf` and a created timestamp that is
   * null or `<= knownAt`, the newest by (event timestamp, created timestamp with null oldest, row id); null without one.
   * Exactly one entry per entity row, in order, duplicates kept. One statement, one index probe per view and entity
   * row. An aborted signal cancels the statement in the server.
   */
  readonly asOfJoin: (join: AsOfJoin, signal: AbortSignal) => Promise<AsOfAnswer>

  /**
   * Appends rows to a view without a source, in one statement per few thousand rows; one row id per row, in order.
   * Values are taken as accepted (`acceptValue`). Not idempotent: a row written twice is there twice.
   */
  readonly insertRows: (view: OfflineView, rows: readonly FeatureRow[]) => Promise<readonly number[]>

  /**
   * Makes missing tables and missing nullable columns of views without a source, and checks everything else:
   * @throws TablesDiffer naming every difference, both sides; nothing is changed then.
   */
  readonly ensureTables: (views: readonly OfflineView[]) => Promise<void>

  /** Resolves when the server answers. */
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}
