import type { FeatureStatus } from '../definitions/row-status.ts'
import type { Micros } from '../definitions/timestamp.ts'

/** How often a feature's values were not what a model would like. */
export interface FeatureCounts {
  readonly name: string
  readonly type: string
  readonly statuses: Readonly<Record<FeatureStatus, number>>
  /** Null, so that a vector holds its default. */
  readonly defaulted: number
  /** Outside what is expected of it. */
  readonly violated: number
}

export interface SpineCounts {
  readonly rows: number
  readonly missingKeys: number
  readonly missingTimes: number
  /** Later than the snapshot. */
  readonly ahead: number
  readonly from: Micros | null
  readonly to: Micros | null
}
