import type { Clock } from '../../definitions/timestamp.ts'
import type { FeatureRow } from '../../definitions/value.ts'
import type { StoredView } from '../../registry/registry.ts'
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

/** A row that the offline store has taken, with the id that it got there. */
export interface RowWithId extends FeatureRow {
  readonly rowId: number
}

/**
 * Of rows that are stored offline, the newest of each key goes online; one outcome a row, in order. NOT_YET: its event
 * timestamp has not come by the clock. OLDER: another row of its key is newer, in the store or among these rows (of
 * equal ones the later in the list has the higher row id).
 */
export async function writeOnline(
  targets: OnlineTargets,
  view: StoredView,
  rows: readonly RowWithId[],
): Promise<readonly (OnlineWriteOutcome | 'NOT_YET')[]> {
  const now = targets.clock()
  const newest = new Map<string, number>()
  rows.forEach((row, place) => {
    if (row.eventTimestamp > now) return
    const suffix = onlineKeySuffix(row.key)
    const other = rows[newest.get(suffix) ?? -1]
    if (!other || !isOlder(row, other)) newest.set(suffix, place)
  })
  const pack = rowPacker(targets.layout(view))
  const prefix = targets.keyPrefix(view)
  const places: number[] = []
  const writes = [...newest].flatMap(([suffix, place]) => {
    const row = rows[place]
    if (!row) return []
    places.push(place)
    return [{ key: prefix + suffix, row: pack(row) }]
  })
  const written = await targets.online.writeMany(writes, physicalExpiry(view.ttlMicros))
  const outcomes = rows.map((row): OnlineWriteOutcome | 'NOT_YET' =>
    row.eventTimestamp > now ? 'NOT_YET' : 'OLDER',
  )
  written.forEach((outcome, index) => {
    const place = places[index]
    if (place !== undefined) outcomes[place] = outcome
  })
  return outcomes
}

/** By event, then created timestamp. */
function isOlder(row: FeatureRow, other: FeatureRow): boolean {
  if (row.eventTimestamp !== other.eventTimestamp) return row.eventTimestamp < other.eventTimestamp
  return (
    (row.createdTimestamp ?? Number.NEGATIVE_INFINITY) < (other.createdTimestamp ?? Number.NEGATIVE_INFINITY)
  )
}
