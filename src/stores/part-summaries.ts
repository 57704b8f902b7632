import type { ColumnSummary, MadeColumn, TrainingFormat } from './training-file.ts'

/** Files of one training set, as one. */
export interface PartFiles {
  readonly paths: readonly string[]
  readonly format: TrainingFormat
  readonly rows: number
}

/** What the values of columns are like over all parts; numbers and bools only, in the columns' order. */
export type SummarizeParts = (
  parts: PartFiles,
  columns: readonly MadeColumn[],
) => Promise<readonly ColumnSummary[]>
