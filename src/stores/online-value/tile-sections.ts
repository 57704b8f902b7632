import { createHash } from 'node:crypto'
import type { Micros } from '../../definitions/timestamp.ts'
import type { WindowedAggregation } from '../../definitions/windowed-aggregation.ts'
import { packedHeaderBytes, packTombstone } from './packed-row.ts'

/**
 * A streaming view's value of one key, the same bytes in every online store: one section for each source partition that
 * has events of the key, so that partitions never write over each other. Little-endian:
 *
 * | at | size | what |
 * |---|---|---|
 * | 0 | 1 | format, 2 |
 * | 1 | 1 | zero |
 * | 2 | 2 | sections |
 * | 4 | 4 | fingerprint of the view's windows |
 * | 8 | 8 | the entity's last deletion, of whose time and before nothing is in the tiles; float64, -Infinity for none |
 * | 16 | … | the sections: a header of 36 bytes, then their tiles |
 *
 * | at | size | of a section's header |
 * |---|---|---|
 * | 0 | 4 | topic, its number in the store of events |
 * | 4 | 4 | partition |
 * | 8 | 4 | bytes of the tiles |
 * | 12 | 8 | offset of the last event applied, float64 |
 * | 20 | 8 | newest event timestamp, microseconds, float64 |
 * | 28 | 8 | latest moment that an applied event was stored, microseconds, float64 |
 */
const sectionsFormat = 2
const sectionsHeaderBytes = 16
const sectionHeaderBytes = 36

interface SectionPlace {
  readonly topic: number
  readonly partition: number
}

/** The first four bytes of a packed row that stands for a deletion. */
const tombstoneStart = packTombstone(0).readUInt32LE(0)

export interface TileSection extends SectionPlace {
  readonly offset: number
  readonly newestEvent: Micros
  readonly latestStored: Micros
  /** What `TileLayout.write` made. */
  readonly tiles: Buffer
}

export interface TileSections {
  readonly fingerprint: number
  /** Nothing that happened or was known by then is in the tiles. */
  readonly clearedAt: Micros
  readonly sections: readonly TileSection[]
}

/** What distinguishes the tiles of one set of windows from those of another, of any view. */
export function windowsFingerprint(
  project: string,
  viewId: string,
  aggregations: readonly WindowedAggregation[],
): number {
  const windows = aggregations.map(({ aggregate, field, windowMicros, hopMicros, where }) => [
    ...[aggregate, field?.name, field?.type, windowMicros, hopMicros],
    where.map((one) => [one.field.name, one.field.type, one.value]),
  ])
  const text = JSON.stringify([sectionsFormat, project, viewId, windows])
  return createHash('sha256').update(text).digest().readUInt32LE(0)
}

/** Null for bytes that are no such value; the tiles are views of the bytes. */
export function readSections(value: Buffer): TileSections | null {
  if (value.length < sectionsHeaderBytes || value.readUInt16LE(0) !== sectionsFormat) return null
  const sections: TileSection[] = []
  let at = sectionsHeaderBytes
  for (let left = value.readUInt16LE(2); left > 0; left -= 1) {
    const start = at + sectionHeaderBytes
    if (start > value.length) return null
    const end = start + value.readUInt32LE(at + 8)
    if (end > value.length) return null
    sections.push({
      topic: value.readUInt32LE(at),
      partition: value.readUInt32LE(at + 4),
      offset: value.readDoubleLE(at + 12),
      newestEvent: value.readDoubleLE(at + 20),
      latestStored: value.readDoubleLE(at + 28),
      tiles: value.subarray(start, end),
    })
    at = end
  }
  if (at !== value.length) return null
  return { fingerprint: value.readUInt32LE(4), clearedAt: value.readDoubleLE(8), sections }
}

/** A whole value of one section: what a writer sends. */
export function packSection(fingerprint: number, clearedAt: Micros, section: TileSection): Buffer {
  return packSections({ fingerprint, clearedAt, sections: [section] })
}

function packSections({ fingerprint, clearedAt, sections }: TileSections): Buffer {
  const size = sections.reduce(
    (sum, { tiles }) => sum + sectionHeaderBytes + tiles.length,
    sectionsHeaderBytes,
  )
  const value = Buffer.allocUnsafe(size)
  value.writeUInt16LE(sectionsFormat, 0)
  value.writeUInt16LE(sections.length, 2)
  value.writeUInt32LE(fingerprint, 4)
  value.writeDoubleLE(clearedAt, 8)
  let at = sectionsHeaderBytes
  for (const { topic, partition, offset, newestEvent, latestStored, tiles } of sections) {
    value.writeUInt32LE(topic, at)
    value.writeUInt32LE(partition, at + 4)
    value.writeUInt32LE(tiles.length, at + 8)
    value.writeDoubleLE(offset, at + 12)
    value.writeDoubleLE(newestEvent, at + 20)
    value.writeDoubleLE(latestStored, at + 28)
    value.set(tiles, at + sectionHeaderBytes)
    at += sectionHeaderBytes + tiles.length
  }
  return value
}

/**
 * The stored value with a writer's section in its place; null where the stored section is of a later offset, so that
 * replays and writers that lost their partition change nothing, and where the entity was deleted later than the writer
 * knows: it may hold what is gone. What is no value of these windows (other bytes, another fingerprint), and what is of
 * before a deletion, is replaced as a whole. Every backend decides alike.
 */
export function mergeSection(stored: Buffer | null, written: Buffer): Buffer | null {
  const value = readSections(written)
  const [section] = value?.sections ?? []
  if (!value || !section) return null
  if (stored === null) return written
  const clearedAt = clearedAtOf(stored)
  if (value.clearedAt < clearedAt) return null
  const before = readSections(stored)
  if (before === null || before.fingerprint !== value.fingerprint || value.clearedAt > clearedAt)
    return written
  const own = before.sections.findIndex(
    ({ topic, partition }) => topic === section.topic && partition === section.partition,
  )
  const current = before.sections[own]
  if (!current) return packSections({ ...before, sections: [...before.sections, section] })
  if (current.offset > section.offset) return null
  return packSections({ ...before, sections: before.sections.with(own, section) })
}

/** The time of the last deletion that a value reports of; of everything else before all times. */
export function clearedAtOf(stored: Buffer): Micros {
  const isTombstone = stored.length === packedHeaderBytes && stored.readUInt32LE(0) === tombstoneStart
  return isTombstone ? stored.readDoubleLE(8) : (readSections(stored)?.clearedAt ?? Number.NEGATIVE_INFINITY)
}
