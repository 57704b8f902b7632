import { decimalBounds } from '../../definitions/decimal.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { EntityKey, Value } from '../../definitions/value.ts'
import { decimalDigits, isDecimal } from '../../definitions/value-type.ts'
import { checkRow } from '../../quality/check-row.ts'
import type { BatchView, Feature } from '../../registry/registry.ts'
import type { SnapshotRow, StoredSnapshotRow, StoredTime, Timeline } from '../../stores/snapshot-store.ts'
import type { QuarantinedRow, Violation } from '../../stores/violation-store.ts'

export interface SnapshotTimes {
  readonly now: Micros
  /** When a snapshot's rows became known: for one that was never computed before, what the backfill says. */
  readonly createdTimestamp: (snapshot: Micros) => Micros
  /** Whether what was pushed at the snapshot's time ends now: the computed row stands again. */
  readonly replaces: (snapshot: Micros, key: EntityKey) => boolean
  /** Whether another definition computed what stands at the snapshot's time. */
  readonly isRedefined: (snapshot: Micros) => boolean
  /** Whether nothing new is known of a recorded snapshot: it says what it said. */
  readonly stays: (snapshot: Micros) => boolean
  /** Called for every key that a snapshot has a row for, written now or before. */
  readonly countRow: (snapshot: number) => void
}

/** A feature's value in a snapshot. */
export interface SnapshotValue {
  readonly value: Value | null
  /** What no value of the type can hold; the value is null then. */
  readonly overflow: string | null
  /** Another computation over the same events may differ by so much (design section 3.5). */
  readonly tolerance: number
}

export interface GrowingFold {
  readonly rows: SnapshotRow[]
  readonly violations: Violation[]
  readonly quarantined: QuarantinedRow[]
}

/**
 * One key's rows that are missing: one where a snapshot has values and the store has no row or another one, and
 * a closing one where a key had a row, computed or pushed, and has no event any more. Nothing is written for what is equal,
 * floats within their tolerance, nor where a row was pushed, unless that is replaced. A row that breaks an expectation is
 * reported, and kept out where that says so; where a row of another definition stands at its time, one of nulls takes the place of both.
 * A snapshot that stays has no event of a key that it has no row for: a key that opens before it closes there.
 */
export function foldKey(
  view: BatchView,
  snapshots: readonly Micros[],
  times: SnapshotTimes,
  { key, stored }: Omit<Timeline<unknown>, 'found'>,
  /** Null: no event in the longest window. */
  valuesAt: (snapshot: number) => readonly SnapshotValue[] | null,
  folded: GrowingFold,
): void {
  let next = 0
  let open = false
  /** By what is stored alone. */
  let wasOpen = false
  const close = (eventTimestamp: Micros, createdTimestamp: Micros): void => {
    folded.rows.push({ key, eventTimestamp, createdTimestamp, values: view.emptyValues, closing: true })
    open = false
  }
  snapshots.forEach((time, snapshot) => {
    // Rows of times that are not computed now.
    for (; next < stored.length && (stored[next]?.eventTimestamp ?? 0) < time; next += 1)
      wasOpen = open = isOpenAt(stored[next])
    const standing = stored[next]?.eventTimestamp === time ? stored[next] : undefined
    if (standing) next += 1
    const { computed: found = null, pushedAt = null } = standing ?? {}
    const stays = times.stays(time)
    const values = stays ? null : valuesAt(snapshot)
    if (values !== null) times.countRow(snapshot)
    const isReplaced = pushedAt !== null && !stays && times.replaces(time, key)
    if (pushedAt !== null && !isReplaced) {
      // What was computed beneath it is not stored: whether the key has a row must not depend on that.
      wasOpen = open = true
      return
    }
    if (found) wasOpen = !found.closing
    if (stays) {
      if (found) open = !found.closing
      else if (open && !wasOpen) close(time, times.createdTimestamp(time))
      return
    }
    // Known from now on, and newer than what it replaces whatever the clocks say.
    const createdTimestamp = isReplaced ? Math.max(times.now, pushedAt) : times.createdTimestamp(time)
    if (values !== null) {
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
      } else if (isReplaced) open = true
      else if (found) open = !found.closing
    } else {
      if (isReplaced || (found ? !found.closing : open)) close(time, createdTimestamp)
      open = false
    }
  })
}

function isOpenAt(standing: StoredTime | undefined): boolean {
  return standing !== undefined && (standing.pushedAt !== null || standing.computed?.closing === false)
}

function isEqual({ values: stored, closing }: StoredSnapshotRow, values: readonly SnapshotValue[]): boolean {
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
  values: readonly SnapshotValue[],
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
