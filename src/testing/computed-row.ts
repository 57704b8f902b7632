import type { Micros } from '../definitions/timestamp.ts'
import type { FeatureRow } from '../definitions/value.ts'
import { checkRow } from '../quality/check-row.ts'
import type { BatchView, StreamView } from '../registry/registry.ts'
import { snapshotAt } from '../registry/snapshot-at.ts'
import type { AsOfRow } from '../stores/as-of-reader.ts'
import { tileLayout } from '../windows/tile-rings.ts'
import { type KeyMoment, type NumberedRow, newestRow } from './newest-row.ts'
import { eventsOfKey, type KeyedEvent, type StoredEvents, type WindowedView } from './stored-events.ts'

/** The windows of a streaming view at a moment, over the events stored until `knownAt`; null where none holds an event. */
export function streamedRow(
  view: StreamView,
  log: Pick<StoredEvents, 'events'>,
  { key, asOf, knownAt }: KeyMoment,
): AsOfRow | null {
  return rowAt(view, eventsOfKey(view, log, key, knownAt), asOf)
}

/**
 * What a batch view answers at a moment when each of its snapshots was computed at its time, and again whenever an event
 * came late: the newest snapshot, over the events stored until `knownAt`. A row that was pushed at a snapshot's time stands
 * instead; one that an expectation keeps out leaves the one before it.
 */
export function snapshotRow(
  view: BatchView,
  log: Pick<StoredEvents, 'events'>,
  pushed: readonly NumberedRow[],
  { key, asOf, knownAt }: KeyMoment,
): AsOfRow | null {
  const events = eventsOfKey(view, log, key, knownAt)
  const override = newestRow(pushed, { key, asOf, knownAt })
  const earliest = Math.min(
    ...events.map(({ timestamp }) => timestamp),
    override?.eventTimestamp ?? Number.POSITIVE_INFINITY,
  )
  // A snapshot is known from its own time on.
  const newest = snapshotAt(view, knownAt === null ? asOf : Math.min(asOf, knownAt))
  let isEmptySince = false
  for (
    let time = Math.max(newest, override?.eventTimestamp ?? newest);
    time >= earliest;
    time -= view.everyMicros
  ) {
    const computed = rowAt(view, events, time)
    // What was pushed for a key without events is not closed by a later snapshot without any.
    if (override?.eventTimestamp === time)
      return isEmptySince && computed !== null ? null : { ...override, closing: false }
    if (computed === null) {
      if (override === null || override.eventTimestamp > time) return null
      isEmptySince = true
      continue
    }
    if (isEmptySince) return null
    const row: FeatureRow = { ...computed, key, eventTimestamp: time }
    const { action } = checkRow(view, row, time)
    if (action === null || action === 'warn') return { ...row, closing: false }
  }
  return null
}

function rowAt(view: WindowedView, events: readonly KeyedEvent[], time: Micros): AsOfRow | null {
  const layout = tileLayout(view.aggregations)
  const rings = layout.empty()
  const before = events.filter(({ timestamp }) => timestamp < time)
  for (const event of before) layout.add(rings, event)
  const values = layout.valuesAt([rings], time)
  if (values === null) return null
  return {
    eventTimestamp: Math.max(...before.map(({ timestamp }) => timestamp)),
    createdTimestamp: Math.max(...before.map(({ storedAt }) => storedAt)),
    values: values.map(({ value }) => value),
    closing: false,
  }
}
