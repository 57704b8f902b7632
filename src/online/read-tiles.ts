import type { Micros } from '../definitions/timestamp.ts'
import type { ScalarValue } from '../definitions/value.ts'
import type { StreamView } from '../registry/registry.ts'
import { packedFormat, packedHeaderBytes, packedRowKind } from '../stores/online-value/packed-row.ts'
import { readSections } from '../stores/online-value/tile-sections.ts'
import { byteReader } from '../windows/bytes.ts'
import { tileLayout } from '../windows/tile-rings.ts'

/**
 * What the tiles of one key say at a time. ABSENT: no window holds an event, or the entity was deleted. UNKNOWN: bytes
 * that are not understood, or of other windows than today's.
 */
export type TiledRow =
  | { readonly status: 'ABSENT' | 'UNKNOWN' }
  | {
      readonly status: 'PRESENT'
      readonly values: readonly (ScalarValue | null)[]
      readonly newestEvent: Micros
      readonly latestStored: Micros
    }

/** Bytes of a streaming view → its windows at `at`; the sections of all partitions are merged. */
export function tileReader(view: StreamView, fingerprint: number): (value: Buffer, at: Micros) => TiledRow {
  const layout = tileLayout(view.aggregations)
  return (value, at) => {
    const stored = readSections(value)
    if (stored === null) return { status: isTombstone(value) ? 'ABSENT' : 'UNKNOWN' }
    if (stored.fingerprint !== fingerprint) return { status: 'UNKNOWN' }
    try {
      const parts = stored.sections.map(({ tiles }) => layout.read(byteReader(tiles)))
      const latestStored = Math.max(...stored.sections.map((section) => section.latestStored))
      // Clocks of two machines: no answer holds an event that its own time excludes.
      const values = layout.valuesAt(parts, Math.max(at, latestStored + 1))
      if (values === null) return { status: 'ABSENT' }
      const newestEvent = Math.max(...stored.sections.map((section) => section.newestEvent))
      return { status: 'PRESENT', values: values.map(({ value: one }) => one), newestEvent, latestStored }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      return { status: 'UNKNOWN' }
    }
  }
}

function isTombstone(value: Buffer): boolean {
  return value.length >= packedHeaderBytes && value[0] === packedFormat && packedRowKind(value) === 'ABSENT'
}
