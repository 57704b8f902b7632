import type { Micros } from '../definitions/timestamp.ts'
import type { FileFormat } from './file-reader.ts'

/** The entity rows of a training set, uploaded as a file. */
export interface Spine {
  readonly id: string
  /** Name of the API key that uploaded it. */
  readonly owner: string
  readonly format: FileFormat
  readonly rows: number
  readonly columns: readonly string[]
  readonly bytes: number
  /** In hex. */
  readonly sha256: string
}

/** Which spines of a project there are; their files stand elsewhere. Rejects with `StoreFailed`. */
export interface SpineStore {
  /**
   * Created now, by the database's clock. False: the owner would hold more than `maxHeldBytes`, whatever other gateways
   * add at the same time; it is not added then.
   */
  readonly add: (spine: Spine, maxHeldBytes: number) => Promise<boolean>
  readonly find: (id: string) => Promise<Spine | null>
  /** Bytes of the spines and of the training sets of one key. */
  readonly heldBytes: (owner: string) => Promise<number>
  /** Removes those that were created before, and that no training set is made of at present. */
  readonly expire: (before: Micros) => Promise<void>
  /** Of the ids those that there are. */
  readonly known: (ids: readonly string[]) => Promise<ReadonlySet<string>>
}
