import type { Clock } from '../definitions/timestamp.ts'
import type { FeatureRow } from '../definitions/value.ts'
import type { FeatureView } from '../registry/registry.ts'
import type { OfflineStore } from '../stores/offline-store.ts'
import { onlineKeySuffix } from '../stores/online-key.ts'
import type { OnlineStore } from '../stores/online-store.ts'
import { type RowLayout, rowPacker } from '../stores/packed-row.ts'
import { physicalExpiry } from '../stores/physical-expiry.ts'

export interface RowTargets {
  readonly offline: OfflineStore
  readonly online: OnlineStore
  readonly keyPrefix: (view: FeatureView) => string
  readonly layout: (view: FeatureView) => RowLayout
  readonly clock: Clock
}

/** How many rows each store took; a row that is not yet due, or not the newest of its key, stays offline only. */
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
  view: FeatureView,
  rows: readonly FeatureRow[],
): Promise<WrittenRows> {
  const rowIds = await targets.offline.insertRows(view, rows)
  if (!view.online) return { offline: rows.length, online: 0 }
  const now = targets.clock()
  const newest = new Map<string, { readonly row: FeatureRow; readonly rowId: number }>()
  rows.forEach((row, index) => {
    if (row.eventTimestamp > now) return
    const suffix = onlineKeySuffix(row.key)
    const other = newest.get(suffix)
    if (!other || !isOlder(row, other.row)) newest.set(suffix, { row, rowId: rowIds[index] ?? 0 })
  })
  const pack = rowPacker(targets.layout(view))
  const prefix = targets.keyPrefix(view)
  const writes = [...newest].map(([suffix, { row, rowId }]) => ({
    key: prefix + suffix,
    row: pack({ ...row, rowId }),
  }))
  const outcomes = await targets.online.writeMany(writes, physicalExpiry(view.ttlMicros))
  return { offline: rows.length, online: outcomes.filter((outcome) => outcome === 'WRITTEN').length }
}

/** By event, then created timestamp; of equal rows the later in the list has the higher row id. */
function isOlder(row: FeatureRow, other: FeatureRow): boolean {
  if (row.eventTimestamp !== other.eventTimestamp) return row.eventTimestamp < other.eventTimestamp
  return (
    (row.createdTimestamp ?? Number.NEGATIVE_INFINITY) < (other.createdTimestamp ?? Number.NEGATIVE_INFINITY)
  )
}
