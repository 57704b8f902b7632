import { foundRowStatus } from '../definitions/row-status.ts'
import type { Micros } from '../definitions/timestamp.ts'
import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import type { FeatureView } from '../registry/registry.ts'
import type { AsOfRow, ExpiredHistory } from '../stores/as-of-reader.ts'
import {
  packedFormat,
  packedHeaderBytes,
  packedRowKind,
  type RowLayout,
} from '../stores/online-value/packed-row.ts'
import { compileDecoder, compileRowClass, type PackedDecoder } from './compile-view-row.ts'
import { type TiledRow, tileReader } from './read-tiles.ts'
import type { FreshnessSource, ViewRow } from './view-row.ts'

/**
 * What both stores answered → rows with a status; `at` is the time asked for, `maxAge` the caller's own bound or null.
 * A closing row is NOT_FOUND like a key without a row, so that both clocks say the same after it has expired online;
 * NOT_FOUND holds the values of empty windows, and nulls in a plain view.
 */
export interface ViewReader {
  readonly view: FeatureView
  /** Null is NOT_FOUND; bytes that are not understood are UNAVAILABLE, never a guess. */
  readonly readPacked: (row: Buffer | null, at: Micros, maxAge: Micros | null) => ViewRow
  /** What lies behind the stored events is UNAVAILABLE. */
  readonly readOffline: (row: AsOfRow | ExpiredHistory | null, at: Micros, maxAge: Micros | null) => ViewRow
  readonly unavailable: (source: FreshnessSource, at: Micros, reason: UnavailableReason) => ViewRow
}

/** Layouts by fingerprint that were ever written for a view, and what to do when bytes carry none of them. */
export interface LayoutHistory {
  readonly find: (fingerprint: number) => RowLayout | null
  readonly reportUnknown: (view: FeatureView) => void
}

/**
 * The reader of one view. `layout` is the one that is written today; older ones come from the history. `watermark` is until
 * when the tiles of a streaming view are known to hold all.
 */
export function viewReader(
  view: FeatureView,
  layout: RowLayout,
  history: LayoutHistory,
  watermark: () => Micros | null = () => null,
): ViewReader {
  const Row = compileRowClass(view)
  const today = compileDecoder(view, layout, Row)
  const older = new Map<number, PackedDecoder>()
  const readTiles = view.kind === 'STREAM' ? tileReader(view, layout.fingerprint) : null
  const noValues = view.features.map(() => null)
  const { emptyValues } = view
  // What is computed at the very moment never grows too old by itself.
  const ttlMicros = view.kind === 'STREAM' ? null : view.ttlMicros

  function decoderOf(fingerprint: number): PackedDecoder | null {
    if (fingerprint === layout.fingerprint) return today
    const known = older.get(fingerprint)
    if (known) return known
    const found = history.find(fingerprint)
    if (!found) return null
    const decoder = compileDecoder(view, found, Row)
    older.set(fingerprint, decoder)
    return decoder
  }

  function unavailable(source: FreshnessSource, at: Micros, reason: UnavailableReason): ViewRow {
    const row = new Row(view, source, at, 'UNAVAILABLE', null, null, ...noValues)
    row.$reason = reason
    return row
  }

  function unknownLayout(at: Micros): ViewRow {
    history.reportUnknown(view)
    return unavailable('ONLINE', at, 'UNKNOWN_LAYOUT')
  }

  function notFound(source: FreshnessSource, at: Micros): ViewRow {
    return new Row(view, source, at, 'NOT_FOUND', null, null, ...emptyValues)
  }

  function readTiled(row: TiledRow, at: Micros, maxAge: Micros | null): ViewRow {
    switch (row.status) {
      case 'ABSENT':
        return notFound('ONLINE', at)
      case 'UNKNOWN':
        return unknownLayout(at)
      case 'PRESENT': {
        const { newestEvent, latestStored } = row
        const status = foundRowStatus(newestEvent, at, null, maxAge)
        const values = status === 'PRESENT' ? row.values : noValues
        return new Row(view, 'ONLINE', at, status, newestEvent, latestStored, ...values)
      }
    }
  }

  return {
    view,
    unavailable,
    readPacked(row, at, maxAge) {
      if (readTiles) {
        const tiled: TiledRow = row === null ? { status: 'ABSENT' } : readTiles(row, at)
        const answer = readTiled(tiled, at, maxAge)
        answer.$levelAt = watermark()
        return answer
      }
      if (row === null) return notFound('ONLINE', at)
      const isPacked = row.length >= packedHeaderBytes && row[0] === packedFormat
      const kind = isPacked ? packedRowKind(row) : 'UNKNOWN'
      if (kind === 'ABSENT') return notFound('ONLINE', at)
      const decoder = kind === 'ROW' ? decoderOf(row.readUInt32LE(4)) : null
      if (decoder === null || row.length < decoder.fixedEnd) return unknownLayout(at)
      const event = row.readDoubleLE(8)
      const createdOrLowest = row.readDoubleLE(16)
      const created = createdOrLowest === Number.NEGATIVE_INFINITY ? null : createdOrLowest
      const status = foundRowStatus(event, at, ttlMicros, maxAge)
      if (status !== 'PRESENT') return new Row(view, 'ONLINE', at, status, event, created, ...noValues)
      try {
        return decoder.decode(row, at, event, created)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        return unknownLayout(at)
      }
    },
    readOffline(row, at, maxAge) {
      if (row === null) return notFound('OFFLINE', at)
      if ('storedSince' in row) return unavailable('OFFLINE', at, 'HISTORY_EXPIRED')
      if (row.closing) return notFound('OFFLINE', at)
      const status = foundRowStatus(row.eventTimestamp, at, ttlMicros, maxAge)
      const values = status === 'PRESENT' ? row.values : noValues
      return new Row(view, 'OFFLINE', at, status, row.eventTimestamp, row.createdTimestamp, ...values)
    },
  }
}
