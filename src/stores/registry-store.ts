import type { FeatureDigests } from '../definitions/feature-digest.ts'
import type { RowLayout } from './online-value/packed-row.ts'

/** A view's identity in keys and tables: its name when it was first applied. */
export interface ViewIdentity {
  readonly id: string
  readonly name: string
}

export interface StoredLayout extends RowLayout {
  readonly viewId: string
  /** By which its rows are computed; null: they mean what their writer says. */
  readonly definition: string | null
}

/** A layout of any time, with what its rows mean; null: that is not known, or is what their writer says. */
export type KnownLayout = StoredLayout & { readonly digests: FeatureDigests | null }

/** What a view's stored values mean today. */
interface RecordedDefinition {
  readonly viewId: string
  readonly definition: string
  readonly digests: FeatureDigests
  /** What was recorded with its snapshots before features had digests; null: it has none. */
  readonly undigested: string | null
  /** Whether the definition makes the view's rows: what was stored without one is then to be attributed. */
  readonly isComputed: boolean
}

/**
 * What outlives a process about the definitions: the ids that stand in keys and every row layout that was ever written,
 * so that a reader never has to guess. Rejects with `StoreFailed` when the database does not answer.
 */
export interface RegistryStore {
  /** The id of each view, in order; an unknown name is recorded with itself as id. */
  readonly ensureViews: (names: readonly string[]) => Promise<readonly ViewIdentity[]>
  /**
   * Records layouts before their first row is written; one that is known already changes nothing.
   * @throws StoreFailed when a fingerprint stands for another layout (a collision of 32 bits: reorder a feature).
   */
  readonly recordLayouts: (layouts: readonly StoredLayout[]) => Promise<void>
  /**
   * Records definitions before anything is computed by them. What was stored before definitions were recorded is taken as
   * of the first one that comes, unless the view's newest snapshot was computed by another.
   */
  readonly recordDefinitions: (definitions: readonly RecordedDefinition[]) => Promise<void>
  /** Every layout ever recorded for the project. */
  readonly layouts: () => Promise<readonly KnownLayout[]>
}
