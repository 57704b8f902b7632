import { LRUCache } from 'lru-cache'
import type { Clock, Micros } from '../../definitions/timestamp.ts'
import type { EntityKey, KeyValue, ScalarValue } from '../../definitions/value.ts'
import type { EventSource, StreamView } from '../../registry/registry.ts'
import type { StoredEvent } from '../../stores/event-log.ts'
import type { StoredPartition } from '../../stores/event-positions.ts'
import type { EventStore } from '../../stores/event-store.ts'
import type { OnlineStore } from '../../stores/online-store.ts'
import { onlineKeySuffix } from '../../stores/online-value/online-key.ts'
import { clearedAtOf, packSection, readSections } from '../../stores/online-value/tile-sections.ts'
import { byteReader, byteWriter } from '../../windows/bytes.ts'
import { reachOf } from '../../windows/reach-of.ts'
import { type TileRings, tileLayout } from '../../windows/tile-rings.ts'
import { tileExpiry } from './followed-sources.ts'
import { streamMarker, streamMarkerName, streamPosition } from './tile-marker.ts'

export interface ApplyTargets {
  readonly events: Pick<EventStore, 'read'>
  readonly online: OnlineStore
  readonly clock: Clock
}

/** One generation of a streaming view's tiles. */
export interface TilesToWrite {
  readonly view: StreamView
  /** The front of its online keys. */
  readonly prefix: string
  /** Of the view's windows. */
  readonly fingerprint: number
}

export interface ApplyOptions {
  /** Tiles of so many keys and partitions are held in memory; others are read again from the online store. */
  readonly maxEntries: number
  readonly eventsAtOnce: number
}

/** What one poll has done. */
interface Applied {
  readonly events: number
  /** True: nothing that was stored when it began is left. */
  readonly caughtUp: boolean
}

/** Applies the stored events of a view's source into one generation of its tiles. */
export interface EventApplier {
  /**
   * One batch of each of these partitions that has something new. Rejects with `StoreFailed`; then nothing counts as
   * applied.
   */
  readonly applyNext: (partitions: readonly StoredPartition[]) => Promise<Applied>
  /** Memory is dropped: what stands in the online store counts. */
  readonly forget: () => void
}

interface Entry {
  readonly rings: TileRings
  /** The entity's last deletion when it was read. */
  readonly clearedAt: Micros
  offset: number
  newestEvent: Micros
  latestStored: Micros
}

const keysAtOnce = 250

/**
 * Follows the stored events, which are the authority: each partition is read on from the marker in the online store, tiles
 * are changed in memory and written as sections, and then the marker. So a store that was set back is brought up to date
 * by itself, and what was applied twice changes nothing: a section knows its last offset. One applier of a generation at
 * a time (see the lock of the streams); memory is bounded by its entries and a batch for each partition.
 */
