import { formatDuration } from '../definitions/duration.ts'
import type { RowStatus } from '../definitions/row-status.ts'
import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import type { JsonBytes } from '../online/json/json-bytes.ts'
import type { SelectedRow } from '../online/json/selected-row.ts'
import type { PlacedFeature } from '../online/packed-numbers.ts'
import type { ViewReader } from '../online/view-reader.ts'
import type { FreshnessSource, ViewRow } from '../online/view-row.ts'
import type { FeatureView } from '../registry/registry.ts'
import type { AsOfEntry, ExpiredHistory } from '../stores/as-of-reader.ts'
import { firstTimeSince } from '../windows/hop.ts'
import { type Unavailability, unavailability } from './unavailable-views.ts'

/** One view's answers for the rows of one need: raw until a resolver asks, since `maxAge` is an argument of the field. */
export interface ViewColumn {
  readonly view: FeatureView
  readonly row: ReadRow
  /** The same, and is not counted: whoever answers it does so in `counts`, once it is known to be answered. */
  readonly peek: ReadRow
  /** The row's numbers into vectors, not counted; see `ViewReader.readNumbers`. The row itself where they are not written. */
  readonly numbers: (wanted: readonly PlacedFeature[]) => NumbersOfRow
  /** What is selected of the row into an answer, not counted; see `ViewReader.writeJson`. */
  readonly json: (selected: SelectedRow) => JsonOfRow
  readonly counts: Record<RowStatus, number>
  /** What the view's error says of an UNAVAILABLE row of the column. */
  readonly why: (row: ViewRow) => Unavailability
}

type ReadRow = (index: number, maxAge: Micros | null) => ViewRow
type NumbersOfRow = (index: number, vectors: Float64Array, from: number) => ViewRow | null
type JsonOfRow = (index: number, maxAge: Micros | null, out: JsonBytes) => ViewRow | null

/** Counts the statuses that were answered; shared by all requests and read by metrics. */
export type StatusTally = ReadonlyMap<FeatureView, Record<RowStatus, number>>

export function statusTally(views: readonly FeatureView[]): StatusTally {
  return new Map(views.map((view) => [view, { PRESENT: 0, NOT_FOUND: 0, OUTSIDE_TTL: 0, UNAVAILABLE: 0 }]))
}

/** What every column of a view shares. */
export interface ColumnReader extends ViewReader {
  /** Of a row's values, those that may be large. */
  readonly largeValues: number
  /** Of all that were read online: the bytes of the largest row; null: none was. */
  readonly seen: { largestRow: number | null }
  readonly counts: Record<RowStatus, number>
}

/** Where row i of a need stands in the answer of a read. */
type PlaceOf = (index: number) => number

export function onlineColumn(
  reader: ColumnReader,
  cells: readonly (Buffer | null)[],
  placeOf: PlaceOf,
  at: Micros,
): ViewColumn {
  const peek: ReadRow = (index, maxAge) => reader.readPacked(cells[placeOf(index)] ?? null, at, maxAge)
  return {
    view: reader.view,
    counts: reader.counts,
    why: whyOf,
    row: counted(reader, peek),
    peek,
    numbers(wanted) {
      const read = reader.readNumbers(wanted)
      return (index, vectors, from) => read(cells[placeOf(index)] ?? null, at, vectors, from)
    },
    json(selected) {
      const write = reader.writeJson(selected)
      return (index, maxAge, out) => write(cells[placeOf(index)] ?? null, at, maxAge, out)
    },
  }
}

function counted({ counts }: ColumnReader, peek: ReadRow): ReadRow {
  return (index, maxAge) => {
    const row = peek(index, maxAge)
    counts[row.$status] += 1
    return row
  }
}

/** Of rows that stand nowhere in bytes. */
function readColumn(reader: ColumnReader, peek: ReadRow, why: ViewColumn['why']): ViewColumn {
  return {
    view: reader.view,
    counts: reader.counts,
    why,
    row: counted(reader, peek),
    peek,
    numbers: () => (index) => peek(index, null),
    json: () => peek,
  }
}

/** Rows of the as-of join, each asked for at its own time. */
export function offlineColumn(
  reader: ColumnReader,
  rows: readonly AsOfEntry[],
  placeOf: PlaceOf,
  times: (index: number) => Micros,
): ViewColumn {
  return readColumn(
    reader,
    (index, maxAge) => reader.readOffline(rows[placeOf(index)] ?? null, times(index), maxAge),
    (row) => {
      const expired = rows.find((one) => one !== null && 'storedSince' in one)
      return row.$reason === 'HISTORY_EXPIRED' && expired && 'storedSince' in expired
        ? historyExpired(reader.view, expired)
        : whyOf(row)
    },
  )
}

export function unavailableColumn(
  reader: ColumnReader,
  source: FreshnessSource,
  times: (index: number) => Micros,
  reason: UnavailableReason,
): ViewColumn {
  return readColumn(reader, (index) => reader.unavailable(source, times(index), reason), whyOf)
}

function whyOf({ $reason, $source }: ViewRow): Unavailability {
  return unavailability($reason ?? 'STORE_FAILED', $source)
}

function historyExpired(view: FeatureView, { storedSince }: ExpiredHistory): Unavailability {
  // Others have rows, which do not expire.
  if (view.kind !== 'STREAM') return unavailability('HISTORY_EXPIRED', 'OFFLINE')
  const longest = Math.max(...view.aggregations.map(({ windowMicros }) => windowMicros))
  const first = Math.max(
    ...view.aggregations.map(({ windowMicros, hopMicros }) =>
      firstTimeSince(storedSince, windowMicros, hopMicros),
    ),
  )
  return unavailability(
    'HISTORY_EXPIRED',
    'OFFLINE',
    `the events of "${view.events.name}" are kept since ${formatTimestamp(storedSince)}; its windows reach back ${formatDuration(longest)}, so it answers from ${formatTimestamp(first)} on`,
  )
}
