import type { JoinKeyType, ScalarType } from '../definitions/value-type.ts'

/** What a store must know of an event source. */
export interface StoredEventSource {
  readonly name: string
  /** Of the stream. */
  readonly topic: string | null
  /** Fields by which streaming views look events up, each list with the event timestamp behind it. */
  readonly indexedKeys: readonly (readonly string[])[]
  /** An existing table; null: one that the store makes and writes itself. */
  readonly table: string | null
  /** What the times and the event's own id are called in a mapped table. */
  readonly eventTimestamp: string
  readonly createdTimestamp: string | null
  readonly eventId: string | null
  readonly fields: readonly {
    readonly name: string
    readonly type: ScalarType
    /** In a mapped table. */
    readonly column: string
  }[]
}

/** The fields that name the entity of an event. */
export type EventKeys = readonly { readonly name: string; readonly type: JoinKeyType }[]
