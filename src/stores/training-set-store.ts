import type { EpochUnit } from '../definitions/source-reading.ts'
import type { Micros } from '../definitions/timestamp.ts'
import type { Spine } from './spine-store.ts'
import type { TrainingFormat } from './training-file.ts'

export const trainingSetStates = [
  ...(['QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED'] as const),
] as const
export type TrainingSetState = (typeof trainingSetStates)[number]

/** What was asked for, checked against the registry and the spine. Exactly one of service and features is there. */
export interface TrainingSetRequest {
  readonly service: string | null
  /** Each as `view:feature` or `view`. */
  readonly features: readonly string[] | null
  readonly format: TrainingFormat
  /** As on the command line. */
  readonly knownAt: string | null
  /** Column of the spine → join key or request value. */
  readonly map: readonly (readonly [column: string, name: string])[]
  /** The column of the rows' times; null: the usual one. */
  readonly time: string | null
  readonly timeUnit: EpochUnit | null
  readonly timezone: string | null
  readonly vector: boolean
  readonly statuses: boolean
  readonly fullNames: boolean
}

export interface TrainingSetPart {
  /** From 0. */
  readonly part: number
  /** Its name in the set's folder. */
  readonly file: string
  readonly rows: number
  readonly bytes: number
  /** In hex. */
  readonly sha256: string
}

/** The version of the registry that a training set is made by. */
export interface SetVersion {
  readonly version: number
  readonly digest: string
}

interface NewTrainingSet {
  readonly owner: string
  readonly spine: Spine
  readonly request: TrainingSetRequest
  readonly registry: SetVersion
  readonly idempotencyKey: string | null
}

export interface TrainingSet extends Omit<NewTrainingSet, 'idempotencyKey'> {
  readonly id: string
  readonly state: TrainingSetState
  /** 0 to 1. */
  readonly progress: number
  readonly createdAt: Micros
  readonly finishedAt: Micros | null
  readonly error: string | null
  readonly errorCode: string | null
  readonly card: { readonly bytes: number; readonly sha256: string } | null
  /** Those that are finished, in order. */
  readonly parts: readonly TrainingSetPart[]
}

export interface TrainingSetFilter {
  /** Null: of all. */
  readonly owner: string | null
  readonly state: TrainingSetState | null
  readonly first: number
  /** The last one of the page before. */
  readonly after: Pick<TrainingSet, 'id' | 'createdAt'> | null
}

/** Training sets of one project, as callers see them; `TrainingJobQueue` has what a job writes. Rejects with `StoreFailed`. */
export interface TrainingSetStore {
  /** QUEUED; where the owner has given the idempotency key before, the set of then, whatever it is. */
  readonly create: (set: NewTrainingSet) => Promise<TrainingSet>
  readonly find: (id: string) => Promise<TrainingSet | null>
  /** Newest first, by (created at, id). */
  readonly list: (filter: TrainingSetFilter) => Promise<readonly TrainingSet[]>
  /** One that has ended stays as it is. */
  readonly cancel: (id: string) => Promise<void>
  readonly remove: (id: string) => Promise<void>
  /** SUCCEEDED ones that ended before become EXPIRED; those that ended otherwise, or are EXPIRED twice as long, are removed. */
  readonly expire: (before: Micros, removedBefore: Micros) => Promise<void>
  /** Of the ids those of sets whose files are wanted: QUEUED, RUNNING or SUCCEEDED. */
  readonly wanted: (ids: readonly string[]) => Promise<ReadonlySet<string>>
}
