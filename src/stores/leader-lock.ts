/** Lets one process of a project do a piece of work, among many that could. */
export interface LeaderLock {
  /**
   * Whether this process has the lock now: takes it when it is free, asks the database when it was taken before. Another
   * process gets it as soon as this one has ended, however it ended. Rejects with `StoreFailed` when the database does
   * not answer; the lock is not held then, and the next call tries to take it again.
   */
  readonly hold: () => Promise<boolean>
  /** Releases it, for good or until the next `hold`. */
  readonly release: () => Promise<void>
}
