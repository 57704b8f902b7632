import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { EntityKey } from '../../definitions/value.ts'
import { RowCountRefused } from '../../errors.ts'
import { brokenRowCount } from '../../quality/row-count.ts'
import type { BatchView } from '../../registry/registry.ts'
import { onlineKeySuffix } from '../../stores/online-value/online-key.ts'
import type { RecordedSnapshot } from '../../stores/snapshot-store.ts'
import type { Violation, ViolationStore } from '../../stores/violation-store.ts'
import type { SnapshotTimes } from './fold-key.ts'

/** Of one transaction: what a crash may undo. */
export const timesAtOnce = 366
/** So many values of one fold are held at once. */
const valuesPerFold = 200_000

/** How rows of snapshots become known, and which pushed rows end. */
export interface RowOptions {
  /** Rows that were pushed at these times end: of this key, or of all (null). Without it they stand. */
  readonly replacePushed?: { readonly key: EntityKey | null }
  /** When the rows of snapshots that were never computed became known, after their time; null: now. */
  readonly createdAfterMicros: Micros | null
}

/** Snapshots of one transaction: what holds for their rows, and what their view says of how many there are. */
export interface SnapshotBlock {
  readonly now: Micros
  readonly times: SnapshotTimes
  readonly keysPerFold: number
  /** Of the row counts, once all is folded. @throws RowCountRefused */
  readonly conclude: () => readonly Violation[]
  /** Rethrows; what undid the snapshots is reported all the same. */
  readonly reportRefused: (violations: Pick<ViolationStore, 'record'>) => (error: unknown) => Promise<never>
}

export function snapshotBlock(
  view: BatchView,
  snapshots: readonly Micros[],
  recorded: readonly RecordedSnapshot[],
  { createdAfterMicros, replacePushed }: RowOptions,
  now: Micros,
  stays: (time: Micros) => boolean = () => false,
): SnapshotBlock {
  const known = new Set(recorded.map(({ asOf }) => asOf))
  // What was pushed was a correction of what another definition said.
  const redefined = new Set(recorded.filter(({ lacking }) => lacking === null).map(({ asOf }) => asOf))
  const replacedKey = replacePushed?.key ? onlineKeySuffix(replacePushed.key) : null
  const rowCounts = snapshots.map(() => 0)
  let refused: readonly Violation[] = []
  return {
    now,
    times: {
      now,
      // A row that corrects an earlier one is known from now on, or `knownAt` would not answer what was known before any more.
      createdTimestamp: (time) =>
        createdAfterMicros === null || known.has(time) ? now : Math.min(time + createdAfterMicros, now),
      isRedefined: (time) => redefined.has(time),
      replaces: (time, key) =>
        redefined.has(time) ||
        (replacePushed !== undefined && (replacedKey === null || replacedKey === onlineKeySuffix(key))),
      stays,
      countRow: (snapshot) => {
        rowCounts[snapshot] = (rowCounts[snapshot] ?? 0) + 1
      },
    },
    keysPerFold: Math.max(1, Math.ceil(valuesPerFold / (snapshots.length * (1 + view.features.length)))),
    conclude() {
      const broken = rowCounts.flatMap((rows, index) => {
        const time = snapshots[index] ?? 0
        return stays(time) ? [] : brokenRowCount(view, rows, time, now)
      })
      refused = broken.filter(({ action }) => action !== 'warn')
      if (refused.length > 0) throw refusedBy(refused)
      return broken
    },
    reportRefused: (violations) => async (error) => {
      if (error instanceof RowCountRefused) await violations.record(refused, [])
      throw error
    },
  }
}

function refusedBy(refused: readonly Violation[]): RowCountRefused {
  const refusals = refused.map(
    ({ view, eventTimestamp, message }) =>
      `feature view "${view}" at ${formatTimestamp(eventTimestamp ?? 0)}: ${message}`,
  )
  return new RowCountRefused(`${refusals.join('; ')}; nothing of these snapshots was written`)
}
