import { createHash } from 'node:crypto'
import type { Micros } from '../../definitions/timestamp.ts'
import type { FeatureRow } from '../../definitions/value.ts'
import { BadUserInput, EntityDeleted, InvalidRow, StoreFailed } from '../../errors.ts'
import { type CheckedRow, checkRow } from '../../quality/check-row.ts'
import type { FeatureView, StoredView } from '../../registry/registry.ts'
import type { PushReceipt } from '../../stores/offline-store.ts'
import type { OnlineWriteOutcome } from '../../stores/online-store.ts'
import type { Violation, ViolationStore } from '../../stores/violation-store.ts'
import { acceptRow, type OfferedRow } from '../accept/accept-row.ts'
import { type KeptRow, writeOnline } from '../materialize/write-online.ts'
import { keptRows, type RowTargets } from './write-rows.ts'

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
       * INVALID_ROW; EXPECTATION_FAILED or QUARANTINED by what the view expects; ENTITY_DELETED; UNAVAILABLE when the
       * offline store did not answer for the row.
       */
      readonly code: string
      readonly message: string
    }

/** Pushes to one view with targets that are bound. */
export type PushRows = (
  view: StoredView,
  rows: readonly (PushedRow | InvalidRow)[],
  options: PushOptions,
) => Promise<readonly PushOutcome[]>

/**
 * Rows from outside into both stores; one outcome a row, in order. What cannot be read as a row comes as the reason.
 * A row that breaks an expectation is told of, and kept out of both stores where the expectation says so.
 * All that fit, but those of deleted entities, are kept offline in one transaction with the receipt of the idempotency
 * key, then the newest of each key goes online. The same key again answers by the receipt: nothing is inserted, and the
 * online write is made again, which changes nothing unless it failed the first time or its time has come; rows of an
 * entity that was deleted meanwhile are refused.
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
  const arrival = targets.clock()
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
  const tell = (outcome: (index: number) => PushOutcome): void => {
    places.forEach((place, index) => {
      outcomes[place] = outcome(index)
    })
  }
  const receipt =
    idempotencyKey === null ? null : { idempotencyKey, digest: digestOf(to, rows, outcomes), arrival }
  let keeping: Keeping
  try {
    keeping = await keepOffline(targets, view, rows, receipt)
  } catch (error) {
    if (!(error instanceof StoreFailed)) throw error
    targets.storeFailed('offline', error)
    const message =
      'the offline store did not answer; whether it has the row is not known: push it again, with an idempotency key to have it once'
    tell(() => ({ accepted: false, online: 'NOT_ASKED', code: 'UNAVAILABLE', message }))
    return outcomes
  }
  // A retry was told and recorded the first time.
  if (!keeping.isRetry)
    for (const [place, outcome] of await record(targets, view, broken, arrival)) outcomes[place] = outcome
  const { kept } = keeping
  const online = to === 'OFFLINE' || !view.online ? null : await putOnline(targets, view, kept)
  let next = 0
  tell((index) => {
    if (keeping.deleted[index]) return refusal(new EntityDeleted())
    next += 1
    return { accepted: true, online: online === null ? 'NOT_ASKED' : (online[next - 1] ?? 'UNAVAILABLE') }
  })
  return outcomes
}

/** A row that breaks expectations, whatever they make of it. */
interface BrokenRow {
  readonly place: number
  readonly row: FeatureRow
  readonly violations: readonly Violation[]
  /** Null where it is not to be quarantined. */
  readonly quarantine: { readonly content: unknown; readonly reason: string } | null
}

/** Records what was broken, but nothing of deleted entities. Answers the outcomes that this changes, by their places. */
async function record(
  { offline, violations, storeFailed }: PushTargets,
  view: StoredView,
  broken: readonly BrokenRow[],
  recordedAt: Micros,
): Promise<ReadonlyMap<number, PushOutcome>> {
  const quarantined = broken.filter(({ quarantine }) => quarantine !== null)
  const all = (among: readonly BrokenRow[], outcome: PushOutcome) =>
    new Map(among.map(({ place }) => [place, outcome]))
  if (broken.length === 0) return new Map()
  try {
    const deleted = await offline.deletedRows(
      view,
      broken.map(({ row }) => row),
    )
    const told = broken.filter((_, index) => !deleted[index])
    await violations.record(
      told.flatMap((one) => one.violations),
      told.flatMap(({ quarantine }) =>
        quarantine === null ? [] : [{ view: view.name, ...quarantine, recordedAt }],
      ),
    )
    return all(
      quarantined.filter((one) => !told.includes(one)),
      refusal(new EntityDeleted()),
    )
  } catch (error) {
    if (!(error instanceof StoreFailed)) throw error
    storeFailed('offline', error)
    const message = 'the row was to be quarantined and could not be kept: push it again'
    return all(quarantined, { accepted: false, online: 'NOT_ASKED', code: 'UNAVAILABLE', message })
  }
}

/** One outcome a row, in order. */
async function putOnline(
  targets: PushTargets,
  view: StoredView,
  kept: readonly KeptRow[],
): Promise<readonly OnlineOutcome[]> {
  try {
    return await writeOnline(targets, view, kept)
  } catch (error) {
    if (!(error instanceof StoreFailed)) throw error
    targets.storeFailed('online', error)
    return kept.map(() => 'UNAVAILABLE')
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

function acceptOrRefuse(view: StoredView, row: PushedRow, arrival: Micros): FeatureRow | InvalidRow {
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

interface Keeping {
  /** The rows that the offline store has, in order. */
  readonly kept: readonly KeptRow[]
  /** One flag a row: refused, or taken once and deleted since. */
  readonly deleted: readonly boolean[]
  readonly isRetry: boolean
}

async function keepOffline(
  { offline }: PushTargets,
  view: StoredView,
  rows: readonly FeatureRow[],
  receipt: PushReceipt | null,
): Promise<Keeping> {
  if (receipt === null) {
    const rowIds = await offline.insertRows(view, rows)
    return { kept: keptRows(rows, rowIds), deleted: rowIds.map((rowId) => rowId === null), isRetry: false }
  }
  const inserted = await offline.insertRowsOnce(view, rows, receipt)
  if (inserted.status === 'OTHER_ROWS') {
    throw new BadUserInput(
      `the idempotency key "${receipt.idempotencyKey}" was used with other rows or another target; a new push takes a new key`,
    )
  }
  const { rowIds, arrival } = inserted
  return {
    kept: keptRows(rows, rowIds).map((row) => ({ ...row, createdTimestamp: arrival })),
    deleted: rowIds.map((rowId) => rowId === null),
    isRetry: inserted.status === 'REPEATED',
  }
}

function refusal({ code, message }: InvalidRow | EntityDeleted): PushOutcome {
  return { accepted: false, online: 'NOT_ASKED', code, message }
}

/** What the strictest broken expectation makes of a row; null where it is only to be warned of. */
function refusedBy({ violations, action }: CheckedRow): Extract<PushOutcome, { accepted: false }> | null {
  if (action === null || action === 'warn') return null
  const message = violations.map((violation) => `${violation.feature}: ${violation.message}`).join('; ')
  const code = action === 'reject' ? 'EXPECTATION_FAILED' : 'QUARANTINED'
  return { accepted: false, online: 'NOT_ASKED', code, message }
}
