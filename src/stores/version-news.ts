/** Shortens the wait of a process that asks for the registry's newest version each second. */
export interface VersionNews {
  /**
   * Calls back when a version may have been made current; it may never: what stands between may swallow it. Returns how to
   * stop. Never fails: a connection that breaks is made again.
   */
  readonly listen: (onNews: () => void) => () => Promise<void>
}
