import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey, FeatureRow } from '../definitions/value.ts'

/** Which row of which key is asked for, and when. */
export interface KeyMoment {
  readonly key: EntityKey
  readonly asOf: Micros
  /** Null: everything that is known now. */
  readonly knownAt: Micros | null
}

export interface NumberedRow extends FeatureRow {
  /** In the order of arrival. */
  readonly rowId: number
}

/**
 * The row that counts, by a loop over all of them: of the key's rows with an event timestamp at or before `asOf` and a
 * created timestamp that is null or at most `knownAt`, the newest by (event timestamp, created timestamp, row id). The
 * contract of `AsOfReader`, which its suite holds this against.
 */
export function newestRow<Row extends NumberedRow>(rows: readonly Row[], moment: KeyMoment): Row | null {
  let newest: Row | null = null
  for (const row of rows) {
    if (!isSameKey(row.key, moment.key) || row.eventTimestamp > moment.asOf) continue
    if (!isKnownBy(row.createdTimestamp, moment.knownAt)) continue
    if (newest === null || isNewerRow(row, newest)) newest = row
  }
  return newest
}

export function isKnownBy(createdTimestamp: Micros | null, knownAt: Micros | null): boolean {
  return knownAt === null || createdTimestamp === null || createdTimestamp <= knownAt
}

export function isSameKey(left: EntityKey, right: EntityKey): boolean {
  return left.length === right.length && left.every((part, index) => part === right[index])
}

/** By the total order; a created timestamp of null is the oldest. */
export function isNewerRow(left: NumberedRow, right: NumberedRow): boolean {
  if (left.eventTimestamp !== right.eventTimestamp) return left.eventTimestamp > right.eventTimestamp
  const leftCreated = left.createdTimestamp ?? Number.NEGATIVE_INFINITY
  const rightCreated = right.createdTimestamp ?? Number.NEGATIVE_INFINITY
  if (leftCreated !== rightCreated) return leftCreated > rightCreated
  return left.rowId > right.rowId
}
