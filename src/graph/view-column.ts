import { formatDuration } from '../definitions/duration.ts'
import type { RowStatus } from '../definitions/row-status.ts'
import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
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
  readonly row: (index: number, maxAge: Micros | null) => ViewRow
  /** The row's numbers into vectors; see `ViewReader.readNumbers`. The row itself where they are not written. */
  readonly numbers: (wanted: readonly PlacedFeature[]) => NumbersOfRow
  /** What the view's error says of an UNAVAILABLE row of the column. */
  readonly why: (row: ViewRow) => Unavailability
}

type NumbersOfRow = (index: number, vectors: Float64Array, from: number) => ViewRow | null

/** Counts the statuses that were answered; shared by all requests and read by metrics. */
export type StatusTally = ReadonlyMap<FeatureView, Record<RowStatus, number>>

export function statusTally(views: readonly FeatureView[]): StatusTally {
  return new Map(views.map((view) => [view, { PRESENT: 0, NOT_FOUND: 0, OUTSIDE_TTL: 0, UNAVAILABLE: 0 }]))
}

/** What every column of a view shares. */
export interface ColumnReader extends ViewReader {
  /** Of a row's values, those that may be large. */
  readonly largeValues: number
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
  return {
    view: reader.view,
    why: whyOf,
    row(index, maxAge) {
      const row = reader.readPacked(cells[placeOf(index)] ?? null, at, maxAge)
      reader.counts[row.$status] += 1
      return row
    },
    numbers(wanted) {
      const read = reader.readNumbers(wanted)
      return (index, vectors, from) => {
        const row = read(cells[placeOf(index)] ?? null, at, vectors, from)
        reader.counts[row === null ? 'PRESENT' : row.$status] += 1
        return row
      }
    },
  }
}

/** Rows of the as-of join, each asked for at its own time. */
export function offlineColumn(
  reader: ColumnReader,
  rows: readonly AsOfEntry[],
  placeOf: PlaceOf,
  times: (index: number) => Micros,
): ViewColumn {
  return {
    view: reader.view,
    why(row) {
      const expired = rows.find((one) => one !== null && 'storedSince' in one)
      return row.$reason === 'HISTORY_EXPIRED' && expired && 'storedSince' in expired
        ? historyExpired(reader.view, expired)
        : whyOf(row)
    },
    row: rowOf,
    numbers: () => (index) => rowOf(index, null),
  }

  function rowOf(index: number, maxAge: Micros | null): ViewRow {
    const row = reader.readOffline(rows[placeOf(index)] ?? null, times(index), maxAge)
    reader.counts[row.$status] += 1
    return row
  }
}

export function unavailableColumn(
  reader: ColumnReader,
  source: FreshnessSource,
  times: (index: number) => Micros,
  reason: UnavailableReason,
): ViewColumn {
  return {
    view: reader.view,
    why: whyOf,
    row: rowOf,
    numbers: () => rowOf,
  }

  function rowOf(index: number): ViewRow {
    reader.counts.UNAVAILABLE += 1
    return reader.unavailable(source, times(index), reason)
  }
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
