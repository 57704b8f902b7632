import { createHash } from 'node:crypto'
import type { FeatureRow } from '../../definitions/value.ts'
import { BadUserInput } from '../../errors.ts'
import type { StoredView } from '../../registry/registry.ts'
import type { FeatureRows, InsertedRowIds, PushReceipt } from '../../stores/feature-rows.ts'
import type { RowWithId } from '../materialize/write-online.ts'
import type { PushOutcome, PushTarget } from './push-outcome.ts'

export interface StoredPush {
  /** The rows that the offline store has, in order. */
  readonly kept: readonly RowWithId[]
  /** One flag a row: refused, or taken once and deleted since. */
  readonly deleted: readonly boolean[]
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
): Promise<StoredPush> {
  if (receipt === null) {
    const rowIds = await offline.insertRows(view, rows)
    return { kept: rowsWithIds(rows, rowIds), deleted: rowIds.map((rowId) => rowId === null), isRetry: false }
  }
  const inserted = await offline.insertRowsOnce(view, rows, receipt)
  if (inserted.status === 'OTHER_ROWS') {
    throw new BadUserInput(
      `the idempotency key "${receipt.idempotencyKey}" was used with other rows or another target; a new push takes a new key`,
    )
  }
  const { rowIds, arrival } = inserted
  return {
    kept: rowsWithIds(rows, rowIds).map((row) => ({ ...row, createdTimestamp: arrival })),
    deleted: rowIds.map((rowId) => rowId === null),
    isRetry: inserted.status === 'REPEATED',
  }
}

/** The rows that the offline store has taken, in order. */
function rowsWithIds(rows: readonly FeatureRow[], rowIds: InsertedRowIds): readonly RowWithId[] {
  return rows.flatMap((row, index) => {
    const rowId = rowIds[index] ?? null
    return rowId === null ? [] : [{ ...row, rowId }]
  })
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
