import { duckDbSnapshots } from './duckdb-snapshots.ts'
import { sparkSnapshots } from './spark-snapshots.ts'
import type { ComputedView, SnapshotsRequest } from './tile-plan.ts'

export type DialectName = 'spark' | 'duckdb'

const generators: Readonly<Record<DialectName, (view: ComputedView, request: SnapshotsRequest) => string>> = {
  spark: sparkSnapshots,
  duckdb: duckDbSnapshots,
}

/**
 * One script that computes a view's snapshots out of exported events: a row per key and time with an event in the longest
 * window, and a closing row where a key that had a row has none any more. Columns of the output: the join keys,
 * `event_timestamp`, `closing`, the features by name, and `<feature>__tolerance` for each float feature: how far another
 * right computation may lie from it (design section 3.5). What 64 bits or float64 cannot hold is null.
 */
export function snapshotsSql(view: ComputedView, request: SnapshotsRequest, dialect: DialectName): string {
  return generators[dialect](view, request)
}
