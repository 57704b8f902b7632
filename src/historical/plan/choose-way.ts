import type { Micros } from '../../definitions/timestamp.ts'
import type { Way } from '../../stores/as-of-snapshot.ts'
import type { OfflineView } from '../../stores/offline-view.ts'
import type { TableEstimate } from '../../stores/table-estimate.ts'
import { reachOf } from '../../windows/reach-of.ts'

/** Entity rows that are answered together. */
export interface AskedRows {
  readonly rows: number
  /** Different keys of them. */
  readonly keys: number
  /** From the earliest to the latest moment. */
  readonly spanMicros: Micros
  /** All rows are known at one moment, or whatever is known now. */
  readonly isKnownAtOnce: boolean
}

export interface ChosenWay {
  readonly view: string
  readonly way: Way
  /** For a reader. */
  readonly because: string
  /** Estimated, with what it was decided by: feature rows or events that are read. */
  readonly reads: number
  readonly asked: AskedRows
  readonly table: TableEstimate
}

/** Up to here one statement with all views answers soonest, unless a probe reads the table. */
const fewRows = 1_000
/** From here on a probe is a scan. */
const scanShare = 0.5
/** What a row costs that is scanned and not sent, in rows that are sent: 0.1 of 0.7 µs. */
const scannedRow = 0.14
/** Of a probe by an index the planner's cost is mostly pages, which are in memory by then. */
const probedRow = 0.005
/** An index with the keys and the times costs three or four rows that are sent; two is the safe side of where they cross. */
const leastPerProbe = 2

/**
 * Of a streaming view the entity rows alone decide, so that the same rows are answered the same way once more, whatever the
 * statistics say by then: floats are added in another order by each. A merge costs no more than probes where no windows overlap.
 * What decides otherwise is rows that are read
 * and sent, by what the ways cost with warm data (1 M entity rows over 10 + 5 M feature rows).
 */
export function chooseWay(view: OfflineView, asked: AskedRows, table: TableEstimate): ChosenWay {
  const chosen = (way: Way, because: string, reads: number): ChosenWay => ({
    ...{ view: view.name, way, because, reads: Math.round(reads) },
    ...{ asked, table },
  })
  if (view.source?.kind === 'parquet') return chosen('FILES', 'it stands in files', table.rows)
  if (view.kind === 'STREAM') {
    const { probed, merged } = eventsRead(view, asked, table)
    if (asked.rows <= fewRows) return chosen('LATERAL', `at most ${fewRows} rows`, probed)
    return chosen('MERGE', 'the events of overlapping windows are read once', merged)
  }
  const { rows } = asked
  if (view.kind === 'BATCH') return chosen('LATERAL', 'snapshots are found by their index', rows)
  if (!asked.isKnownAtOnce) return chosen('LATERAL', 'each row is known at its own time', rows)
  const isScan = (table.probeShare ?? 0) >= scanShare
  const equivalent = (table.probeShare ?? 0) * table.rows
  const probes = rows * (isScan ? scannedRow * equivalent : Math.max(leastPerProbe, probedRow * equivalent))
  const sent = table.rows * Math.min(1, asked.keys / table.keys)
  const scatter = sent + Math.min(sent, scannedRow * table.rows)
  if (rows <= fewRows && probes <= fewRows * fewRows)
    return chosen('LATERAL', `at most ${fewRows} rows`, rows)
  if (scatter > probes) return chosen('LATERAL', 'an index finds each row', rows)
  return isScan
    ? chosen('SCATTER', 'no index has the join keys and the time', table.rows)
    : chosen('SCATTER', 'few feature rows for each entity row', sent)
}

/** With moments and events spread evenly over their times, and as many of each for every key. */
function eventsRead(
  view: Extract<OfflineView, { kind: 'STREAM' }>,
  { rows, keys, spanMicros }: AskedRows,
  table: TableEstimate,
): { readonly probed: number; readonly merged: number } {
  const perKey = table.rows / table.keys
  const span = Math.max(table.spanMicros ?? spanMicros, 1)
  const reach = Math.min(reachOf(view), span)
  const probed = rows * perKey * (reach / span)
  // What windows at so many random moments cover of the time.
  const moments = rows / Math.max(1, keys)
  const covered =
    spanMicros <= 0 ? reach : reach + spanMicros * (1 - Math.exp((-moments * reach) / spanMicros))
  const merged = keys * perKey * Math.min(1, covered / span)
  return { probed, merged: Math.min(probed, merged) }
}
