/** In this epoch the online store holds all rows of the view, under the keys of this generation. */
interface RecordedFill {
  readonly epoch: number
  readonly viewId: string
  readonly generation: number
}

/** A moment of the online store's history: its epoch, and which check of it was begun last. */
export interface GuardMoment {
  /** 0: none has begun yet. */
  readonly epoch: number
  readonly check: number
}

export interface RecordedGuard extends GuardMoment {
  /** Of this epoch and the one before. */
  readonly fills: readonly RecordedFill[]
  /** By view id: under which key generation rows are written. Absent: 0. */
  readonly generations: ReadonlyMap<string, number>
  /** Ids of the views that were filled at least once. */
  readonly filledOnce: ReadonlySet<string>
}

/** The views whose rows are all there in the epoch that is recorded, under the keys that are recorded. */
export function filledViews({ epoch, fills, generations }: RecordedGuard): ReadonlySet<string> {
  const current = fills.filter(
    (fill) => fill.epoch === epoch && fill.generation === (generations.get(fill.viewId) ?? 0),
  )
  return new Set(current.map(({ viewId }) => viewId))
}

/**
 * What is recorded of the online store's contents, offline, where it is not lost with them; of one project. Readers and
 * writers of rows ask it, the holder of the guard's lease (`guard-lease.ts`) changes it. Rejects with `StoreFailed`.
 */
export interface GuardRecord {
  /** Everything that a reader needs, as of one moment. One round trip. */
  readonly read: () => Promise<RecordedGuard>
  readonly moment: () => Promise<GuardMoment>
  /**
   * Under which key generation the view's rows are written. A writer asks after its rows are committed offline: where it
   * gets an older generation, what fills the newer one sees the rows.
   */
  readonly generation: (viewId: string) => Promise<number>
  /** Has the view's rows written under `to` instead of `from`, and what begins with `oldPrefix` removed. False: `from` had ended. */
  readonly renew: (view: {
    readonly viewId: string
    readonly from: number
    readonly to: number
    readonly oldPrefix: string
  }) => Promise<boolean>
  /** False: the epoch has ended, or the view's rows are written under another generation. */
  readonly recordFill: (fill: RecordedFill) => Promise<boolean>
}
