import type { Micros } from '../definitions/timestamp.ts'
import type { TrainingSet, TrainingSetPart } from './training-set-store.ts'

/** One attempt at a training set. */
export interface ClaimedJob {
  readonly id: string
  /** The attempt, by a random id: what it writes counts as long as no other has taken over. */
  readonly holder: string
}

/** A finished part with what the card needs of it. */
export interface MadePart extends TrainingSetPart {
  readonly made: unknown
}

/** What an attempt starts from. */
export interface BegunJob {
  readonly set: TrainingSet
  /** The snapshot that all parts are read in, as text of a pg_snapshot. */
  readonly visible: string
  readonly takenAt: Micros
  readonly storedSince: ReadonlyMap<string, Micros>
  /** By which the spine is cut. */
  readonly partRows: number
  readonly parts: readonly MadePart[]
}

interface JobCard {
  readonly bytes: number
  readonly sha256: string
}

/** An attempt that is not heard of for so long has lost its job. */
export const jobLeaseMs = 15_000
/** So many attempts may end without a finished part. */
export const maxAttempts = 3

/**
 * Training sets that are to be made, shared by all gateways: a row with a lease by the database's clock. Every method that
 * takes a job answers false, or null, and changes nothing where it is not that attempt's any more: cancelled, deleted, taken over. Rejects
 * with `StoreFailed`.
 */
export interface TrainingJobQueue {
  /**
   * The oldest that waits, or whose lease has ended; null: there is none. One whose attempts all ended without a part
   * becomes FAILED instead.
   */
  readonly claim: (holder: string) => Promise<ClaimedJob | null>
  /** What it is given, and the snapshot of now, are fixed at the first attempt. */
  readonly begin: (
    job: ClaimedJob,
    first: Pick<BegunJob, 'partRows' | 'storedSince'>,
  ) => Promise<BegunJob | null>
  readonly renew: (job: ClaimedJob, progress: number) => Promise<boolean>
  readonly addPart: (job: ClaimedJob, part: MadePart) => Promise<boolean>
  readonly succeed: (job: ClaimedJob, card: JobCard) => Promise<boolean>
  /** What it has made is forgotten. */
  readonly fail: (job: ClaimedJob, code: string, message: string) => Promise<boolean>
  /** For another attempt, at once; this one does not count. */
  readonly release: (job: ClaimedJob) => Promise<void>
}