export function eventApplier(
  { events, online, clock }: ApplyTargets,
  { view, prefix, fingerprint }: TilesToWrite,
  { maxEntries, eventsAtOnce }: ApplyOptions,
): EventApplier {
  const source = view.events
  const layout = tileLayout(view.aggregations)
  const reach = reachOf(view)
  const keyPlaces = view.entity.joinKeys.map(({ name }) =>
    source.fields.findIndex((field) => field.name === name),
  )
  const entries = new LRUCache<string, Entry>({ max: maxEntries })
  /** By name: as this applier left them. */
  const markers = new Map<string, string>()

  async function applyPartition(partition: StoredPartition): Promise<Applied> {
    const now = clock()
    const name = streamMarkerName(prefix, partition)
    const marker = (await online.readMarker(name)) ?? (await beginMarker(name, now))
    if (marker === null) return again()
    // The store was emptied, set back or written by another: memory is of a past that it does not know.
    if (marker !== (markers.get(name) ?? marker)) entries.clear()
    markers.set(name, marker)
    const position = streamPosition(marker)
    if (position >= partition.nextOffset) return { events: 0, caughtUp: true }
    const from = { topic: partition.topic, partition: partition.partition, offset: position }
    const until = partition.nextOffset
    const batch = await events.read(source, from, { limit: eventsAtOnce, since: now - reach, until })
    const changed = await change(partition, batch.events, now)
    // What was read of a store that was emptied or set back meanwhile must not be written over what it lacks.
    if (changed.wasRead && (await online.readMarker(name)) !== marker) return again()
    // Another applier was further, or the entity was deleted: what stands there now is to be read.
    if (!(await writeChanged(partition, changed.entries, now))) return again()
    const moved = streamMarker(batch.next, now)
    if (!(await online.moveMarker(name, marker, moved))) return again()
    markers.set(name, moved)
    return { events: batch.events.length, caughtUp: batch.next >= until }
  }

  /** Before anything is written: a store that is emptied from here on lacks it. Null: another one was before us. */
  async function beginMarker(name: string, now: Micros): Promise<string | null> {
    const first = streamMarker(0, now)
    return (await online.moveMarker(name, null, first)) ? first : null
  }

  function again(): Applied {
    entries.clear()
    return { events: 0, caughtUp: false }
  }

  /** Events into the entries of their keys, in memory; `wasRead`: some of those came from the online store. */
  async function change(
    partition: StoredPartition,
    batch: readonly StoredEvent[],
    now: Micros,
  ): Promise<{ readonly entries: ReadonlyMap<string, Entry>; readonly wasRead: boolean }> {
    const suffixes = batch.map((event) => {
      const key = keyOf(keyPlaces, event)
      return key === null ? null : onlineKeySuffix(key)
    })
    const { found: loaded, wasRead } = await load(partition, new Set(suffixes))
    const changed = new Map<string, Entry>()
    for (let index = 0; index < batch.length; index += 1) {
      const [event, suffix] = [batch[index], suffixes[index]]
      if (!event || typeof suffix !== 'string') continue
      const entry = loaded.get(suffix)
      if (!entry || event.offset <= entry.offset) continue
      // An event from ahead counts from the moment that it was stored.
      const timestamp = Math.min(event.eventTimestamp, event.storedAt)
      if (layout.isNeeded(timestamp, now)) {
        const { topic, offset } = event
        const place = { timestamp, topic, partition: event.partition, offset }
        layout.add(entry.rings, { timestamp, place, fields: fieldsOf(source, event) })
      }
      entry.offset = event.offset
      entry.newestEvent = Math.max(entry.newestEvent, timestamp)
      entry.latestStored = Math.max(entry.latestStored, event.storedAt)
      changed.set(suffix, entry)
    }
    return { entries: changed, wasRead }
  }

  async function writeChanged(
    partition: StoredPartition,
    changed: ReadonlyMap<string, Entry>,
    now: Micros,
  ): Promise<boolean> {
    const out = byteWriter()
    const suffixes = [...changed.keys()]
    const writes = [...changed].map(([suffix, entry]) => {
      layout.prune(entry.rings, now)
      layout.write(out, entry.rings)
      const { clearedAt, offset, newestEvent, latestStored } = entry
      const { topicNumber: topic } = partition
      const section = { topic, partition: partition.partition, offset, newestEvent, latestStored }
      return {
        key: prefix + suffix,
        row: packSection(fingerprint, clearedAt, { ...section, tiles: out.take() }),
      }
    })
    const forgetEntry = (suffix: string | undefined): void => {
      if (suffix !== undefined) entries.delete(entryName(partition, suffix))
    }
    const outcomes = await online.writeSections(writes, now + tileExpiry(view)).catch((error: unknown) => {
      // Memory is ahead of what is known to stand there.
      suffixes.forEach(forgetEntry)
      throw error
    })
    outcomes.forEach((outcome, index) => {
      if (outcome === 'OLDER') forgetEntry(suffixes[index])
    })
    return !outcomes.includes('OLDER')
  }

  /** The entries of some keys, from memory or the online store. */
  async function load(
    partition: StoredPartition,
    suffixes: ReadonlySet<string | null>,
  ): Promise<{ readonly found: ReadonlyMap<string, Entry>; readonly wasRead: boolean }> {
    const found = new Map<string, Entry>()
    const missing: string[] = []
    for (const suffix of suffixes) {
      if (suffix === null) continue
      const entry = entries.get(entryName(partition, suffix))
      if (entry) found.set(suffix, entry)
      else missing.push(suffix)
    }
    // In pieces: the reads of callers wait behind each.
    for (let start = 0; start < missing.length; start += keysAtOnce) {
      const piece = missing.slice(start, start + keysAtOnce)
      const values = (await online.readMany(piece.map((suffix) => prefix + suffix))).rows
      piece.forEach((suffix, index) => {
        const entry = readEntry(partition, values[index] ?? null)
        entries.set(entryName(partition, suffix), entry)
        found.set(suffix, entry)
      })
    }
    return { found, wasRead: missing.length > 0 }
  }

  function readEntry(partition: StoredPartition, value: Buffer | null): Entry {
    const stored = value === null ? null : readSections(value)
    const clearedAt = value === null ? Number.NEGATIVE_INFINITY : clearedAtOf(value)
    const section = stored?.sections.find(
      (one) => one.topic === partition.topicNumber && one.partition === partition.partition,
    )
    if (!section || stored?.fingerprint !== fingerprint) {
      return {
        rings: layout.empty(),
        clearedAt,
        offset: -1,
        newestEvent: Number.NEGATIVE_INFINITY,
        latestStored: Number.NEGATIVE_INFINITY,
      }
    }
    const { offset, newestEvent, latestStored, tiles } = section
    return { rings: layout.read(byteReader(tiles)), clearedAt, offset, newestEvent, latestStored }
  }

  return {
    async applyNext(partitions) {
      const done = await Promise.all(partitions.map(applyPartition)).catch((error: unknown) => {
        // Memory may be ahead of a store that has failed.
        entries.clear()
        throw error
      })
      return {
        events: done.reduce((sum, one) => sum + one.events, 0),
        caughtUp: done.every((one) => one.caughtUp),
      }
    },
    forget: () => entries.clear(),
  }
}

function entryName({ topicNumber, partition }: StoredPartition, suffix: string): string {
  return `${topicNumber} ${partition} ${suffix}`
}

function keyOf(keyPlaces: readonly number[], { values }: StoredEvent): EntityKey | null {
  const key = keyPlaces.map((place) => values[place] ?? null)
  return key.some((part) => part === null) ? null : (key as KeyValue[])
}

function fieldsOf(source: EventSource, { values }: StoredEvent): Record<string, ScalarValue | null> {
  const fields: Record<string, ScalarValue | null> = {}
  source.fields.forEach(({ name }, index) => {
    fields[name] = values[index] ?? null
  })
  return fields
}
