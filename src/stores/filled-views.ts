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

/** What is there of the views, by which definitions. Rejects with `StoreFailed`. */
export interface FilledViews {
  /** One entry per view, in order; asked for all of them every half second. One statement. */
  readonly filled: (views: readonly StoredOfflineView[]) => Promise<readonly FilledView[]>
  /** Views of the project with none of these ids whose managed table is there, each with its last definition. */
  readonly abandoned: (
    ids: readonly string[],
  ) => Promise<readonly { readonly id: string; readonly definition: string }[]>
}
