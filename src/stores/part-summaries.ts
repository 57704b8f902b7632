import type { ValueType } from '../definitions/value-type.ts'
import type { ColumnSummary, TrainingFormat } from './training-file.ts'

/** Files of one training set, as one. */
export interface PartFiles {
  readonly paths: readonly string[]
  readonly format: TrainingFormat
  readonly rows: number
}

export interface SummarizedColumn {
  readonly name: string
  readonly type: ValueType
}

/** What the values of columns are like over all parts; numbers and bools only, in the columns' order. */
export type SummarizeParts = (
  parts: PartFiles,
  columns: readonly SummarizedColumn[],
) => Promise<readonly ColumnSummary[]>
