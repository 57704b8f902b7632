/** A computation over files as one script, whose input and output locations stand in it. */
export interface EngineJob {
  /** What logs and cluster pages call it. */
  readonly name: string
  /** In the dialect of the engine, each statement ended by a semicolon at its line's end. */
  readonly sql: string
  /** The folders that the script reads. */
  readonly inputs: readonly string[]
  /** The folder that the script writes: local, or as the engine's own file systems name it. */
  readonly output: string
}

export interface EngineOptions {
  /** Ends the job: what it has written stays without `_SUCCESS`. */
  readonly signal: AbortSignal
  /** What the engine logs, line by line. */
  readonly onLog: (line: string) => void
}

export interface EngineResult {
  /** Null where the engine's report does not come back, as from a cluster that runs the driver itself: the files say it. */
  readonly rows: number | null
}

/**
 * Runs jobs on an engine that reads and writes files by itself. The output is whole if and only if the folder holds
 * `_SUCCESS`, which is written last; what a run left that was ended before that is replaced by the next one.
 */
export interface JobEngine {
  readonly name: 'spark' | 'duckdb'
  /**
   * @throws BadUserInput when the output holds a finished run, or anything that no run left; EngineFailed when the engine
   * cannot be started, fails or ends without `_SUCCESS`; the signal's reason when it was cancelled.
   */
  readonly run: (job: EngineJob, options: EngineOptions) => Promise<EngineResult>
}
