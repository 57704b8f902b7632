import type { Micros } from '../definitions/timestamp.ts'

/** Who made a version current, when and why. */
export interface AppliedVersion {
  /** From 1, without gaps. */
  readonly version: number
  /** Of what the definitions say; equal for equal definitions, whatever files they stood in. */
  readonly digest: string
  readonly appliedAt: Micros
  readonly appliedBy: string
  readonly message: string | null
  /** What it changed, a line each. */
  readonly changes: readonly string[]
  /** Version of the program that wrote it. */
  readonly program: string
}

export interface StoredVersion extends AppliedVersion {
  readonly format: number
  /** See `registry/versions/version-content.ts`. */
  readonly content: string
  /** In which version a definition last changed, by its kind and name, as `feature view orders`. */
  readonly changedIn: Readonly<Record<string, number>>
}

/** A change of the registry that was begun and has not ended. */
export interface BegunApply {
  readonly kind: 'APPLY' | 'ROLLBACK' | 'PRUNE'
  /** The version that it starts from; 0: none. */
  readonly base: number
  /** What it is to make current. */
  readonly digest: string
  readonly format: number
  readonly content: string
  readonly by: string
  readonly message: string | null
  readonly begunAt: Micros
  /** The steps that are done, as `column "features"."trips"."city"`. */
  readonly done: readonly string[]
  /** Until then its process is taken to be at work; the process renews it. */
  readonly expiresAt: Micros
  /** Whether it has not expired by the store's clock. */
  readonly isHeld: boolean
}

export type NewVersion = Omit<StoredVersion, 'appliedAt'>

/**
 * The registry's versions of one project; the newest is current, and none ever changes. Rejects with `StoreFailed` when the
 * database does not answer.
 */
export interface VersionStore {
  /** The number of the newest version; 0: there is none. */
  readonly newest: () => Promise<number>
  readonly read: (version: number) => Promise<StoredVersion | null>
  /** Newest first, those before `before` (null: all), at most `first`. */
  readonly list: (before: number | null, first: number) => Promise<readonly AppliedVersion[]>
  /** The change that was begun and has not ended; null: there is none. */
  readonly begun: () => Promise<BegunApply | null>
  /** Makes it current, and notifies listeners. False: another version of its number came first; nothing is changed then. */
  readonly add: (version: NewVersion) => Promise<boolean>
}
