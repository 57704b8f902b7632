import type { PostgresSource } from '../definitions/data-source.ts'
import type { FeatureDigests } from '../definitions/feature-digest.ts'
import type { ParquetSource } from '../definitions/parquet-source.ts'
import type { JoinKeyType, ValueType } from '../definitions/value-type.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'
import type { StoredEventSource } from './stored-event-source.ts'

/** A feature as a store must know it. */
export interface OfflineFeature {
  /** As it is called today: what a mapped table's columns are found by. */
  readonly name: string
  /** Its first name. */
  readonly id: string
  readonly type: ValueType
  /**
   * Of a table of the store's own: the column that is written, then those of older rows, whose values stand in the first
   * one's type without a loss. The first may be wider than the feature.
   */
  readonly columns: readonly { readonly name: string; readonly type: ValueType }[]
}

interface ViewColumns {
  /** Its first name: its table and all that is recorded of it are found by this. */
  readonly id: string
  /** As it is called today, for messages. */
  readonly name: string
  readonly entity: { readonly joinKeys: readonly { readonly name: string; readonly type: JoinKeyType }[] }
  readonly features: readonly OfflineFeature[]
}

interface PlainOfflineView extends ViewColumns {
  readonly kind: 'PLAIN'
  /** Null: a table that the store makes and writes itself. */
  readonly source: PostgresSource | ParquetSource | null
}

/** Its rows stand in Parquet files or in a Delta table, and no store of ours writes them. */
export type ParquetOfflineView = PlainOfflineView & { readonly source: ParquetSource }

export function isParquet<View extends OfflineView>(view: View): view is View & ParquetOfflineView {
  return view.source?.kind === 'parquet'
}

/** Its rows are batch snapshots in a table of the store's own, and some of them are closing rows. */
export interface BatchOfflineView extends ViewColumns {
  readonly kind: 'BATCH'
  readonly source: null
  readonly events: StoredEventSource
  /** What its rows mean today. */
  readonly digests: FeatureDigests
}

/** A view whose rows stand somewhere. */
export type StoredOfflineView = PlainOfflineView | BatchOfflineView

/** A view that is computed from stored events when it is asked for. */
export interface StreamedOfflineView extends ViewColumns {
  readonly kind: 'STREAM'
  readonly source: null
  readonly events: StoredEventSource
  /** In the features' order. */
  readonly aggregations: readonly WindowedAggregation[]
}

/** What a store must know of a feature view: its columns, its key and where its rows stand or come from. */
export type OfflineView = StoredOfflineView | StreamedOfflineView
