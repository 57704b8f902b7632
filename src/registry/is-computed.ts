import type { StoredView } from './registry.ts'

/**
 * Whether a view's rows are made by its definition, so that those of another one may not answer: batch snapshots, and what
 * is materialized from a mapped table or from Parquet files. Rows in a plain view's own table mean what their writer says.
 */
export function isComputed({ kind, source }: Pick<StoredView, 'kind' | 'source'>): boolean {
  return kind === 'BATCH' || source !== null
}
