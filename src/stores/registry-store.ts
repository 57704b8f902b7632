import type { RowLayout } from './online-value/packed-row.ts'

/** A view's identity in keys and tables: its name when it was first applied. */
export interface ViewIdentity {
  readonly id: string
  readonly name: string
}

export interface StoredLayout extends RowLayout {
  readonly viewId: string
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
  /** Every layout ever recorded for the project. */
  readonly layouts: () => Promise<readonly StoredLayout[]>
}
