import type { Micros } from '../definitions/timestamp.ts'
import type { FeatureView } from '../registry/registry.ts'
import type { Violation } from '../stores/violation-store.ts'

/** What a view expects of the number of rows of a snapshot or a file; at most one violation, of the whole view. */
export function brokenRowCount(
  view: FeatureView,
  rows: number,
  eventTimestamp: Micros | null,
  now: Micros,
): readonly Violation[] {
  const { rowCount } = view
  if (rowCount === null) return []
  const { min, max, action } = rowCount
  const isBelow = min !== null && rows < min
  if (!isBelow && (max === null || rows <= max)) return []
  const bound = isBelow ? min : max
  return [
    {
      view: view.id,
      feature: null,
      key: [],
      rule: 'ROW_COUNT',
      value: String(rows),
      bound: String(bound),
      message: `Row count ${rows} ${isBelow ? 'below minimum' : 'above maximum'} ${bound}`,
      action,
      eventTimestamp,
      recordedAt: now,
    },
  ]
}
