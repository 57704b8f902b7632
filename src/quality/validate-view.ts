import type { Clock, Micros } from '../definitions/timestamp.ts'
import type { StoredView } from '../registry/registry.ts'
import type { StoredFeatureRow } from '../stores/newest-rows.ts'
import type { OfflineStore } from '../stores/offline-store.ts'
import type { RunStore } from '../stores/run-store.ts'
import type { Violation, ViolationStore } from '../stores/violation-store.ts'
import { checkRow } from './check-row.ts'

export interface ValidateTargets {
  readonly offline: OfflineStore
  readonly runs: RunStore
  readonly violations: ViolationStore
  readonly clock: Clock
}

export interface ValidateOptions {
  /** Rows whose event timestamp is from here on; null: all. */
  readonly since: Micros | null
  readonly onWait: () => void
  readonly onProgress: (read: number) => void
}

export interface Validated {
  /** The newest rows of as many keys. */
  readonly read: number
  /** How often each feature's rule is broken, in the order of the first case. */
  readonly broken: readonly { readonly feature: string; readonly rule: string; readonly rows: number }[]
}

/**
 * Checks what is stored, the newest due row of each key, against what its view expects now, and records what is broken.
 * No row is changed: an action is for rows that enter. Recorded as a run; rows written are the violations.
 * @throws StoreFailed
 */
export async function validate(
  { offline, runs, violations, clock }: ValidateTargets,
  view: StoredView,
  { since, onWait, onProgress }: ValidateOptions,
): Promise<Validated> {
  const subject = { kind: 'VALIDATE', view: view.id, asOf: null } as const
  return await runs.withRun(subject, { now: clock, onWait }, async () => {
    const now = clock()
    const counts = new Map<string, { readonly feature: string; readonly rule: string; rows: number }>()
    let read = 0
    const scope = { kind: 'RANGE', from: since, to: null } as const
    await offline.newestRows({ view, now, scope }, async (rows) => {
      const kept = rows.filter((row) => !row.closing)
      const found = await notDeleted(
        offline,
        view,
        kept.map((row) => ({ row, violations: checkRow(view, row, now).violations })),
      )
      for (const violation of found) countRule(counts, violation)
      await violations.record(found, [])
      read += rows.length
      onProgress(read)
    })
    const broken = [...counts.values()]
    const recorded = broken.reduce((sum, { rows }) => sum + rows, 0)
    const outcome = { state: 'SUCCEEDED', rowsRead: read, rowsWritten: recorded, error: null } as const
    return { result: { read, broken }, outcome }
  })
}

interface CheckedRow {
  readonly row: StoredFeatureRow
  readonly violations: readonly Violation[]
}

/** Nothing is reported of an entity that was deleted since, or whose rows stand in a table of the caller's. */
async function notDeleted(
  offline: OfflineStore,
  view: StoredView,
  checked: readonly CheckedRow[],
): Promise<readonly Violation[]> {
  const broken = checked.filter(({ violations }) => violations.length > 0)
  const deleted = await offline.deletedRows(
    view,
    broken.map(({ row }) => row),
  )
  return broken.flatMap(({ violations }, index) => (deleted[index] ? [] : violations))
}

function countRule(
  counts: Map<string, { readonly feature: string; readonly rule: string; rows: number }>,
  { feature, rule }: Violation,
): void {
  const key = `${feature} ${rule}`
  const count = counts.get(key)
  if (count) count.rows += 1
  else counts.set(key, { feature: feature ?? '', rule, rows: 1 })
}
