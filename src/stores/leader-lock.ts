/** Lets one worker of a project run among many processes. */
export interface WorkerLock {
  /**
   * Whether this process has the lock now: takes it when it is free, asks the database when it was taken before. Another
   * process gets it as soon as this one has ended, however it ended. Rejects with `StoreFailed` when the database does
   * not answer; the lock is not held then, and the next call tries to take it anew.
   */
  readonly hold: () => Promise<boolean>
  /** Lets go of it, for good or until the next `hold`. */
  readonly release: () => Promise<void>
}
