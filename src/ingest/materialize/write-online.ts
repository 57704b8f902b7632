import type { Clock } from '../../definitions/timestamp.ts'
import type { StoredView } from '../../registry/registry.ts'
import type { StoredFeatureRow } from '../../stores/newest-rows.ts'
import type { OnlineStore, OnlineWriteOutcome } from '../../stores/online-store.ts'
import { onlineKeySuffix } from '../../stores/online-value/online-key.ts'
import { type RowLayout, rowPacker } from '../../stores/online-value/packed-row.ts'
import { physicalExpiry } from '../../stores/online-value/physical-expiry.ts'

export interface OnlineTargets {
  readonly online: OnlineStore
  /** The front of the view's online keys, as it is recorded now: one round trip to the offline database. */
  readonly rowPrefix: (view: StoredView) => Promise<string>
  readonly layout: (view: StoredView) => RowLayout
  readonly clock: Clock
}

/**
 * Rows as they stand offline, of each key the newest that is due, go online; one outcome a row, in order. They must be
 * committed: the front of their keys is asked for afterwards, so that no row misses a generation that is being filled.
 */
export async function writeOnline(
  targets: OnlineTargets,
  view: StoredView,
  rows: readonly StoredFeatureRow[],
): Promise<readonly OnlineWriteOutcome[]> {
  const pack = rowPacker(targets.layout(view))
  if (rows.length === 0) return []
  const prefix = await targets.rowPrefix(view)
  const writes = rows.map((row) => ({ key: prefix + onlineKeySuffix(row.key), row: pack(row) }))
  return await targets.online.writeMany(writes, physicalExpiry(view.ttlMicros))
}
