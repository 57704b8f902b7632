import type { Micros } from '../../definitions/timestamp.ts'
import type { FeatureRow } from '../../definitions/value.ts'
import { BadUserInput, EntityDeleted, InvalidRow, StoreFailed } from '../../errors.ts'
import { checkRow } from '../../quality/check-row.ts'
import type { FeatureView, StoredView } from '../../registry/registry.ts'
import type { FeatureRows } from '../../stores/feature-rows.ts'
import type { StoredFeatureRow } from '../../stores/newest-rows.ts'
import type { ViolationStore } from '../../stores/violation-store.ts'
import { acceptRow, type OfferedRow } from '../accept/accept-row.ts'
import { type OnlineTargets, writeOnline } from '../materialize/write-online.ts'
import {
  brokenExpectations,
  type OnlineOutcome,
  type PushOutcome,
  type PushTarget,
  refusal,
  type StoreFailureObserver,
} from './push-outcome.ts'
import { type BrokenRow, recordBrokenRows, refusedBy } from './record-broken-rows.ts'
import { pushDigest, type StoredPush, storePushedRows } from './store-pushed-rows.ts'

export interface PushTargets extends OnlineTargets {
  readonly offline: FeatureRows
  readonly violations: Pick<ViolationStore, 'record'>
  readonly storeFailed: StoreFailureObserver
}

export interface PushOptions {
  readonly to: PushTarget
  /** With one, a retry writes nothing and is answered alike. */
  readonly idempotencyKey: string | null
}

/** As it came from the caller; its created timestamp is the arrival. */
export type PushedRow = Omit<OfferedRow, 'createdTimestamp'>

/** Pushes to one view with targets that are bound. */
export type PushRows = (
  view: StoredView,
  rows: readonly (PushedRow | InvalidRow)[],
  options: PushOptions,
) => Promise<readonly PushOutcome[]>

/**
 * Rows from outside into both stores; one outcome a row, in order. What cannot be read as a row comes as the reason.
 * A row that breaks an expectation is reported, and kept out of both stores where the expectation says so.
 * All that fit, but those of deleted entities, are stored offline in one transaction with the receipt of the idempotency
 * key, then of each key the newest due row of the offline store goes online, which may be another one than was pushed: so
 * an online store that has lost rows never gets an older one. The same key again answers by the receipt: nothing is
 * inserted, and the online write is made again, which changes nothing unless it failed the first time or its time has
 * come; rows of an entity that was deleted meanwhile are refused.
 * @throws BadUserInput for a view with a source, or a key that was used with other rows.
 */
