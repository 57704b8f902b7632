import type { FeatureStatus } from '../../definitions/row-status.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { FeatureCounts, SpineCounts } from '../../stores/training-counts.ts'
import type { ColumnSummary } from '../../stores/training-file.ts'
import type { EngineMade } from '../training/make-by-engine.ts'

/** What is recorded with a part, as JSON. Parts of earlier versions were all made by Postgres, which read no files. */
export type PartCounts = Pick<EngineMade, 'spine' | 'features' | 'summaries'> &
  Partial<Pick<EngineMade, 'engine' | 'files'>>

/** How all parts are made: as the first was, and of the same files. */
export function madeLike(parts: readonly PartCounts[]): Pick<EngineMade, 'engine' | 'files'> {
  const [first] = parts
  return { engine: first?.engine ?? 'postgres', files: first?.files ?? [] }
}

/** Counts of the parts as those of the whole. */
export function countsOfParts(parts: readonly PartCounts[]): {
  readonly spine: SpineCounts
  readonly features: readonly FeatureCounts[]
} {
  const [first] = parts
  if (!first) throw new TypeError('a training set has a part')
  return {
    spine: parts.map(({ spine }) => spine).reduce(addSpines),
    features: first.features.map((_, place) =>
      parts.flatMap(({ features }) => features[place] ?? []).reduce(addFeatures),
    ),
  }
}

function addSpines(left: SpineCounts, right: SpineCounts): SpineCounts {
  return {
    ...left,
    rows: left.rows + right.rows,
    missingKeys: left.missingKeys + right.missingKeys,
    missingTimes: left.missingTimes + right.missingTimes,
    ahead: left.ahead + right.ahead,
    from: earlier(left.from, right.from),
    to: later(left.to, right.to),
  }
}

function addFeatures(left: FeatureCounts, right: FeatureCounts): FeatureCounts {
  const statuses = Object.entries(left.statuses).map(([status, count]) => [
    status,
    count + right.statuses[status as FeatureStatus],
  ])
  return {
    ...left,
    statuses: Object.fromEntries(statuses),
    defaulted: left.defaulted + right.defaulted,
    violated: left.violated + right.violated,
  }
}

function earlier(left: Micros | null, right: Micros | null): Micros | null {
  return left === null || right === null ? (left ?? right) : Math.min(left, right)
}

function later(left: Micros | null, right: Micros | null): Micros | null {
  return left === null || right === null ? (left ?? right) : Math.max(left, right)
}

/** Summaries of one part are those of the whole; of several they are to be computed over all rows. */
export function onlySummaries(parts: readonly PartCounts[]): readonly ColumnSummary[] | null {
  return parts.length === 1 ? (parts[0]?.summaries ?? null) : null
}
