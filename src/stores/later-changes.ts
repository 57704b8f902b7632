import type { Micros } from '../definitions/timestamp.ts'
import type { KeyValue } from '../definitions/value.ts'
import type { EventKeys } from './stored-event-source.ts'

/** Which database it is: transaction ids mean nothing in another one. */
export interface DatabaseIdentity {
  /** Of the cluster. */
  readonly systemIdentifier: string
  /** Of the database in it, by the migrations. */
  readonly id: string
}

/** Entities of one kind. */
export interface DeletedEntities {
  readonly entity: string
  readonly joinKeys: EventKeys
  readonly count: number
  /** Of a key in the order of the join keys. */
  readonly isDeleted: (key: readonly (KeyValue | null)[]) => boolean
}

/**
 * What happened to a database since an earlier snapshot of it (`AsOfSnapshot.visible`) that no later read can undo. Every method
 * rejects with `StoreFailed`.
 */
export interface LaterChanges {
  readonly identity: () => Promise<DatabaseIdentity>
  /** False: it was restored to a time before the snapshot was taken, so that its transactions are others. */
  readonly hasReached: (visible: string) => Promise<boolean>
  /** Source → since when its events are all there; without an entry nothing of it was dropped. */
  readonly storedSince: (sources: readonly string[]) => Promise<ReadonlyMap<string, Micros>>
  /** Events of the sources whose times were set to the present, when a clock that had been ahead came back. */
  readonly corrected: (visible: string, sources: readonly string[]) => Promise<number>
  /** By kind; erased behind the snapshot, whenever the deletion was asked for. */
  readonly erased: (visible: string) => Promise<readonly DeletedEntities[]>
  /** Also those whose deletion was asked for behind the snapshot, erased or not. */
  readonly deleted: (visible: string) => Promise<readonly DeletedEntities[]>
}
