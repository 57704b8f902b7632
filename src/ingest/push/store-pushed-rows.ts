import { createHash } from 'node:crypto'
import type { Micros } from '../../definitions/timestamp.ts'
import type { FeatureRow } from '../../definitions/value.ts'
import { BadUserInput } from '../../errors.ts'
import type { StoredView } from '../../registry/registry.ts'
import type { FeatureRows, InsertedRowIds, PushReceipt } from '../../stores/feature-rows.ts'
import type { StoredFeatureRow } from '../../stores/newest-rows.ts'
import type { PushOutcome, PushTarget } from './push-outcome.ts'

export interface StoredPush {
  /** One a row, in order; null: refused, or taken once and deleted since. */
  readonly rowIds: InsertedRowIds
  /** Of each key the newest row that is due, as the offline store has it; empty without `dueAt`. */
  readonly newest: readonly StoredFeatureRow[]
  readonly isRetry: boolean
}

/**
 * Inserts the rows, with a receipt once. @throws BadUserInput when the receipt's key was used with other rows.
 */
export async function storePushedRows(
  offline: FeatureRows,
  view: StoredView,
  rows: readonly FeatureRow[],
  receipt: PushReceipt | null,
  dueAt: Micros | undefined,
): Promise<StoredPush> {
  if (receipt === null) {
    return { ...(await offline.insertRows(view, rows, dueAt)), isRetry: false }
  }
  const inserted = await offline.insertRowsOnce(view, rows, receipt, dueAt)
  if (inserted.status === 'OTHER_ROWS') {
    throw new BadUserInput(
      `the idempotency key "${receipt.idempotencyKey}" was used with other rows or another target; a new push takes a new key`,
    )
  }
  const { rowIds, newest } = inserted
  return { rowIds, newest, isRetry: inserted.status === 'REPEATED' }
}

/** Of what the rows mean, not of their bytes; the arrival, which differs at every try, is no part of it. */
export function pushDigest(
  to: PushTarget,
  rows: readonly FeatureRow[],
  outcomes: readonly PushOutcome[],
): string {
  const hash = createHash('sha256').update(to)
  for (const { key, values, eventTimestamp } of rows)
    hash.update(`\n${JSON.stringify([key, values, eventTimestamp])}`)
  outcomes.forEach((outcome, place) => {
    if (!outcome.accepted) hash.update(`\n${place} ${outcome.message}`)
  })
  return hash.digest('hex')
}
