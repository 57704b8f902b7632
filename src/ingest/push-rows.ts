import { createHash } from 'node:crypto'
import type { Micros } from '../definitions/timestamp.ts'
import type { FeatureRow } from '../definitions/value.ts'
import { BadUserInput, InvalidRow, StoreFailed } from '../errors.ts'
import { type CheckedRow, checkRow } from '../quality/check-row.ts'
import type { FeatureView } from '../registry/registry.ts'
import type { PushReceipt } from '../stores/offline-store.ts'
import type { OnlineWriteOutcome } from '../stores/online-store.ts'
import type { Violation, ViolationStore } from '../stores/violation-store.ts'
import { acceptRow, type OfferedRow } from './accept-row.ts'
import { type KeptRow, writeOnline } from './write-online.ts'
import type { RowTargets } from './write-rows.ts'

export interface PushTargets extends RowTargets {
  /** Told of a store that did not take rows; the caller gets the outcome only. */
  readonly storeFailed: (store: 'online' | 'offline', error: StoreFailed) => void
  readonly violations: ViolationStore
}

/** Online alone would make rows that no as-of query ever sees. */
export type PushTarget = 'OFFLINE' | 'BOTH'

export interface PushOptions {
  readonly to: PushTarget
  /** With one, a retry writes nothing and is answered alike. */
  readonly idempotencyKey: string | null
}

/** As it came from the caller; its created timestamp is the arrival. */
export type PushedRow = Omit<OfferedRow, 'createdTimestamp'>

/**
 * NOT_YET: the event timestamp has not come. NOT_ASKED: to OFFLINE, a view that is not online, or a refused row.
 * UNAVAILABLE: the online store failed; the row is safe offline, and materialize carries it later.
 */
type OnlineOutcome = OnlineWriteOutcome | 'NOT_YET' | 'NOT_ASKED' | 'UNAVAILABLE'

export type PushOutcome =
  | { readonly accepted: true; readonly online: OnlineOutcome }
  | {
      readonly accepted: false
      readonly online: 'NOT_ASKED'
      /**
       * INVALID_ROW; EXPECTATION_FAILED or QUARANTINED by what the view expects; UNAVAILABLE when the offline store did
       * not answer for the row.
       */
      readonly code: string
      readonly message: string
    }

/** Pushes to one view with targets that are bound. */
export type PushRows = (
  view: FeatureView,
  rows: readonly (PushedRow | InvalidRow)[],
  options: PushOptions,
) => Promise<readonly PushOutcome[]>

/**
 * Rows from outside into both stores; one outcome a row, in order. What cannot be read as a row comes as the reason.
 * A row that breaks an expectation is told of, and kept out of both stores where the expectation says so.
 * All that fit are kept offline in one transaction with the receipt of the idempotency key, then the newest of each key
 * goes online. The same key again answers by the receipt: nothing is inserted, and the online write is made again,
 * which changes nothing unless it failed the first time or its time has come.
 * @throws BadUserInput for a view with a source, or a key that was used with other rows.
 */
export async function pushRows(
  targets: PushTargets,
  view: FeatureView,
  offered: readonly (PushedRow | InvalidRow)[],
  options: PushOptions,
): Promise<readonly PushOutcome[]> {
  refuseMapped(view)
  const { to, idempotencyKey } = options
  const arrival = targets.clock()
  const outcomes: PushOutcome[] = []
  const rows: FeatureRow[] = []
  const places: number[] = []
  const violations: Violation[] = []
  const quarantined: { readonly place: number; readonly row: unknown; readonly reason: string }[] = []
  offered.forEach((row, place) => {
    const accepted = row instanceof Error ? row : acceptOrRefuse(view, row, arrival)
    if (accepted instanceof Error) {
      const { code, message } = accepted
      outcomes.push({ accepted: false, online: 'NOT_ASKED', code, message })
      return
    }
    const checked = checkRow(view, accepted, arrival)
    violations.push(...checked.violations)
    const refused = refusedBy(checked)
    if (refused) {
      if (refused.code === 'QUARANTINED') quarantined.push({ place, row, reason: refused.message })
      outcomes.push(refused)
      return
    }
    outcomes.push({ accepted: true, online: 'NOT_ASKED' })
    rows.push(accepted)
    places.push(place)
  })
  const tell = (outcome: (index: number) => PushOutcome): readonly PushOutcome[] => {
    places.forEach((place, index) => {
      outcomes[place] = outcome(index)
    })
    return outcomes
  }
  const receipt =
    idempotencyKey === null ? null : { idempotencyKey, digest: digestOf(to, rows, outcomes), arrival }
  let kept: readonly KeptRow[]
  try {
    const keeping = await keepOffline(targets, view, rows, receipt)
    kept = keeping.rows
    // A retry was told and recorded the first time.
    if (!keeping.isRetry) {
      const content = quarantined.map(({ row, reason }) => ({
        view: view.name,
        content: row,
        reason,
        recordedAt: arrival,
      }))
      await targets.violations.record(violations, content).catch((error: unknown) => {
        if (!(error instanceof StoreFailed)) throw error
        targets.storeFailed('offline', error)
        const message = 'the row was to be quarantined and could not be kept: push it again'
        for (const { place } of quarantined) {
          outcomes[place] = { accepted: false, online: 'NOT_ASKED', code: 'UNAVAILABLE', message }
        }
      })
    }
  } catch (error) {
    if (!(error instanceof StoreFailed)) throw error
    targets.storeFailed('offline', error)
    const message =
      'the offline store did not answer; whether it has the row is not known: push it again, with an idempotency key to have it once'
    return tell(() => ({ accepted: false, online: 'NOT_ASKED', code: 'UNAVAILABLE', message }))
  }
  if (to === 'OFFLINE' || !view.online) return outcomes
  try {
    const online = await writeOnline(targets, view, kept)
    return tell((index) => ({ accepted: true, online: online[index] ?? 'UNAVAILABLE' }))
  } catch (error) {
    if (!(error instanceof StoreFailed)) throw error
    targets.storeFailed('online', error)
    return tell(() => ({ accepted: true, online: 'UNAVAILABLE' }))
  }
}

