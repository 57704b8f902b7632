import { lackingFeatures } from '../definitions/feature-digest.ts'
import { foundRowStatus } from '../definitions/row-status.ts'
import type { Micros } from '../definitions/timestamp.ts'
import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import type { Value } from '../definitions/value.ts'
import { isComputed } from '../registry/is-computed.ts'
import type { FeatureView } from '../registry/registry.ts'
import type { AsOfEntry, AsOfRow } from '../stores/as-of-reader.ts'
import {
  packedFormat,
  packedHeaderBytes,
  packedRowKind,
  type RowLayout,
  tombstoneFingerprint,
} from '../stores/online-value/packed-row.ts'
import type { KnownLayout } from '../stores/registry-store.ts'
import { compileDecoder, compileRowClass, type PackedDecoder } from './compile-view-row.ts'
import type { JsonBytes } from './json/json-bytes.ts'
import { compilePackedJson, type PackedJson } from './json/packed-json.ts'
import type { SelectedRow } from './json/selected-row.ts'
import type { LayoutHistory } from './layout-history.ts'
import { compileNumbers, type PackedNumbers, type PlacedFeature } from './packed-numbers.ts'
import { isReadableAs } from './read-as.ts'
import { type TiledRow, tileReader } from './read-tiles.ts'
import type { FreshnessSource, ViewRow } from './view-row.ts'

/**
 * What both stores answered → rows with a status; `at` is the time asked for, `maxAge` the caller's own bound or null.
 * A closing row is NOT_FOUND like a key without a row, so that both clocks say the same after it has expired online;
 * NOT_FOUND holds the values of empty windows, and nulls in a plain view.
 */
export interface ViewReader {
  readonly view: FeatureView
  /**
   * Null is NOT_FOUND once the view's rows are online; bytes that are not understood, or that another definition computed,
   * are UNAVAILABLE, never a guess.
   */
  readonly readPacked: (row: Buffer | null, at: Micros, maxAge: Micros | null) => ViewRow
  /**
   * Writes a row's numbers into vectors, where the row is PRESENT and of today's layout, and returns null; any other is
   * returned as `readPacked` reads it, and nothing is written. One reader per list of features.
   */
  readonly readNumbers: (wanted: readonly PlacedFeature[]) => ReadNumbers
  /**
   * Writes what is selected of a row, where it is PRESENT and of today's layout, and returns null; any other is returned as
   * `readPacked` reads it, and nothing is written. One writer per selection.
   */
  readonly writeJson: (selected: SelectedRow) => WriteJson
  /**
   * The fingerprint of bytes whose layout is not known yet: to be learnt (`layout-history.ts`) before they are read. Null:
   * there is nothing to learn.
   */
  readonly unknownLayout: (row: Buffer | null) => number | null
  /** What lies behind the stored events, or was not computed by today's definition, is UNAVAILABLE. */
  readonly readOffline: (row: AsOfEntry, at: Micros, maxAge: Micros | null) => ViewRow
  readonly unavailable: (source: FreshnessSource, at: Micros, reason: UnavailableReason) => ViewRow
}

type ReadNumbers = (row: Buffer | null, at: Micros, vectors: Float64Array, from: number) => ViewRow | null
type WriteJson = (row: Buffer | null, at: Micros, maxAge: Micros | null, out: JsonBytes) => ViewRow | null

/** Whether a key that has no row online has none at all, as far as it is known. */
export interface OnlineFill {
  /** Why that is not known; null: it is. */
  readonly unavailable: UnavailableReason | null
  /** Ids of features that were added since the view was materialized; null: none. */
  readonly lacking: ReadonlySet<string> | null
}

export const filled: OnlineFill = { unavailable: null, lacking: null }

/** What is known of a view beside its rows, at the moment that one is read. */
interface OnlineState {
  readonly watermark: () => Micros | null
  readonly fill: () => OnlineFill
}

/** Rows of another layout than today's whose values may answer. */
interface OlderRows {
  readonly decoder: PackedDecoder
  /** Ids of features that were added since. */
  readonly lacking: ReadonlySet<string>
}

/**
 * The reader of one view. `layout` is the one that is written today; older ones come from the history. `watermark` is until
 * when the tiles of a streaming view are known to hold all, `fill` what the absence of a row says.
 */
