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
  /** Makes it current, and tells listeners. False: another version of its number came first; nothing is changed then. */
  readonly add: (version: NewVersion) => Promise<boolean>
}
