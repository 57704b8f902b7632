import type { AggregateName } from '../../definitions/aggregation.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { ValueType } from '../../definitions/value-type.ts'
import type { BatchView } from '../../registry/registry.ts'
import type { ComputedRow, FoldedSnapshots, Timeline } from '../../stores/snapshot-store.ts'
import { foldKey, type GrowingFold, type SnapshotTimes, type SnapshotValue } from './fold-key.ts'

/** Of a float sum whose terms are not known. */
const relativeTolerance = 1e-9

/** They take a value as it is: no two computations differ. */
const selecting: ReadonlySet<AggregateName> = new Set(['min', 'max', 'first', 'last'])

/** Timelines of rows that were computed elsewhere → the rows that are missing, by `foldKey`. */
export function foldComputed(
  view: BatchView,
  snapshots: readonly Micros[],
  times: SnapshotTimes,
  timelines: readonly Timeline<ComputedRow>[],
): FoldedSnapshots {
  const folded: GrowingFold = { rows: [], violations: [], quarantined: [] }
  const isInexact = view.features.map(
    ({ type }, index) => isFloat(type) && !selecting.has(view.aggregations[index]?.aggregate ?? 'sum'),
  )
  const valuesOf = ({ values, tolerances, closing }: ComputedRow): readonly SnapshotValue[] | null =>
    closing
      ? null
      : values.map((value, index) => ({
          value,
          overflow: null,
          tolerance:
            isInexact[index] === true && typeof value === 'number'
              ? (tolerances[index] ?? relativeTolerance * Math.abs(value))
              : 0,
        }))
  for (const timeline of timelines) {
    const rowOf = new Map(timeline.found.map((row) => [row.eventTimestamp, row]))
    const valuesAt = (snapshot: number) => {
      const row = rowOf.get(snapshots[snapshot] ?? 0)
      return row === undefined ? null : valuesOf(row)
    }
    foldKey(view, snapshots, times, timeline, valuesAt, folded)
  }
  return folded
}

function isFloat(type: ValueType): boolean {
  return type === 'float64' || type === 'float32'
}
