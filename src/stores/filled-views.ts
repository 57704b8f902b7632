import type { FeatureDigests } from '../definitions/feature-digest.ts'
import type { StoredOfflineView } from './offline-view.ts'

/** How a view's rows stand to its definitions: what a key without a row online means. */
export interface FilledView {
  /** By which definition its rows were materialized last; null: never. */
  readonly materialized: KnownDigests | null
  /** Of batch views: whether any snapshot was computed. */
  readonly hasSnapshots: boolean
  /** Of batch views: whether the source may have events. */
  readonly hasEvents: boolean
}

/** Null: the definition is not known any more. */
interface KnownDigests {
  readonly digests: FeatureDigests | null
}

/** Asked for all views about once a second, in one statement. */
export interface FilledViews {
  /** One entry per view, in order. Rejects with `StoreFailed`. */
  readonly filled: (views: readonly StoredOfflineView[]) => Promise<readonly FilledView[]>
}
