/** A view whose rows were materialized once, with the markers that the online store may hold. */
export interface MarkedView {
  readonly viewId: string
  readonly generation: number
  /** The one recorded last, and the one that a run was about to write. */
  readonly markers: readonly string[]
}

/** A view whose rows are written again under new keys; what begins with `oldPrefix` is to be removed. */
export interface RenewedView {
  readonly viewId: string
  readonly generation: number
  readonly oldPrefix: string
}

export interface EpochStart {
  /** Of the guard that is written next. */
  readonly tick: number
  /** Ids of the views whose rows are all there, under the generation that they have. */
  readonly complete: readonly string[]
  readonly renewed: readonly RenewedView[]
  /** KEEP: tiles that were caught up after this check stay so. RENEW: every generation of tiles is of a lost past. */
  readonly tiles: { readonly kind: 'KEEP'; readonly check: number } | { readonly kind: 'RENEW' }
}

/**
 * The lease of the one process that may write a project's guard: gateways, workers and streams compete for it. A process
 * that has lost it without noticing changes nothing. Rejects with `StoreFailed`.
 */
export interface GuardLease {
  /** Takes or renews the lease for five seconds; null: another process has it. `tick` is the guard's, where it is known. */
  readonly hold: (tick: number | null) => Promise<{ readonly epoch: number; readonly tick: number } | null>
  readonly release: () => Promise<void>
  /** Asks the stream's leader to catch up from the markers that the store has now; returns the number of the check. */
  readonly beginCheck: () => Promise<number>
  readonly markedViews: () => Promise<readonly MarkedView[]>
  /** Whether all tiles that are read in this epoch have been caught up since the check began. */
  readonly tilesCaughtUp: (check: number) => Promise<boolean>
  /** Returns the epoch's number; null: the lease is lost. */
  readonly beginEpoch: (start: EpochStart) => Promise<number | null>
}
