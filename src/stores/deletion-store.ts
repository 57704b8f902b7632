import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey } from '../definitions/value.ts'
import type { OfflineView } from './offline-view.ts'
import type { EventKeys, StoredEventSource } from './stored-event-source.ts'

/** A key of an entity, and all that may hold rows of it: what `concernsEntity`. */
export interface EntityToDelete {
  readonly entity: { readonly id: string; readonly name: string; readonly joinKeys: EventKeys }
  readonly key: EntityKey
  readonly views: readonly DeletionView[]
  readonly sources: readonly DeletionSource[]
}

export type DeletionView = OfflineView & { readonly online: boolean }
export type DeletionSource = StoredEventSource & { readonly keyFields: readonly { readonly name: string }[] }

/** Rows that are gone, by the name of a table. */
export interface DeletionCount {
  readonly place: string
  readonly rows: number
}

/** A key of a view, in its order, that an online store may hold a row of. */
export interface OnlineKey {
  /** By its id. */
  readonly view: string
  readonly key: EntityKey
}

interface RecordedDeletion {
  /** Not earlier than what was asked for, nor than an earlier deletion of the key. */
  readonly deletedAt: Micros
  /** Transactions that may write without knowing of the deletion. */
  readonly unaware: readonly string[]
}

/**
 * Deletions of entities, beside the offline store and under its promise: from `record` on, its writers refuse rows of the
 * key up to `deletedAt`. A writer that was under way then may still add some, so a whole deletion is: record, erase, wait
 * until `haveEnded`, erase. Each step may be repeated. Every method rejects with `StoreFailed` when the database does not
 * answer.
 */
export interface DeletionStore {
  /** Remembers a keyed digest, never the key; deleting again moves the time forward. */
  readonly record: (deletion: EntityToDelete, deletedAt: Micros) => Promise<RecordedDeletion>
  /** Whether all of `unaware` have been committed or rolled back. */
  readonly haveEnded: (unaware: readonly string[]) => Promise<boolean>
  /**
   * Removes, in one transaction, every row and event of the key that happened or was known by `deletedAt`, and what is recorded
   * of them in violations and quarantine, in tables of removed views too; mapped tables are never written. Keys of `onlineKeys` are remembered there.
   * One count a table, zeros too. A scan of the tables whose index does not begin with the entity's join keys.
   */
  readonly erase: (deletion: EntityToDelete, deletedAt: Micros) => Promise<readonly DeletionCount[]>
  /**
   * Of online views that have more join keys than the entity: the keys of rows that stand there now, mapped ones too (of a
   * streaming view those of its stored events), and those of erased rows and events that were not forgotten yet.
   */
  readonly onlineKeys: (deletion: EntityToDelete) => Promise<readonly OnlineKey[]>
  /**
   * Ids of views that are defined no more and whose tables have the entity's join keys: `erase` has removed its rows there too,
   * and what of them stands online must not answer when such a view comes back.
   */
  readonly removedViews: (deletion: EntityToDelete) => Promise<readonly string[]>
  /** Their tombstones stand. */
  readonly forgetOnlineKeys: (deletion: EntityToDelete, keys: readonly OnlineKey[]) => Promise<void>
}

/** The entity's key in the order of a view that has the same join keys and no more; null for others. */
export function sameKey({ entity, key }: EntityToDelete, view: OfflineView): EntityKey | null {
  const { joinKeys } = view.entity
  if (joinKeys.length !== entity.joinKeys.length) return null
  return joinKeys.map(({ name }) => key[entity.joinKeys.findIndex((joinKey) => joinKey.name === name)] ?? '')
}
