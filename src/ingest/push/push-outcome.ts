import type { EntityDeleted, InvalidRow, StoreFailed } from '../../errors.ts'
import type { OnlineWriteOutcome } from '../../stores/online-store.ts'
import type { Violation } from '../../stores/violation-store.ts'

/** Online alone would make rows that no as-of query ever sees. */
export type PushTarget = 'OFFLINE' | 'BOTH'

/** Called with the failure of a store that did not take rows; the caller gets the outcome only. */
export type StoreFailureObserver = (store: 'online' | 'offline', error: StoreFailed) => void

/**
 * NOT_YET: the event timestamp has not come. NOT_ASKED: to OFFLINE, a view that is not online, or a refused row.
 * UNAVAILABLE: the online store failed; the row is stored offline, and materialize writes it later.
 */
export type OnlineOutcome = OnlineWriteOutcome | 'NOT_YET' | 'NOT_ASKED' | 'UNAVAILABLE'

export type PushOutcome =
  | {
      readonly accepted: true
      readonly online: OnlineOutcome
      /** What the row breaks and is only warned of; left out where it breaks nothing. */
      readonly violations?: readonly BrokenExpectation[]
    }
  | {
      readonly accepted: false
      readonly online: 'NOT_ASKED'
      /**
       * INVALID_ROW; EXPECTATION_FAILED or QUARANTINED by what the view expects; ENTITY_DELETED; UNAVAILABLE when the
       * offline store did not answer for the row.
       */
      readonly code: string
      readonly message: string
      /** What keeps it out, where expectations do. */
      readonly violations?: readonly BrokenExpectation[]
    }

/** A rule that a row or an event breaks, as its sender is shown it; names are those of the registry. */
export interface BrokenExpectation {
  readonly feature: string
  readonly rule: string
  readonly value: string | null
  readonly bound: string | null
  readonly message: string
}

export function brokenExpectations(violations: readonly Violation[]): readonly BrokenExpectation[] {
  return violations.map(({ feature, rule, value, bound, message }) => ({
    ...{ feature: feature ?? '', rule, value, bound, message },
  }))
}

export function refusal({ code, message }: InvalidRow | EntityDeleted): PushOutcome {
  return { accepted: false, online: 'NOT_ASKED', code, message }
}