export function viewReader(
  view: FeatureView,
  layout: RowLayout,
  history: Pick<LayoutHistory, 'find' | 'isUnrecorded'>,
  { watermark, fill }: OnlineState = { watermark: () => null, fill: () => filled },
): ViewReader {
  const Row = compileRowClass(view)
  const today = compileDecoder(view, layout, Row)
  const older = new Map<number, OlderRows | 'RECOMPUTING'>()
  const numbers = new WeakMap<readonly PlacedFeature[], ReadNumbers>()
  const writers = new WeakMap<SelectedRow, WriteJson>()
  const readTiles = view.kind === 'STREAM' ? tileReader(view, layout.fingerprint) : null
  const noValues = view.features.map(() => null)
  const { emptyValues } = view
  // What is computed at the very moment never grows too old by itself.
  const ttlMicros = view.kind === 'STREAM' ? null : view.ttlMicros

  /** Of a layout that is not today's; null: it is not known. */
  function olderRows(fingerprint: number): OlderRows | 'RECOMPUTING' | null {
    const known = older.get(fingerprint)
    if (known) return known
    const found = history.find(fingerprint)
    if (!found) return null
    const lacking = lackingOf(found)
    const rows = lacking === null ? 'RECOMPUTING' : { decoder: compileDecoder(view, found, Row), lacking }
    older.set(fingerprint, rows)
    return rows
  }

  function lackingOf({ digests, features }: KnownLayout): ReadonlySet<string> | null {
    if (view.kind === 'STREAM' || !isComputed(view)) return new Set()
    const lacking = digests === null ? null : lackingFeatures(digests, view.digests)
    if (lacking === null) return null
    const unstored = view.features.filter(({ id, type }) => {
      const stored = features.find((one) => one.name === id)
      return stored === undefined || !isReadableAs(stored.type, type)
    })
    return new Set([...lacking, ...unstored.map(({ id }) => id)])
  }

  function unavailable(source: FreshnessSource, at: Micros, reason: UnavailableReason): ViewRow {
    const row = new Row(view, source, at, 'UNAVAILABLE', null, null, ...noValues)
    row.$reason = reason
    return row
  }

  const unknownLayout = (at: Micros): ViewRow => unavailable('ONLINE', at, 'UNKNOWN_LAYOUT')

  /** A column may still hold what an earlier definition put there. */
  function without(
    lacking: ReadonlySet<string>,
    values: readonly (Value | null)[],
  ): readonly (Value | null)[] {
    return view.features.map(({ id }, index) => (lacking.has(id) ? null : (values[index] ?? null)))
  }

  function notFound(
    source: FreshnessSource,
    at: Micros,
    lacking: ReadonlySet<string> | null = null,
  ): ViewRow {
    if (lacking === null || lacking.size === 0)
      return new Row(view, source, at, 'NOT_FOUND', null, null, ...emptyValues)
    const row = new Row(view, source, at, 'NOT_FOUND', null, null, ...without(lacking, emptyValues))
    row.$lacking = lacking
    return row
  }

  function absentOnline(at: Micros): ViewRow {
    const { unavailable: reason, lacking } = fill()
    return reason === null ? notFound('ONLINE', at, lacking) : unavailable('ONLINE', at, reason)
  }

  function readOlder(row: Buffer, kind: 'ROW' | 'ABSENT', at: Micros, maxAge: Micros | null): ViewRow {
    const fingerprint = row.readUInt32LE(4)
    if (kind === 'ABSENT' && fingerprint === tombstoneFingerprint) return notFound('ONLINE', at)
    const rows = olderRows(fingerprint)
    if (rows === null) return unknownLayout(at)
    if (rows === 'RECOMPUTING') return unavailable('ONLINE', at, 'RECOMPUTING')
    if (kind === 'ABSENT') return notFound('ONLINE', at, rows.lacking)
    const answer = decode(rows.decoder, row, at, maxAge)
    if (rows.lacking.size > 0) answer.$lacking = rows.lacking
    return answer
  }

  function decode(decoder: PackedDecoder, row: Buffer, at: Micros, maxAge: Micros | null): ViewRow {
    if (row.length < decoder.fixedEnd) return unknownLayout(at)
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
  }

  function readComputed(
    row: AsOfRow | null,
    at: Micros,
    maxAge: Micros | null,
    lacking: ReadonlySet<string> | null,
  ): ViewRow {
    if (row === null || row.closing) return notFound('OFFLINE', at, lacking)
    const status = foundRowStatus(row.eventTimestamp, at, ttlMicros, maxAge)
    const stored = lacking === null ? row.values : without(lacking, row.values)
    const values = status === 'PRESENT' ? stored : noValues
    const answer = new Row(view, 'OFFLINE', at, status, row.eventTimestamp, row.createdTimestamp, ...values)
    answer.$lacking = lacking
    return answer
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

  function readPacked(row: Buffer | null, at: Micros, maxAge: Micros | null): ViewRow {
    if (readTiles) {
      const tiled: TiledRow = row === null ? { status: 'ABSENT' } : readTiles(row, at)
      const answer = readTiled(tiled, at, maxAge)
      answer.$levelAt = watermark()
      return answer
    }
    if (row === null) return absentOnline(at)
    const isPacked = row.length >= packedHeaderBytes && row[0] === packedFormat
    const kind = isPacked ? packedRowKind(row) : 'UNKNOWN'
    if (kind === 'UNKNOWN') return unknownLayout(at)
    if (row.readUInt32LE(4) !== layout.fingerprint) return readOlder(row, kind, at, maxAge)
    return kind === 'ABSENT' ? notFound('ONLINE', at) : decode(today, row, at, maxAge)
  }

  /** Of a view that is not streamed. */
  function isToday(row: Buffer, fixedEnd: number, at: Micros, maxAge: Micros | null): boolean {
    return (
      row.length >= fixedEnd &&
      row[0] === packedFormat &&
      packedRowKind(row) === 'ROW' &&
      row.readUInt32LE(4) === layout.fingerprint &&
      foundRowStatus(row.readDoubleLE(8), at, ttlMicros, maxAge) === 'PRESENT'
    )
  }

  function numbersOf(packed: PackedNumbers | null): ReadNumbers {
    if (packed === null || readTiles !== null) return (row, at) => readPacked(row, at, null)
    const { fixedEnd, fill } = packed
    return (row, at, vectors, from) => {
      if (row === null || !isToday(row, fixedEnd, at, null)) return readPacked(row, at, null)
      fill(row, vectors, from)
      return null
    }
  }

  function writerOf(packed: PackedJson | null): WriteJson {
    if (packed === null || readTiles !== null) return readPacked
    const { fixedEnd, write } = packed
    return (row, at, maxAge, out) => {
      if (row === null || !isToday(row, fixedEnd, at, maxAge)) return readPacked(row, at, maxAge)
      const begin = out.at
      try {
        if (write(out, row, at)) return null
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
      }
      out.at = begin
      return readPacked(row, at, maxAge)
    }
  }

  return {
    view,
    unavailable,
    readPacked,
    readNumbers(wanted) {
      const known = numbers.get(wanted)
      if (known) return known
      const made = numbersOf(compileNumbers(layout, wanted))
      numbers.set(wanted, made)
      return made
    },
    writeJson(selected) {
      const known = writers.get(selected)
      if (known) return known
      const made = writerOf(compilePackedJson(view, layout, selected))
      writers.set(selected, made)
      return made
    },
    unknownLayout(row) {
      if (row === null || row.length < packedHeaderBytes || readTiles !== null) return null
      const fingerprint = row.readUInt32LE(4)
      if (fingerprint === layout.fingerprint || older.has(fingerprint) || row[0] !== packedFormat) return null
      if (fingerprint === tombstoneFingerprint || history.find(fingerprint) !== null) return null
      return history.isUnrecorded(fingerprint) ? null : fingerprint
    },
    readOffline(entry, at, maxAge) {
      if (entry === null) return readComputed(null, at, maxAge, null)
      if ('storedSince' in entry) return unavailable('OFFLINE', at, 'HISTORY_EXPIRED')
      if ('notComputed' in entry) return unavailable('OFFLINE', at, entry.notComputed)
      return 'lacking' in entry
        ? readComputed(entry.row, at, maxAge, new Set(entry.lacking))
        : readComputed(entry, at, maxAge, null)
    },
  }
}
