import type { Clock } from '../../definitions/timestamp.ts'
import type { StoredView } from '../../registry/registry.ts'
import type { StoredFeatureRow } from '../../stores/newest-rows.ts'
import type { OnlineStore, OnlineWriteOutcome } from '../../stores/online-store.ts'
import { onlineKeySuffix } from '../../stores/online-value/online-key.ts'
import { type RowLayout, rowPacker } from '../../stores/online-value/packed-row.ts'
import { physicalExpiry } from '../../stores/online-value/physical-expiry.ts'

export interface OnlineTargets {
  readonly online: OnlineStore
  readonly keyPrefix: (view: StoredView) => string
  readonly layout: (view: StoredView) => RowLayout
  readonly clock: Clock
}

/** Rows as they stand offline, of each key the newest that is due, go online; one outcome a row, in order. */
export async function writeOnline(
  targets: OnlineTargets,
  view: StoredView,
  rows: readonly StoredFeatureRow[],
): Promise<readonly OnlineWriteOutcome[]> {
  const pack = rowPacker(targets.layout(view))
  const prefix = targets.keyPrefix(view)
  const writes = rows.map((row) => ({ key: prefix + onlineKeySuffix(row.key), row: pack(row) }))
  return await targets.online.writeMany(writes, physicalExpiry(view.ttlMicros))
}