export async function pushRows(
  targets: PushTargets,
  view: StoredView,
  offered: readonly (PushedRow | InvalidRow)[],
  options: PushOptions,
): Promise<readonly PushOutcome[]> {
  refuseMapped(view)
  const { to, idempotencyKey } = options
  const moment = await targets.offline.now().catch((error: unknown) => {
    if (error instanceof StoreFailed) return error
    throw error
  })
  // What does not fit is answered without a store too.
  const arrival = moment instanceof StoreFailed ? targets.clock() : moment
  const outcomes: PushOutcome[] = []
  const rows: FeatureRow[] = []
  const places: number[] = []
  const broken: BrokenRow[] = []
  offered.forEach((row, place) => {
    const accepted = row instanceof Error ? row : acceptOrRefuse(view, row, arrival)
    if (accepted instanceof Error) {
      outcomes.push(refusal(accepted))
      return
    }
    const checked = checkRow(view, accepted, arrival)
    const refused = refusedBy(checked)
    if (checked.violations.length > 0) {
      const quarantine = refused?.code === 'QUARANTINED' ? { content: row, reason: refused.message } : null
      broken.push({ place, row: accepted, violations: checked.violations, quarantine })
    }
    if (refused) {
      outcomes.push(refused)
      return
    }
    outcomes.push({ accepted: true, online: 'NOT_ASKED' })
    rows.push(accepted)
    places.push(place)
  })
  const report = (outcome: (index: number) => PushOutcome): void => {
    places.forEach((place, index) => {
      outcomes[place] = outcome(index)
    })
  }
  const receipt =
    idempotencyKey === null ? null : { idempotencyKey, digest: pushDigest(to, rows, outcomes), arrival }
  const goesOnline = to === 'BOTH' && view.online
  let stored: StoredPush
  try {
    if (moment instanceof StoreFailed) throw moment
    stored = await storePushedRows(targets.offline, view, rows, receipt, goesOnline ? arrival : undefined)
  } catch (error) {
    if (!(error instanceof StoreFailed)) throw error
    targets.storeFailed('offline', error)
    const message =
      'the offline store did not answer; whether it has the row is not known: push it again, with an idempotency key to have it once'
    report(() => ({ accepted: false, online: 'NOT_ASKED', code: 'UNAVAILABLE', message }))
    return outcomes
  }
  // A retry was answered and recorded the first time.
  if (!stored.isRetry)
    for (const [place, outcome] of await recordBrokenRows(targets, view, broken, arrival))
      outcomes[place] = outcome
  const written = goesOnline ? await putOnline(targets, view, stored.newest) : null
  report((index) => {
    const rowId = stored.rowIds[index] ?? null
    if (rowId === null) return refusal(new EntityDeleted())
    if (!goesOnline) return { accepted: true, online: 'NOT_ASKED' }
    if ((rows[index]?.eventTimestamp ?? 0) > arrival) return { accepted: true, online: 'NOT_YET' }
    // Another row of its key is the newest, one of these or one that was there before.
    return { accepted: true, online: written === null ? 'UNAVAILABLE' : (written.get(rowId) ?? 'OLDER') }
  })
  for (const { place, violations } of broken) {
    const outcome = outcomes[place]
    if (outcome && saysWhatIsBroken(outcome))
      outcomes[place] = { ...outcome, violations: brokenExpectations(violations) }
  }
  return outcomes
}

/** Of a deleted entity's row nothing is said. */
function saysWhatIsBroken(outcome: PushOutcome): boolean {
  return outcome.accepted || outcome.code === 'QUARANTINED' || outcome.code === 'EXPECTATION_FAILED'
}

/** Per row id what the online store said; null: it did not answer. */
async function putOnline(
  targets: PushTargets,
  view: StoredView,
  newest: readonly StoredFeatureRow[],
): Promise<ReadonlyMap<number | null, OnlineOutcome> | null> {
  try {
    // Others go online once their snapshots are recomputed.
    const current = newest.filter(({ isCurrent }) => isCurrent)
    const outcomes = await writeOnline(targets, view, current)
    return new Map([
      ...newest.map(({ rowId }) => [rowId, 'UNAVAILABLE'] as const),
      ...current.map(({ rowId }, index) => [rowId, outcomes[index] ?? 'OLDER'] as const),
    ])
  } catch (error) {
    if (!(error instanceof StoreFailed)) throw error
    targets.storeFailed('online', error)
    return null
  }
}

/** @throws BadUserInput for a view whose rows stand in a table of the caller's. */
export function refuseMapped(view: FeatureView): asserts view is StoredView {
  if (view.kind === 'STREAM') {
    throw new BadUserInput(
      `feature view "${view.name}" is computed from events when it is asked for; it takes no rows, its events go to source "${view.events.name}"`,
    )
  }
  if (view.source === null) return
  throw new BadUserInput(
    `the rows of feature view "${view.name}" come from the source "${view.source.name}"; only views without a source take pushed rows`,
  )
}

function acceptOrRefuse(view: StoredView, row: PushedRow, arrival: Micros): FeatureRow | InvalidRow {
  try {
    return acceptRow(view, { ...row, createdTimestamp: arrival })
  } catch (error) {
    if (error instanceof InvalidRow) return error
    throw error
  }
}
