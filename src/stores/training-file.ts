import type { Value } from '../definitions/value.ts'
import type { ValueType } from '../definitions/value-type.ts'
import type { FileForm, RowRange } from './file-reader.ts'
import type { ValueColumn } from './value-column.ts'

export const trainingFormats = ['parquet', 'csv', 'ndjson', 'arrow'] as const
export type TrainingFormat = (typeof trainingFormats)[number]

/** A column of the spine; of text files the type that its values have been read as, null: what they look like decides. */
export interface SpineColumn {
  readonly name: string
  readonly type: ValueType | null
}

/** A column that stands behind the spine's: values, statuses by their numbers, or vectors of `width` numbers. */
export type MadeColumn = { readonly name: string } & (
  | { readonly kind: 'VALUES'; readonly type: ValueType }
  | { readonly kind: 'STATUSES' }
  | { readonly kind: 'VECTORS'; readonly width: number }
)

/** An entry a row: a `ValueColumn`, places in `featureStatuses`, or a column per place of the vector. */
export type MadeValues = ValueColumn | Uint8Array | readonly Float64Array[]

export interface TrainingFileRequest {
  /** A TYPED spine's columns are taken from its file, unchanged; those of others come with each batch. */
  readonly spine: {
    readonly path: string
    readonly form: FileForm
    readonly columns: readonly SpineColumn[]
    /** Which of its rows; null: all. */
    readonly rows: RowRange | null
  }
  /** What stands behind the spine's columns. */
  readonly columns: readonly MadeColumn[]
  readonly out: string
  readonly format: TrainingFormat
}

export interface TrainingBatch {
  readonly rows: number
  /** Per column of the spine, an entry a row; not read where the spine is TYPED. Untyped values are text or null. */
  readonly spine: readonly (readonly (Value | null)[])[]
  readonly columns: readonly MadeValues[]
}

/** What a column's values are like. Numbers are null where there is none. */
export interface ColumnSummary {
  readonly name: string
  readonly nulls: number
  readonly minimum: number | null
  readonly maximum: number | null
  readonly mean: number | null
  /** At 1, 5, 25, 50, 75, 95 and 99 %; beyond 250,000 rows of every second one, of every third, and so on. */
  readonly quantiles: readonly number[] | null
}

export interface WrittenFile {
  readonly bytes: number
  /** Of the made values, numbers and bools only. */
  readonly summaries: readonly ColumnSummary[]
}

export interface TrainingFile {
  /** Behind the rows that came before. */
  readonly append: (batch: TrainingBatch) => Promise<void>
  /** Once all rows are there: writes the file under its name, whole or not at all. */
  readonly write: () => Promise<WrittenFile>
  /** Removes what is not the file. */
  readonly close: () => Promise<void>
}

/** Rows are kept beside the file until all are there, so that memory does not grow with their number. */
export interface TrainingFiles {
  /** @throws BadUserInput where the file's folder cannot be written. */
  readonly open: (request: TrainingFileRequest) => Promise<TrainingFile>
}
