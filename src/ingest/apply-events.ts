import { LRUCache } from 'lru-cache'
import type { Clock, Micros } from '../definitions/timestamp.ts'
import type { EntityKey, KeyValue, ScalarValue } from '../definitions/value.ts'
import type { EventSource, StreamView } from '../registry/registry.ts'
import type { EventStore, KeptEvent, KeptPartition } from '../stores/event-store.ts'
import { onlineKeySuffix } from '../stores/online-key.ts'
import type { OnlineStore } from '../stores/online-store.ts'
import type { RowLayout } from '../stores/packed-row.ts'
import { packSection, readSections } from '../stores/tile-sections.ts'
import { byteReader, byteWriter } from '../windows/bytes.ts'
import { type TileLayout, type TileRings, tileLayout } from '../windows/tile-rings.ts'
import { streamMarkerName, streamPosition } from './stream-position.ts'

export interface ApplyTargets {
  readonly events: EventStore
  readonly online: OnlineStore
  readonly keyPrefix: (view: StreamView) => string
  /** Its fingerprint is of the view's windows: values of another one are replaced. */
  readonly layout: (view: StreamView) => RowLayout
  readonly clock: Clock
}

export interface ApplyOptions {
  /** Tiles of so many keys and partitions are held in memory; others are read again from the online store. */
  readonly maxEntries: number
  readonly eventsAtOnce: number
}

/** What one look has done. */
interface Applied {
  readonly events: number
  /** Events of no window any more. */
  readonly late: number
  /** True: nothing that was kept when it began is left. */
  readonly caughtUp: boolean
}

/** Carries the kept events of one source into the tiles of its streamed views. */
export interface EventApplier {
  /** One batch of each partition that has something new. Rejects with `StoreFailed`; then nothing counts as applied. */
  readonly applyNext: () => Promise<Applied>
  /** Memory is dropped: what stands in the online store counts. */
  readonly forget: () => void
}

interface Entry {
  readonly rings: TileRings
  offset: number
  newestEvent: Micros
  latestKept: Micros
}

/** One streamed view at work. */
interface AppliedView {
  readonly view: StreamView
  readonly layout: TileLayout
  readonly keyPlaces: readonly number[]
  readonly reachMicros: Micros
  readonly entries: LRUCache<string, Entry>
  /** By marker: where this applier left it. */
  readonly positions: Map<string, number>
}

const expiryMargin: Micros = 3_600_000_000
/** Generations come with rebuilds. */
const generation = 1

/**
 * Follows the kept events, which are the authority: each partition is read on from the marker in the online store, tiles
 * are changed in memory and written as sections, and then the marker. So a store that was set back is brought up to date
 * by itself, and what was applied twice changes nothing: a section knows its last offset. One applier of a source at a
 * time (see the lock of the streams); memory is bounded by its entries and a batch.
 */
export function eventApplier(
  targets: ApplyTargets,
  source: EventSource,
  views: readonly StreamView[],
  options: ApplyOptions,
): EventApplier {
  const { events, online, clock } = targets
  const applied = views.map((view): AppliedView => {
    const windows = view.aggregations.map(({ windowMicros, hopMicros }) => windowMicros + hopMicros)
    return {
      view,
      layout: tileLayout(view.aggregations),
      keyPlaces: view.entity.joinKeys.map(({ name }) =>
        source.fields.findIndex((field) => field.name === name),
      ),
      reachMicros: Math.max(...windows),
      entries: new LRUCache({ max: options.maxEntries }),
      positions: new Map(),
    }
  })

  async function applyPartition(one: AppliedView, partition: KeptPartition): Promise<Applied> {
    const now = clock()
    const { view } = one
    const marker = streamMarkerName(targets.keyPrefix(view), partition)
    const position = streamPosition(await online.readMarker(marker), targets.layout(view).fingerprint)
    // The store was emptied, set back or written by another: memory is of a past that it does not know.
    if (position !== (one.positions.get(marker) ?? position)) one.entries.clear()
    one.positions.set(marker, position)
    if (position >= partition.nextOffset) return { events: 0, late: 0, caughtUp: true }
    const batch = await events.read(
      source,
      { topic: partition.topic, partition: partition.partition, offset: position },
      { limit: options.eventsAtOnce, since: now - one.reachMicros },
    )
    const late = await applyBatch(targets, source, one, partition, batch, now)
    const caughtUp = batch.length < options.eventsAtOnce
    const next = caughtUp ? partition.nextOffset : (batch.at(-1)?.offset ?? position) + 1
    await online.writeMarker(
      marker,
      JSON.stringify({ fingerprint: targets.layout(view).fingerprint, nextOffset: next, at: now }),
    )
    one.positions.set(marker, next)
    return { events: batch.length, late, caughtUp }
  }

  let deletionMark: string | null = null

  return {
    async applyNext() {
      const mark = await events.deletionMark()
      if (mark !== deletionMark) for (const { entries } of applied) entries.clear()
      deletionMark = mark
      const partitions = await events.positions(source)
      let total: Applied = { events: 0, late: 0, caughtUp: true }
      for (const one of applied) {
        for (const partition of partitions) {
          const did = await applyPartition(one, partition)
          total = {
            events: total.events + did.events,
            late: total.late + did.late,
            caughtUp: total.caughtUp && did.caughtUp,
          }
        }
      }
      return total
    },
    forget() {
      for (const { entries } of applied) entries.clear()
    },
  }
}

