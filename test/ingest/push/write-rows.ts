import type { FeatureRow } from '../../../src/definitions/value.ts'
import { type OnlineTargets, writeOnline } from '../../../src/ingest/materialize/write-online.ts'
import type { StoredView } from '../../../src/registry/registry.ts'
import type { OfflineStore } from '../../../src/stores/offline-store.ts'

export interface RowTargets extends OnlineTargets {
  readonly offline: Pick<OfflineStore, 'insertRows'>
}

/** How many rows each store took; a row that is not yet due, or not the newest of its key, stays offline only. */
export interface WrittenRows {
  readonly offline: number
  readonly online: number
}

/** Accepted rows into both stores without what a push does besides. */
export async function writeRows(
  targets: RowTargets,
  view: StoredView,
  rows: readonly FeatureRow[],
): Promise<WrittenRows> {
  const { rowIds, newest } = await targets.offline.insertRows(view, rows, targets.clock())
  const stored = rowIds.filter((rowId) => rowId !== null)
  if (!view.online) return { offline: stored.length, online: 0 }
  const outcomes = await writeOnline(targets, view, newest)
  const written = newest.filter(
    ({ rowId }, index) => outcomes[index] === 'WRITTEN' && stored.includes(rowId ?? -1),
  )
  return { offline: stored.length, online: written.length }
}
