import type { FeatureStatus } from '../../definitions/row-status.ts'
import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { ColumnSummary } from '../../stores/training-file.ts'
import type { KnownAt } from './known-at.ts'

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

export interface CardContents {
  readonly service: string | null
  readonly vector: readonly string[]
  readonly registryVersion: number
  readonly definitions: string
  readonly program: string
  readonly spine: { readonly file: string; readonly sha256: string; readonly counts: SpineCounts }
  readonly output: { readonly file: string; readonly sha256: string; readonly bytes: number }
  readonly knownAt: KnownAt
  readonly takenAt: Micros
  readonly features: readonly FeatureCounts[]
  readonly summaries: readonly ColumnSummary[]
}

/** What stands beside a training set: what it was made of, as JSON with one fact a line. */
export function trainingCard(contents: CardContents): string {
  const { spine, output, features, summaries, knownAt, takenAt, ...head } = contents
  const { counts } = spine
  const share = (count: number): number => (counts.rows === 0 ? 0 : count / counts.rows)
  const card = {
    ...head,
    knownAt:
      knownAt.kind === 'ALL'
        ? null
        : knownAt.kind === 'ROW'
          ? rowText(knownAt.delayMicros)
          : formatTimestamp(knownAt.at),
    takenAt: formatTimestamp(takenAt),
    spine: {
      file: spine.file,
      sha256: spine.sha256,
      ...{
        rows: counts.rows,
        missingKeys: counts.missingKeys,
        missingTimes: counts.missingTimes,
        ahead: counts.ahead,
      },
      from: counts.from === null ? null : formatTimestamp(counts.from),
      to: counts.to === null ? null : formatTimestamp(counts.to),
    },
    output,
    features: features.map(({ name, type, statuses, defaulted, violated }) => {
      const summary = summaries.find((one) => one.name === name)
      return {
        ...{ name, type },
        nullRate: share(defaulted),
        outsideTtlRate: share(statuses.OUTSIDE_TTL),
        violatedRate: share(violated),
        statuses,
        ...(summary && {
          minimum: summary.minimum,
          maximum: summary.maximum,
          mean: summary.mean,
          quantiles: summary.quantiles,
        }),
      }
    }),
  }
  return `${JSON.stringify(card, null, 2)}\n`
}

function rowText(delayMicros: Micros): string {
  return delayMicros === 0 ? 'row' : `row+${delayMicros / 1_000_000}s`
}