/** @throws BadUserInput for a view whose rows stand in a table of the caller's. */
export function refuseMapped(view: FeatureView): void {
  if (view.source === null) return
  throw new BadUserInput(
    `the rows of feature view "${view.name}" come from the source "${view.source.name}"; only views without a source take pushed rows`,
  )
}

/**
 * The key as it came, null without one.
 * @throws BadUserInput when it is empty, longer than 255 characters, or no text that Postgres keeps.
 */
export function acceptIdempotencyKey(key: string | null | undefined): string | null {
  if (key === null || key === undefined) return null
  if (key !== '' && key.length <= maxKeyLength && key.isWellFormed() && !key.includes('\0')) return key
  throw new BadUserInput(
    `an idempotency key has 1 to ${maxKeyLength} characters, none of them U+0000 or a lone surrogate`,
  )
}

const maxKeyLength = 255

function acceptOrRefuse(view: FeatureView, row: PushedRow, arrival: Micros): FeatureRow | InvalidRow {
  try {
    return acceptRow(view, { ...row, createdTimestamp: arrival })
  } catch (error) {
    if (error instanceof InvalidRow) return error
    throw error
  }
}

/** Of what the rows mean, not of their bytes; the arrival, which differs at every try, is no part of it. */
function digestOf(to: PushTarget, rows: readonly FeatureRow[], outcomes: readonly PushOutcome[]): string {
  const hash = createHash('sha256').update(to)
  for (const { key, values, eventTimestamp } of rows)
    hash.update(`\n${JSON.stringify([key, values, eventTimestamp])}`)
  outcomes.forEach((outcome, place) => {
    if (!outcome.accepted) hash.update(`\n${place} ${outcome.message}`)
  })
  return hash.digest('hex')
}

async function keepOffline(
  { offline }: PushTargets,
  view: FeatureView,
  rows: readonly FeatureRow[],
  receipt: PushReceipt | null,
): Promise<{ readonly rows: readonly KeptRow[]; readonly isRetry: boolean }> {
  if (receipt === null) {
    const rowIds = await offline.insertRows(view, rows)
    return { rows: rows.map((row, index) => ({ ...row, rowId: rowIds[index] ?? 0 })), isRetry: false }
  }
  const inserted = await offline.insertRowsOnce(view, rows, receipt)
  if (inserted.status === 'OTHER_ROWS') {
    throw new BadUserInput(
      `the idempotency key "${receipt.idempotencyKey}" was used with other rows or another target; a new push takes a new key`,
    )
  }
  const { rowIds, arrival } = inserted
  const kept = rows.map((row, index) => ({ ...row, createdTimestamp: arrival, rowId: rowIds[index] ?? 0 }))
  return { rows: kept, isRetry: inserted.status === 'REPEATED' }
}

/** What the strictest broken expectation makes of a row; null where it is only to be warned of. */
function refusedBy({ violations, action }: CheckedRow): Extract<PushOutcome, { accepted: false }> | null {
  if (action === null || action === 'warn') return null
  const message = violations.map((violation) => `${violation.feature}: ${violation.message}`).join('; ')
  const code = action === 'reject' ? 'EXPECTATION_FAILED' : 'QUARANTINED'
  return { accepted: false, online: 'NOT_ASKED', code, message }
}
