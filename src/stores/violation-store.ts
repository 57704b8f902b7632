import type { ExpectationAction } from '../definitions/expectation.ts'
import type { Micros } from '../definitions/timestamp.ts'

/** A rule of an expectation that a row broke, and what was done about it. */
export interface Violation {
  /** A view's id, or an event source's name. */
  readonly view: string
  /** Null for a rule of the whole view. */
  readonly feature: string | null
  /** The join keys as text, in their declared order. */
  readonly key: readonly string[]
  readonly rule: string
  readonly value: string | null
  readonly bound: string | null
  readonly message: string
  readonly action: ExpectationAction
  readonly eventTimestamp: Micros | null
  readonly recordedAt: Micros
}

/** A row that was kept out of both stores, as it came. */
export interface QuarantinedRow {
  /** As in `Violation`. */
  readonly view: string
  readonly content: unknown
  readonly reason: string
  readonly recordedAt: Micros
}

/** Where a page ended: the next one begins behind it. */
interface ViolationPlace {
  readonly recordedAt: Micros
  readonly id: number
}

export interface ViolationFilter {
  /** As in `Violation`; null: of all. */
  readonly view: string | null
  readonly since: Micros | null
  readonly after: ViolationPlace | null
  readonly first: number
}

export type StoredViolation = Violation & { readonly id: number }

/** Rejects with `StoreFailed` when the database does not answer. */
export interface ViolationStore {
  /** Appends both in one transaction. Violations of one call are reported newest first in the order given, reversed. */
  readonly record: (violations: readonly Violation[], quarantined: readonly QuarantinedRow[]) => Promise<void>
  /** Newest first, at most `first`. */
  readonly page: (filter: ViolationFilter) => Promise<readonly StoredViolation[]>
}
