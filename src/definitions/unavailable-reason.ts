/**
 * Why a row is UNAVAILABLE, as callers read it in `freshness.reason` and in `extensions.reason` of the view's error.
 * LOST, REFILLING, UNVERIFIED: the online store lost rows, they are being written again, or that is not ruled out yet.
 * NEVER_FILLED: nothing of the view was ever computed or materialized. RECOMPUTING: what is stored was computed by another
 * definition of the view. NOT_APPLIED: stored events are still to be applied to its windows. NO_FUNCTION: the process that
 * answers does not have the function of an on-demand view that was applied.
 */
export type UnavailableReason =
  | 'LOST'
  | 'REFILLING'
  | 'NEVER_FILLED'
  | 'UNVERIFIED'
  | 'RECOMPUTING'
  | 'NOT_APPLIED'
  | 'NO_FUNCTION'
  | 'TIMEOUT'
  | 'HISTORY_EXPIRED'
  | 'UNKNOWN_LAYOUT'
  | 'STORE_FAILED'

type Store = 'online' | 'offline'

/** What follows `feature view "x" is unavailable: ` in an error for the caller; `store` is the one that was asked. */
export const unavailableSentences: Readonly<Record<UnavailableReason, (store: Store) => string>> = {
  LOST: (store) => `the ${store} store has lost rows, which will be written again`,
  REFILLING: (store) => `the ${store} store has lost rows, which are being written again`,
  NEVER_FILLED: (store) =>
    store === 'online'
      ? 'nothing of it has been written to the online store yet'
      : 'none of its snapshots of that time or before was ever computed',
  UNVERIFIED: (store) =>
    `the ${store} store was reached again, and it is being checked that it has lost no rows`,
  RECOMPUTING: (store) =>
    `its definition has changed, and the rows in the ${store} store are still to be recomputed`,
  NOT_APPLIED: () => 'its windows are being built from the stored events',
  NO_FUNCTION: () => 'the gateway that answers does not have the function that was applied',
  TIMEOUT: (store) => `the ${store} store did not answer in time`,
  HISTORY_EXPIRED: () => 'its windows reach behind the oldest stored event',
  UNKNOWN_LAYOUT: () => 'its stored row has a layout that this gateway does not know',
  STORE_FAILED: (store) => `the ${store} store could not be read`,
}
