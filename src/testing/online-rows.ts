import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey } from '../definitions/value.ts'
import type { StoredView, StreamView } from '../registry/registry.ts'
import { memoryOnlineStore } from '../stores/memory/online-store.ts'
import { onlineKeyPrefix, onlineKeySuffix } from '../stores/online-value/online-key.ts'
import { type RowLayout, type RowToPack, rowPacker } from '../stores/online-value/packed-row.ts'
import { physicalExpiry } from '../stores/online-value/physical-expiry.ts'
import { packSection } from '../stores/online-value/tile-sections.ts'
import { byteWriter } from '../windows/bytes.ts'
import { tileLayout } from '../windows/tile-rings.ts'
import type { KeyedEvent } from './stored-events.ts'

/**
 * Rows that were written by a moment, as the online store has them then: packed, the newest by the total order, gone once
 * they are past the ttl and its margin. Null: there is none.
 */
export async function packedOnline(
  view: StoredView,
  layout: RowLayout,
  key: EntityKey,
  rows: readonly RowToPack[],
  at: Micros,
): Promise<Buffer | null> {
  const store = memoryOnlineStore(() => at)
  const name = onlineKeyPrefix('default', view.id) + onlineKeySuffix(key)
  const pack = rowPacker(layout)
  for (const row of rows)
    await store.writeMany([{ key: name, row: pack(row) }], physicalExpiry(view.ttlMicros))
  return (await store.readMany([name])).rows[0] ?? null
}

/** The tiles of a key over its events, as one section; null without any. */
export function tiledOnline(
  view: StreamView,
  { fingerprint }: Pick<RowLayout, 'fingerprint'>,
  events: readonly KeyedEvent[],
): Buffer | null {
  if (events.length === 0) return null
  const layout = tileLayout(view.aggregations)
  const rings = layout.empty()
  for (const event of events) layout.add(rings, event)
  const out = byteWriter()
  layout.write(out, rings)
  return packSection(fingerprint, Number.NEGATIVE_INFINITY, {
    ...{ topic: 1, partition: 0, offset: Math.max(...events.map(({ place }) => place.offset)) },
    newestEvent: Math.max(...events.map(({ timestamp }) => timestamp)),
    latestStored: Math.max(...events.map(({ storedAt }) => storedAt)),
    tiles: out.take(),
  })
}
