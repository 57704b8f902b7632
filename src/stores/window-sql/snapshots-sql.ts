import type { Micros } from '../../definitions/timestamp.ts'
import type { Value } from '../../definitions/value.ts'
import type { JoinKeyType, ScalarType, ValueType } from '../../definitions/value-type.ts'
import type { WindowedAggregation } from '../../definitions/windowed-aggregation.ts'

export type DialectName = 'spark' | 'duckdb'

/** What of a windowed view its snapshots are computed from. */
export interface ComputedView {
  readonly name: string
  readonly entity: { readonly joinKeys: readonly { readonly name: string; readonly type: JoinKeyType }[] }
  readonly events: { readonly fields: readonly { readonly name: string; readonly type: ScalarType }[] }
  readonly features: readonly { readonly name: string; readonly type: ValueType }[]
  /** In the features' order. */
  readonly aggregations: readonly WindowedAggregation[]
  readonly emptyValues: readonly (Value | null)[]
}

export interface SnapshotsRequest {
  /** Snapshot times, in any order. */
  readonly times: readonly Micros[]
  /**
   * The snapshot before the first of these times: a key that it has a row for and the first has none for gets a closing row
   * there. Null: there is none.
   */
  readonly previous: Micros | null
  /** The folder of exported events, at any depth below it. */
  readonly events: string
  /** The folder that the rows are written to. */
  readonly output: string
}

/**
 * One script that computes a view's snapshots out of exported events: a row per key and time with an event in the longest
 * window, and a closing row where a key that had a row has none any more. Columns of the output: the join keys, the features
 * by name, `event_timestamp`, `closing`, and `<feature>__tolerance` for each float feature: how far another right
 * computation may lie from it (design section 3.5). What 64 bits or float64 cannot hold is null.
 */
export function snapshotsSql(view: ComputedView, request: SnapshotsRequest, dialect: DialectName): string {
  throw new TypeError(`no snapshots of ${view.name} by ${dialect} into ${request.output} yet`)
}
