import type { Micros } from '../definitions/timestamp.ts'
import type { StoredOfflineView } from './offline-view.ts'

/** A feature view as its SQL view needs it. */
export type AnalysedView = StoredOfflineView & {
  readonly ttlMicros: Micros | null
  readonly description: string | null
}

/** CURRENT: there and as it would be made; NEW: not there; OUTDATED: of another definition; REMOVED: of a view that is gone. */
export type SqlViewState = 'CURRENT' | 'NEW' | 'OUTDATED' | 'REMOVED'

export interface FoundSqlView {
  /** Name of today, of REMOVED the one that it was made under. */
  readonly view: string
  readonly state: SqlViewState
  /** Of the view and the function, with their schema. */
  readonly latest: string
  readonly asOf: string
}

/** Views and functions for reading features by SQL, in a schema of their own; `<view>_latest`, `<view>_as_of(time, known_at)`. */
export interface SqlViews {
  /** How what is there stands to the views. Nothing is changed. */
  readonly compare: (schema: string, views: readonly AnalysedView[]) => Promise<readonly FoundSqlView[]>
  /**
   * In one transaction: makes what is NEW or OUTDATED, drops what is REMOVED; answers what it found. Grants on what it replaces
   * stay. @throws BadUserInput for objects in the way that are not its own, or that others depend on.
   */
  readonly sync: (schema: string, views: readonly AnalysedView[]) => Promise<readonly FoundSqlView[]>
  /** Drops what was made for the project in the schema, and the schema once it is empty; answers what it dropped. */
  readonly drop: (schema: string) => Promise<readonly FoundSqlView[]>
}
