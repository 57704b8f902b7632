import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey, KeyValue } from '../definitions/value.ts'
import type { EntityRow } from './as-of-reader.ts'

/** Many entity rows of one entity, column by column. */
export interface EntityRows {
  readonly length: number
  /** Per join key; numbers stand in a typed array where all are numbers. */
  readonly keys: readonly ArrayLike<KeyValue>[]
  readonly asOf: Float64Array
  readonly knownAt: (row: number) => Micros | null
}

/** Some of them, by their places; `to` is behind the last. */
export interface Part {
  readonly from: number
  readonly to: number
}

/** Some of them as they stand in an as-of join. */
export function entityRows({ keys, asOf, knownAt }: EntityRows, { from, to }: Part): EntityRow[] {
  const rows: EntityRow[] = []
  for (let row = from; row < to; row += 1) {
    const key: EntityKey = keys.map((column) => column[row] ?? 0)
    rows.push({ key, asOf: asOf[row] ?? 0, knownAt: knownAt(row) })
  }
  return rows
}
