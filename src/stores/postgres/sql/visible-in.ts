/**
 * Conditions, none without a bound, that what a transaction wrote is visible in a recorded snapshot of the database.
 * `xid` is a column of `xid8`, null where it is not known: then it was before all snapshots that are recorded. `snapshot` is a
 * parameter, as `$3::pg_snapshot`.
 */
export function visibleSql(xid: string, snapshot: string | null): readonly string[] {
  return snapshot === null ? [] : [`pg_visible_in_snapshot(${xid}, ${snapshot}) is not false`]
}

/** The parameter for it, added to a statement's values; null without a bound. */
export function snapshotParameter(visibleIn: string | null, values: unknown[]): string | null {
  return visibleIn === null ? null : `$${values.push(visibleIn)}::pg_snapshot`
}
