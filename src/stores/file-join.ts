import type { Micros } from '../definitions/timestamp.ts'
import type { Value } from '../definitions/value.ts'
import type { JoinKeyType, ValueType } from '../definitions/value-type.ts'
import type { RowRange } from './file-reader.ts'
import type { ParquetOfflineView, StreamedOfflineView } from './offline-view.ts'
import type { ReadFiles } from './read-files.ts'
import type { FeatureCounts, SpineCounts } from './training-counts.ts'
import type { ColumnSummary, TrainingFormat } from './training-file.ts'

/** Which rows of a view exist for a spine row: all, those created until one moment, or until a delay behind the row's own time. */
export type JoinedKnownAt =
  | { readonly kind: 'ALL' }
  | { readonly kind: 'MOMENT'; readonly at: Micros }
  | { readonly kind: 'ROW'; readonly delayMicros: Micros }

interface JoinedFeature {
  readonly name: string
  readonly type: ValueType
  /** Of a row that is not there. */
  readonly emptyValue: Value | null
}

/** Spine rows for which a read is not known, whatever the files hold. */
export type NotKnown =
  | { readonly kind: 'NONE' }
  /** Before the first snapshot, if the source may have had events by then. */
  | { readonly kind: 'NEVER_FILLED'; readonly firstSnapshot: Micros | null; readonly eventsSince: Micros }
  /** The longest window begins before this moment, since when events are stored. */
  | { readonly kind: 'HISTORY'; readonly storedSince: Micros }

interface ReadOfFiles {
  /** Names as the files' columns are found by them, and where the values stand among the spine's keys. */
  readonly keys: readonly { readonly name: string; readonly type: JoinKeyType; readonly place: number }[]
  readonly files: ReadFiles
  readonly features: readonly JoinedFeature[]
  readonly notKnown: NotKnown
}

/** A view in one role, whose newest rows are looked for. */
export interface RowRead extends ReadOfFiles {
  readonly kind: 'ROWS'
  /** With the features that are asked for, and no others. */
  readonly view: ParquetOfflineView
  /** Null: rows never grow too old. */
  readonly ttlMicros: Micros | null
}

/** A streaming view in one role, whose windows are computed from exported events at each spine row's time. */
export interface WindowRead extends ReadOfFiles {
  readonly kind: 'WINDOWS'
  /** The view's name, for messages. */
  readonly view: string
  readonly events: StreamedOfflineView['events']
  /** In the features' order. */
  readonly aggregations: StreamedOfflineView['aggregations']
}

export type JoinedRead = RowRead | WindowRead

/** What a value may be; as an expectation says it. */
interface Allowed {
  readonly min: number | null
  readonly max: number | null
  readonly notNull: boolean
  readonly oneOf: readonly Value[] | null
}

/** An entry of the service's vector: a feature of a read, or a request value out of a column of the spine (null: it has none). */
export type JoinedEntry = {
  readonly name: string
  readonly type: ValueType
  /** Of a vector, for null. */
  readonly default: number
} & (
  | {
      readonly kind: 'feature'
      readonly read: number
      readonly feature: number
      readonly allowed: Allowed | null
    }
  | { readonly kind: 'request'; readonly column: string | null }
)

export interface JoinedSpine {
  /** A Parquet file. */
  readonly path: string
  readonly rows: RowRange | null
  /** All that is handed on, in order. */
  readonly columns: readonly string[]
  readonly keys: readonly { readonly column: string; readonly type: JoinKeyType }[]
  readonly time: string
  /** Of times without an offset; null: they are refused. */
  readonly timezone: string | null
  readonly requests: readonly { readonly column: string; readonly type: ValueType }[]
}

export interface FileJoin {
  readonly spine: JoinedSpine
  readonly reads: readonly JoinedRead[]
  readonly knownAt: JoinedKnownAt
  /** In the vector's order. */
  readonly entries: readonly JoinedEntry[]
  /** Columns `vector` and `<feature>__status`. */
  readonly vector: boolean
  readonly statuses: boolean
  /** By whose clock spine rows are ahead. */
  readonly takenAt: Micros
  readonly out: string
  readonly format: TrainingFormat
}

export interface MadeJoin {
  readonly bytes: number
  readonly spine: SpineCounts
  /** Of the entries that are no request values. */
  readonly features: readonly FeatureCounts[]
  readonly summaries: readonly ColumnSummary[]
}

export type ExplainedJoin = Pick<FileJoin, 'spine' | 'reads' | 'knownAt' | 'takenAt'>

export interface JoinExplanation {
  readonly spine: SpineCounts
  /**
   * What the rows would be found by, for a reader: one script for all reads, or statements for each, in which `files_<read>` or
   * `rows_<read>` stand for what is in its files.
   */
  readonly statements:
    | { readonly kind: 'SCRIPT'; readonly sql: string }
    | { readonly kind: 'BY_READ'; readonly sql: readonly string[] }
}

interface FileJoinOptions {
  readonly onProgress: (done: number, rows: number) => void
  readonly signal: AbortSignal
}

/** Training sets whose views all stand in files: from the spine's file to the finished one without a row passing the process. */
export interface FileJoins {
  /** `unfit`: why the spine's columns have to be read value by value, so that no engine can take them as they are; null: they can. */
  readonly inspect: (spine: JoinedSpine) => Promise<{ readonly rows: number; readonly unfit: string | null }>
  /**
   * One row per row of the spine, in order, by the rules of `makeTrainingSet`.
   * @throws BadUserInput, EngineFailed; the signal's reason. No file stands under the name of `out` then that was not there before.
   */
  readonly make: (join: FileJoin, options: FileJoinOptions) => Promise<MadeJoin>
  /** The spine is read and counted, files are looked at, nothing is written. @throws BadUserInput */
  readonly explain: (join: ExplainedJoin) => Promise<JoinExplanation>
}
