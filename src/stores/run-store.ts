import type { Micros } from '../definitions/timestamp.ts'
import type { MaterializedPoint } from './newest-rows.ts'

export const runKinds = [
  'IMPORT',
  'BATCH',
  'MATERIALIZE',
  'VALIDATE',
  'REBUILD',
  'TRAINING_SET',
  'EXPORT',
] as const
export type RunKind = (typeof runKinds)[number]
export const runStates = ['RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'INTERRUPTED'] as const
type RunState = (typeof runStates)[number]

export interface Run {
  readonly id: string
  readonly kind: RunKind
  /** Its id. */
  readonly view: string | null
  readonly asOf: Micros | null
  readonly state: RunState
  readonly startedAt: Micros
  readonly finishedAt: Micros | null
  readonly rowsRead: number | null
  readonly rowsWritten: number | null
  readonly error: string | null
}

/** What is run on what; one at a time of each. */
interface RunSubject {
  readonly kind: RunKind
  readonly view: string | null
  readonly asOf: Micros | null
}

interface RunOutcome {
  readonly state: 'SUCCEEDED' | 'FAILED'
  readonly rowsRead: number | null
  readonly rowsWritten: number | null
  readonly error: string | null
}

export interface RunFilter {
  readonly kind: RunKind | null
  readonly view: string | null
  /** Started at or after it. */
  readonly since: Micros | null
  /** At most so many. */
  readonly first: number
  /** The last run of the page before. */
  readonly after: Pick<Run, 'id' | 'startedAt'> | null
}

/** How far a view was materialized; `marker` stands in the online store too. */
export interface Watermark extends MaterializedPoint {
  readonly marker: string
  /** Of the rows that were materialized; null: their writer says what they mean. An empty one is not known. */
  readonly definition: string | null
  /** By which materializing them has begun and is not complete, so that rows of both may stand online; null: none. */
  readonly filling: string | null
}

/**
 * What was run when and with which outcome, and how far each view, by its id, has been materialized. Of one project.
 * Every method rejects with `StoreFailed` when the database does not answer.
 */
export interface RunStore {
  /**
   * Records a run and its outcome around the work, while a lock keeps every other run of that kind and view out, in
   * any process; `onWait` is called when it has to be waited for. A run that is found running meanwhile has lost its
   * process and becomes INTERRUPTED. What the work throws is recorded as FAILED, `Cancelled` as CANCELLED, and thrown on; an outcome that cannot
   * be recorded after the work has thrown does not hide that. `progress` is recorded once a second.
   */
  readonly withRun: <Result>(
    subject: RunSubject,
    options: { readonly now: () => Micros; readonly onWait: () => void },
    work: (
      progress: (rowsRead: number) => void,
    ) => Promise<{ readonly outcome: RunOutcome; readonly result: Result }>,
  ) => Promise<Result>
  /** Newest first, by (started at, id). Runs whose process is gone are INTERRUPTED, also if no one else ran since. */
  readonly runs: (filter: RunFilter) => Promise<readonly Run[]>
  /** Null: the view was never materialized. */
  readonly readWatermark: (view: string) => Promise<Watermark | null>
  /** Before the marker is written online: until the watermark is moved, either of the two may stand there. */
  readonly announceMarker: (view: string, marker: string) => Promise<void>
  /** To be called before the first row of another definition is written; nothing happens without a watermark. */
  readonly beginFilling: (view: string, definition: string) => Promise<void>
  /** @throws StoreFailed for a view that the registry store has not recorded. */
  readonly moveWatermark: (view: string, watermark: Watermark) => Promise<void>
}
