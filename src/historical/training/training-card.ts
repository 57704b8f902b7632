import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { FeatureService } from '../../registry/registry.ts'
import type { DatabaseIdentity } from '../../stores/later-changes.ts'
import type { ReadFiles } from '../../stores/read-files.ts'
import type { FeatureCounts, SpineCounts } from '../../stores/training-counts.ts'
import type { ColumnSummary } from '../../stores/training-file.ts'
import type { TrainingEngine } from '../plan/choose-engine.ts'
import { knownAtText } from './known-at.ts'
import { cardFormat } from './read-card.ts'
import type { TrainingOptions } from './training-options.ts'
import { mappedViews, usedDefinitions } from './used-definitions.ts'

/** Whose definitions and rows a training set is made of, and by what. */
export interface TrainingWorld {
  readonly project: string
  readonly registryVersion: number
  /** Digest of the whole registry. */
  readonly definitions: string
  /** The program's version. */
  readonly program: string
}

interface OutputFile {
  readonly file: string
  readonly sha256: string
  readonly bytes: number
  /** Of a part. */
  readonly rows?: number
}

export interface CardContents {
  readonly world: TrainingWorld
  readonly options: TrainingOptions
  readonly service: FeatureService
  readonly database: DatabaseIdentity
  /** What the training set could see: `AsOfSnapshot.visible`. */
  readonly visible: string
  readonly engine: TrainingEngine
  /** Of the views that were read from files. */
  readonly files: readonly ReadFiles[]
  readonly takenAt: Micros
  /** By source of a streaming view; read before the snapshot was taken. */
  readonly storedSince: ReadonlyMap<string, Micros>
  /** A file's name or a statement. */
  readonly spine: {
    readonly file: string | null
    readonly sql: string | null
    readonly sha256: string
    readonly counts: SpineCounts
  }
  /** Of a job each part, in order. */
  readonly output: OutputFile | readonly OutputFile[]
  readonly features: readonly FeatureCounts[]
  readonly summaries: readonly ColumnSummary[]
}

/** What stands beside a training set: what it was made of, as JSON; `readCard` reads what is needed to make it again. */
export function trainingCard(contents: CardContents): string {
  const { world, options, service, database, visible, takenAt, storedSince, spine, output } = contents
  const { selection, fullNames, knownAt, spineFormat, map, time, timezone, timeUnit } = options
  const { counts } = spine
  const instant = (micros: Micros | null): string | null => (micros === null ? null : formatTimestamp(micros))
  const card = {
    card: contents.engine === 'postgres' && contents.files.length === 0 ? 1 : cardFormat,
    ...{ program: world.program, project: world.project },
    service: 'service' in selection ? selection.service : null,
    selected: 'features' in selection ? selection.features : null,
    vector: service.vector.map(({ name }) => name),
    ...{ registryVersion: world.registryVersion, definitions: world.definitions },
    usedDefinitions: usedDefinitions(service),
    knownAt: knownAtText(knownAt),
    takenAt: formatTimestamp(takenAt),
    database: { systemIdentifier: database.systemIdentifier, id: database.id, snapshot: visible },
    storedSince: Object.fromEntries(
      [...storedSince].map(([source, since]) => [source, formatTimestamp(since)]),
    ),
    notReproducible: mappedViews(service),
    options: {
      ...{ spineFormat, map: Object.fromEntries(map), time, timezone, timeUnit, fullNames },
      ...{ vector: options.vector, statuses: options.statuses, format: options.format },
    },
    spine: {
      ...(spine.sql === null ? { file: spine.file } : { sql: spine.sql }),
      ...{ sha256: spine.sha256, rows: counts.rows },
      ...{ missingKeys: counts.missingKeys, missingTimes: counts.missingTimes, ahead: counts.ahead },
      ...{ from: instant(counts.from), to: instant(counts.to) },
    },
    ...(contents.engine === 'postgres' ? {} : { engine: contents.engine }),
    ...(contents.files.length === 0 ? {} : { files: contents.files }),
    ...('file' in output ? { output } : { parts: output }),
    features: featuresOf(contents),
  }
  return `${JSON.stringify(card, null, 2)}\n`
}

function featuresOf({ features, summaries, spine: { counts } }: CardContents): readonly unknown[] {
  const share = (count: number): number => (counts.rows === 0 ? 0 : count / counts.rows)
  return features.map(({ name, type, statuses, defaulted, violated }) => {
    const summary = summaries.find((one) => one.name === name)
    const rates = {
      nullRate: share(defaulted),
      defaultedRate: share(defaulted),
      outsideTtlRate: share(statuses.OUTSIDE_TTL),
      violatedRate: share(violated),
    }
    const numbers = summary && {
      ...{ minimum: summary.minimum, maximum: summary.maximum, mean: summary.mean },
      quantiles: summary.quantiles,
    }
    return { name, type, ...rates, statuses, ...numbers }
  })
}
