import { decimalBounds } from '../../definitions/decimal.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { EntityKey, Value } from '../../definitions/value.ts'
import { decimalDigits, isDecimal } from '../../definitions/value-type.ts'
import { checkRow } from '../../quality/check-row.ts'
import type { BatchView, Feature } from '../../registry/registry.ts'
import type {
  FoldedSnapshots,
  KeyTimeline,
  SnapshotRow,
  StoredSnapshotRow,
} from '../../stores/snapshot-store.ts'
import type { QuarantinedRow, Violation } from '../../stores/violation-store.ts'
import { count } from '../../windows/aggregates/count.ts'
import type { WindowValue } from '../../windows/aggregates/span-aggregate.ts'
import { slideWindows } from '../../windows/sliding-window.ts'
import type { SnapshotPlan } from './snapshot-plan.ts'

export interface SnapshotTimes {
  readonly now: Micros
  /** When a snapshot's rows became known: for one that was never computed before, what the backfill says. */
  readonly createdTimestamp: (snapshot: Micros) => Micros
  /** Whether what was pushed at the snapshot's time ends now: the computed row stands again. */
  readonly replaces: (snapshot: Micros, key: EntityKey) => boolean
  /** Whether another definition computed what stands at the snapshot's time. */
  readonly isRedefined: (snapshot: Micros) => boolean
  /** Called for every key that a snapshot has a row for, written now or before. */
  readonly countRow: (snapshot: number) => void
}

/**
 * Timelines → the rows that are missing: one where the windows hold events and the store has no row or another one, and
 * a closing one where a key had a row and has no event any more. Nothing is written for what is equal, floats within
 * the tolerance of their sums, nor where a row was pushed, unless that is replaced. A row that breaks an expectation is reported, and kept out where that
 * says so; where a row of another definition stands at its time, one of nulls takes the place of both.
 */
export function foldSnapshots(
  view: BatchView,
  plan: SnapshotPlan,
  times: SnapshotTimes,
  timelines: readonly KeyTimeline[],
): FoldedSnapshots {
  const folded: GrowingFold = { rows: [], violations: [], quarantined: [] }
  for (const timeline of timelines) foldKey(view, plan, times, timeline, folded)
  return folded
}

interface GrowingFold {
  readonly rows: SnapshotRow[]
  readonly violations: Violation[]
  readonly quarantined: QuarantinedRow[]
}

function foldKey(
  view: BatchView,
  plan: SnapshotPlan,
  times: SnapshotTimes,
  { key, spans, stored, overrides }: KeyTimeline,
  folded: GrowingFold,
): void {
  const numbers = spans.map((span) => span.number)
  const cells = spans.map((span) => span.cells)
  const events = slideWindows(
    count,
    numbers,
    spans.map((span) => span.events),
    plan.presence,
  )
  const valueAt = plan.features.map(({ aggregated, windows }) =>
    aggregated.span.slide(numbers, cells, aggregated.offset, windows),
  )
  let next = 0
  let open = false
  plan.times.forEach((time, snapshot) => {
    // Rows of times that are not computed now.
    for (; next < stored.length && (stored[next]?.eventTimestamp ?? 0) < time; next += 1)
      open = stored[next]?.closing === false
    const found = stored[next]?.eventTimestamp === time ? stored[next] : undefined
    if (found) next += 1
    const pushedAt = overrides.get(time)
    const isReplaced = pushedAt !== undefined && times.replaces(time, key)
    // Known from now on, and newer than what it replaces whatever the clocks say.
    const createdTimestamp = isReplaced ? Math.max(times.now, pushedAt) : times.createdTimestamp(time)
    const hasEvents = (events[snapshot] ?? 0) > 0
    if (hasEvents) times.countRow(snapshot)
    if (pushedAt !== undefined && !isReplaced) {
      open = hasEvents || (found ? !found.closing : open)
    } else if (hasEvents) {
      const values = valueAt.map((at) => at(snapshot))
      const row = {
        key,
        eventTimestamp: time,
        createdTimestamp,
        values: values.map(({ value }) => value),
        closing: false,
      }
      // A row that is kept out leaves things as they are.
      const stands = found && !isReplaced && isEqual(found, values)
      if (stands || keepRow(view, row, values, times.now, folded)) open = true
      else if (times.isRedefined(time) && (found || isReplaced)) {
        folded.rows.push({ ...row, values: view.features.map(() => null) })
        open = true
      } else if (found) open = !found.closing
    } else {
      if (isReplaced || (found ? !found.closing : open))
        folded.rows.push({
          key,
          eventTimestamp: time,
          createdTimestamp,
          values: view.emptyValues,
          closing: true,
        })
      open = false
    }
  })
}

function isEqual({ values: stored, closing }: StoredSnapshotRow, values: readonly WindowValue[]): boolean {
  if (closing) return false
  return values.every(({ value, tolerance }, index) => {
    const other = stored[index] ?? null
    if (typeof value === 'number' && typeof other === 'number') return Math.abs(value - other) <= tolerance
    return sameValue(value, other)
  })
}

function sameValue(value: Value | null, other: Value | null): boolean {
  if (value instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(value, other) === 0
  return value === other
}

/** Records what the row breaks; false where an expectation keeps it out. */
function keepRow(
  view: BatchView,
  row: SnapshotRow,
  values: readonly WindowValue[],
  now: Micros,
  { rows, violations, quarantined }: GrowingFold,
): boolean {
  values.forEach(({ overflow }, index) => {
    const feature = view.features[index]
    if (overflow !== null && feature) violations.push(overflowed(view, feature, row, overflow, now))
  })
  const checked = checkRow(view, row, now)
  violations.push(...checked.violations)
  if (checked.action === 'quarantine') {
    const reason = checked.violations.map(({ feature, message }) => `${feature}: ${message}`).join('; ')
    quarantined.push({ view: view.id, content: row, reason, recordedAt: now })
  }
  if (checked.action === 'quarantine' || checked.action === 'reject') return false
  rows.push(row)
  return true
}

const bounds: Readonly<Record<string, { readonly min: string; readonly max: string }>> = {
  int64: { min: '-9223372036854775808', max: '9223372036854775807' },
  float64: { min: '-1.7976931348623157e308', max: '1.7976931348623157e308' },
}

function overflowed(
  view: BatchView,
  feature: Feature,
  row: SnapshotRow,
  value: string,
  now: Micros,
): Violation {
  const isBelow = value.startsWith('-')
  const range = isDecimal(feature.type) ? decimalBounds(decimalDigits(feature.type)) : bounds[feature.type]
  const bound = range?.[isBelow ? 'min' : 'max'] ?? ''
  return {
    view: view.id,
    feature: feature.name,
    key: row.key.map(String),
    rule: isBelow ? 'MIN' : 'MAX',
    value,
    bound,
    message: `Value ${value} ${isBelow ? 'below minimum' : 'above maximum'} ${bound} of ${feature.type}, so it is null`,
    action: 'warn',
    eventTimestamp: row.eventTimestamp,
    recordedAt: now,
  }
}
