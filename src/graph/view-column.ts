import { formatDuration } from '../definitions/duration.ts'
import type { RowStatus } from '../definitions/row-status.ts'
import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import type { ViewReader } from '../online/view-reader.ts'
import type { FreshnessSource, ViewRow } from '../online/view-row.ts'
import type { FeatureView } from '../registry/registry.ts'
import type { AsOfRow, ExpiredHistory } from '../stores/as-of-reader.ts'
import { firstTimeSince } from '../windows/hop.ts'
import type { UnavailableReason } from './unavailable-views.ts'

/** One view's answers for the rows of one need: raw until a resolver asks, since `maxAge` is an argument of the field. */
export interface ViewColumn {
  readonly view: FeatureView
  readonly row: (index: number, maxAge: Micros | null) => ViewRow
  /** Why a row is UNAVAILABLE: the same for all of a column. */
  readonly reason: UnavailableReason
}

/** Counts the statuses that were answered; shared by all requests and read by metrics. */
export type StatusTally = ReadonlyMap<FeatureView, Record<RowStatus, number>>

export function statusTally(views: readonly FeatureView[]): StatusTally {
  return new Map(views.map((view) => [view, { PRESENT: 0, NOT_FOUND: 0, OUTSIDE_TTL: 0, UNAVAILABLE: 0 }]))
}

/** What every column of a view shares. */
export interface ColumnReader extends ViewReader {
  readonly counts: Record<RowStatus, number>
}

const unknownLayout = {
  code: 'UNAVAILABLE',
  message: 'its stored row has a layout that this gateway does not know',
} as const satisfies UnavailableReason

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
    reason: unknownLayout,
    row(index, maxAge) {
      const row = reader.readPacked(cells[placeOf(index)] ?? null, at, maxAge)
      reader.counts[row.$status] += 1
      return row
    },
  }
}

/** Rows of the as-of join, each asked for at its own time. */
export function offlineColumn(
  reader: ColumnReader,
  rows: readonly (AsOfRow | ExpiredHistory | null)[],
  placeOf: PlaceOf,
  times: (index: number) => Micros,
): ViewColumn {
  return {
    view: reader.view,
    get reason() {
      const expired = rows.find((row) => row !== null && 'storedSince' in row)
      return expired !== undefined && expired !== null && 'storedSince' in expired
        ? historyExpired(reader.view, expired)
        : unknownLayout
    },
    row(index, maxAge) {
      const row = reader.readOffline(rows[placeOf(index)] ?? null, times(index), maxAge)
      reader.counts[row.$status] += 1
      return row
    },
  }
}

export function unavailableColumn(
  reader: ColumnReader,
  source: FreshnessSource,
  times: (index: number) => Micros,
  reason = `the ${source === 'ONLINE' ? 'online' : 'offline'} store did not answer in time`,
): ViewColumn {
  return {
    view: reader.view,
    reason: { code: 'UNAVAILABLE', message: reason },
    row(index) {
      reader.counts.UNAVAILABLE += 1
      return reader.unavailable(source, times(index))
    },
  }
}

function historyExpired(view: FeatureView, { storedSince }: ExpiredHistory): UnavailableReason {
  // Others have rows, which do not expire.
  if (view.kind !== 'STREAM') return unknownLayout
  const longest = Math.max(...view.aggregations.map(({ windowMicros }) => windowMicros))
  const first = Math.max(
    ...view.aggregations.map(({ windowMicros, hopMicros }) =>
      firstTimeSince(storedSince, windowMicros, hopMicros),
    ),
  )
  return {
    code: 'HISTORY_EXPIRED',
    message: `the events of "${view.events.name}" are kept since ${formatTimestamp(storedSince)}; its windows reach back ${formatDuration(longest)}, so it answers from ${formatTimestamp(first)} on`,
  }
}
