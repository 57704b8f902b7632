import type { ServedVersion } from '../../registry/versions/served-version.ts'
import type { FileStore } from '../../stores/file-reader.ts'
import type { LaterChanges } from '../../stores/later-changes.ts'
import type { SummarizeParts } from '../../stores/part-summaries.ts'
import type { SpineStore } from '../../stores/spine-store.ts'
import type { BegunJob, ClaimedJob, MadePart, TrainingJobQueue } from '../../stores/training-job-queue.ts'
import type { TrainingSetRequest, TrainingSetStore } from '../../stores/training-set-store.ts'
import type { VersionStore } from '../../stores/version-store.ts'
import type { AskedEngine } from '../plan/choose-engine.ts'
import { parseKnownAt } from '../training/known-at.ts'
import type { EngineSources } from '../training/make-by-engine.ts'
import type { FeatureSelection } from '../training/selected-features.ts'
import type { TrainingOptions } from '../training/training-options.ts'
import type { FilesFolder } from './files-folder.ts'
import type { HeldLease } from './hold-lease.ts'

/** What an attempt at a training set reads and writes. */
export interface JobSources extends EngineSources {
  /** By which parts are made. */
  readonly engine: AskedEngine
  readonly queue: TrainingJobQueue
  readonly trainingSets: Pick<TrainingSetStore, 'find'>
  readonly spines: Pick<SpineStore, 'heldBytes'>
  readonly versions: Pick<VersionStore, 'read'>
  readonly changes: LaterChanges
  readonly files: Pick<FileStore, 'open' | 'digest'>
  readonly summarizeParts: SummarizeParts
  readonly folder: FilesFolder
  readonly project: string
  readonly maxHeldBytes: number
  /** Of stored rows, for a part. */
  readonly maxReads: number
  /** Version of this program. */
  readonly program: string
}

export interface JobOptions {
  /** By which the spine is cut, where no attempt has cut it before. */
  readonly partRows: number
  /** The process is to end: the job goes back into the queue. */
  readonly signal: AbortSignal
  readonly pause: (ms: number) => Promise<unknown>
  readonly log: { readonly warn: (line: string, error: unknown) => void }
}

/** An attempt at work. */
export interface Attempt {
  readonly job: ClaimedJob
  readonly begun: BegunJob
  /** Parts of earlier attempts. */
  readonly found: readonly MadePart[]
  readonly served: ServedVersion
  readonly lease: HeldLease
  readonly options: JobOptions
}

export function selectionOf({ service, features }: TrainingSetRequest): FeatureSelection {
  return service === null ? { features: features ?? [] } : { service }
}

/** What the command would have been given. */
export function optionsOf({ request, spine }: BegunJob['set']): TrainingOptions {
  const { fullNames, knownAt, time, timezone, timeUnit, vector, statuses, format } = request
  return {
    selection: selectionOf(request),
    knownAt: knownAt === null ? { kind: 'ALL' } : parseKnownAt(knownAt),
    map: new Map(request.map),
    spineFormat: spine.format,
    ...{ fullNames, time, timezone, timeUnit, vector, statuses, format },
  }
}
