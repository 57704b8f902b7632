import type { FeatureRow } from '../../definitions/value.ts'
import type { StoredView } from '../../registry/registry.ts'
import type { InsertedRowIds, OfflineStore } from '../../stores/offline-store.ts'
import { type KeptRow, type OnlineTargets, writeOnline } from '../materialize/write-online.ts'

export interface RowTargets extends OnlineTargets {
  readonly offline: OfflineStore
}

/** How many rows each store took, those of deleted entities in neither; a row that is not yet due, or not the newest of its key, stays offline only. */
export interface WrittenRows {
  readonly offline: number
  readonly online: number
}

/**
 * Accepted rows → offline first, then the newest row of each key online: a row that is online and not offline would be
 * one that no as-of query ever sees. A row whose event timestamp has not come by the clock waits for a later run.
 */
export async function writeRows(
  targets: RowTargets,
  view: StoredView,
  rows: readonly FeatureRow[],
): Promise<WrittenRows> {
  const rowIds = await targets.offline.insertRows(view, rows)
  const kept = keptRows(rows, rowIds)
  if (!view.online) return { offline: kept.length, online: 0 }
  const outcomes = await writeOnline(targets, view, kept)
  return { offline: kept.length, online: outcomes.filter((outcome) => outcome === 'WRITTEN').length }
}

/** The rows that the offline store has taken, in order. */
export function keptRows(rows: readonly FeatureRow[], rowIds: InsertedRowIds): readonly KeptRow[] {
  return rows.flatMap((row, index) => {
    const rowId = rowIds[index] ?? null
    return rowId === null ? [] : [{ ...row, rowId }]
  })
}
