import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey } from '../definitions/value.ts'
import type { OfflineView } from './offline-view.ts'

/** A key that is there, and from when to when its rows, or its events, are. */
export interface ExampleKey {
  readonly key: EntityKey
  readonly oldest: Micros
  readonly newest: Micros
}

/** Keys to show somebody who does not know any. */
export interface ExampleKeys {
  /**
   * At most `count` keys of rows (of a streaming view: events) that are due, the smallest first where an index says which
   * those are. None where they cannot be had cheaply: of a source that is a query, and where the store is slow or away.
   * Never rejects.
   */
  readonly exampleKeys: (view: OfflineView, now: Micros, count: number) => Promise<readonly ExampleKey[]>
}
