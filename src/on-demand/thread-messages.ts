import type { ComputedRow, ComputeFailure } from './compute-row.ts'

export type ThreadAnswer =
  /** Views whose functions are in none of the files. */
  | { readonly kind: 'READY'; readonly lacking: readonly string[] }
  | {
      readonly kind: 'ROWS'
      readonly rows: readonly ComputedRow[]
      /** The first of each kind. */
      readonly failures: readonly Omit<ComputeFailure, 'cause'>[]
    }
