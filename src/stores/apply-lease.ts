import type { BegunApply, NewVersion } from './version-store.ts'

/** A change of the registry that is about to begin. */
export type NewApply = Pick<BegunApply, 'kind' | 'base' | 'digest' | 'format' | 'content' | 'by' | 'message'>

/**
 * BEGUN: the lease is the caller's; where it goes on with a begun change, the message may be that one's. BUSY: another process holds it. MOVED: the version that is current is not the one that
 * the change starts from.
 */
export type BeginOutcome =
  | { readonly status: 'BEGUN'; readonly message: string | null }
  | { readonly status: 'BUSY'; readonly begun: BegunApply }
  | { readonly status: 'MOVED' }

/**
 * One change of a project's registry at a time: a row with a lease by the database's clock, so that it needs no session and
 * outlives its process. Rejects with `StoreFailed`.
 */
export interface ApplyLease {
  /**
   * Takes the lease where nobody holds it. A begun change to the same content goes on with what it has done; one to another
   * content is replaced.
   */
  readonly begin: (apply: NewApply, holder: string) => Promise<BeginOutcome>
  /** Renews it; `done` is recorded as a step that is done. False: another holder has taken over. */
  readonly renew: (holder: string, done: string | null) => Promise<boolean>
  /**
   * Makes the version current, notifies listeners and ends the change, in one transaction; null: only ends it. False: another holder has taken over,
   * or another version of its number came first; nothing is changed then.
   */
  readonly finish: (holder: string, version: NewVersion | null) => Promise<boolean>
  /** Ends the lease. What was begun stays recorded, unless nothing of it was done. */
  readonly release: (holder: string) => Promise<void>
}

/** For so long a process is trusted to be at work without having said so. */
export const applyLeaseMs = 10_000