interface PlacedEvent {
  readonly event: KeptEvent
  readonly suffix: string
}

async function applyBatch(
  targets: ApplyTargets,
  source: EventSource,
  one: AppliedView,
  partition: KeptPartition,
  batch: readonly KeptEvent[],
  now: Micros,
): Promise<number> {
  const placed = batch.flatMap((event): PlacedEvent[] => {
    const key = keyOf(one, event)
    return key === null ? [] : [{ event, suffix: onlineKeySuffix(key) }]
  })
  const entries = await load(targets, one, partition, [...new Set(placed.map(({ suffix }) => suffix))])
  const changed = new Set<string>()
  let late = 0
  for (const { event, suffix } of placed) {
    const entry = entries.get(suffix)
    if (!entry || event.offset <= entry.offset) continue
    // An event from ahead counts from the moment that it was kept.
    const timestamp = Math.min(event.eventTimestamp, event.keptAt)
    if (one.layout.isNeeded(timestamp, now)) {
      const { topic, offset } = event
      const place = { timestamp, topic, partition: event.partition, offset }
      one.layout.add(entry.rings, { timestamp, place, fields: fieldsOf(source, event) })
    } else late += 1
    entry.offset = event.offset
    entry.newestEvent = Math.max(entry.newestEvent, timestamp)
    entry.latestKept = Math.max(entry.latestKept, event.keptAt)
    changed.add(suffix)
  }
  const prefix = targets.keyPrefix(one.view)
  const fingerprint = targets.layout(one.view).fingerprint
  const out = byteWriter()
  const writes = [...changed].flatMap((suffix) => {
    const entry = entries.get(suffix)
    if (!entry) return []
    one.layout.prune(entry.rings, now)
    one.layout.write(out, entry.rings)
    const row = packSection(fingerprint, {
      topic: partition.topicNumber,
      partition: partition.partition,
      generation,
      offset: entry.offset,
      newestEvent: entry.newestEvent,
      latestKept: entry.latestKept,
      tiles: out.take(),
    })
    return [{ key: prefix + suffix, row }]
  })
  const outcomes = await targets.online
    .writeSections(writes, now + one.reachMicros + expiryMargin)
    .catch((error: unknown) => {
      // Memory is ahead of what is known to stand there.
      for (const suffix of changed) one.entries.delete(entryName(partition, suffix))
      throw error
    })
  writes.forEach(({ key }, index) => {
    // Another applier was further: what it wrote counts.
    if (outcomes[index] === 'OLDER') one.entries.delete(entryName(partition, key.slice(prefix.length)))
  })
  return late
}

function entryName({ topicNumber, partition }: KeptPartition, suffix: string): string {
  return `${topicNumber} ${partition} ${suffix}`
}

function keyOf({ keyPlaces }: AppliedView, { values }: KeptEvent): EntityKey | null {
  const key = keyPlaces.map((place) => values[place] ?? null)
  return key.some((part) => part === null) ? null : (key as KeyValue[])
}

function fieldsOf(source: EventSource, { values }: KeptEvent): Record<string, ScalarValue | null> {
  const fields: Record<string, ScalarValue | null> = {}
  source.fields.forEach(({ name }, index) => {
    fields[name] = values[index] ?? null
  })
  return fields
}

/** The entries of some keys, from memory or the online store; one read for all that are not in memory. */
async function load(
  targets: ApplyTargets,
  one: AppliedView,
  partition: KeptPartition,
  suffixes: readonly string[],
): Promise<Map<string, Entry>> {
  const found = new Map<string, Entry>()
  const missing: string[] = []
  for (const suffix of suffixes) {
    const entry = one.entries.get(entryName(partition, suffix))
    if (entry) found.set(suffix, entry)
    else missing.push(suffix)
  }
  const prefix = targets.keyPrefix(one.view)
  const values = await targets.online.readMany(missing.map((suffix) => prefix + suffix))
  missing.forEach((suffix, index) => {
    const entry = readEntry(targets, one, partition, values[index] ?? null)
    one.entries.set(entryName(partition, suffix), entry)
    found.set(suffix, entry)
  })
  return found
}

function readEntry(
  targets: ApplyTargets,
  { view, layout }: AppliedView,
  partition: KeptPartition,
  value: Buffer | null,
): Entry {
  const stored = value === null ? null : readSections(value)
  const section =
    stored === null || stored.fingerprint !== targets.layout(view).fingerprint
      ? undefined
      : stored.sections.find(
          (one) => one.topic === partition.topicNumber && one.partition === partition.partition,
        )
  if (!section) {
    return {
      rings: layout.empty(),
      offset: -1,
      newestEvent: Number.NEGATIVE_INFINITY,
      latestKept: Number.NEGATIVE_INFINITY,
    }
  }
  const { offset, newestEvent, latestKept, tiles } = section
  return { rings: layout.read(byteReader(tiles)), offset, newestEvent, latestKept }
}
