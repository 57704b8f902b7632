import { formatDuration } from '../../definitions/duration.ts'
import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import {
  acceptKeyValue,
  acceptValue,
  type FeatureRow,
  type KeyValue,
  type Value,
} from '../../definitions/value.ts'
import { InvalidRow } from '../../errors.ts'
import type { FeatureView } from '../../registry/registry.ts'
import { snapshotAt } from '../../registry/snapshot-at.ts'

/** A row as it comes from outside: by registry name, nothing checked. */
export interface OfferedRow {
  readonly key: Readonly<Record<string, unknown>>
  readonly values: Readonly<Record<string, unknown>>
  readonly eventTimestamp: Micros
  readonly createdTimestamp: Micros | null
}

/**
 * The one way into both stores: values in their canonical form, in the view's order. A feature that is not offered is
 * null. A batch view's row is a correction of one of its snapshots.
 * @throws InvalidRow naming every field that does not fit, with what was expected.
 */
export function acceptRow(view: FeatureView, offered: OfferedRow): FeatureRow {
  const problems: string[] = []
  const key = view.entity.joinKeys.map((joinKey): KeyValue => {
    const outcome = acceptKeyValue(joinKey.type, offered.key[joinKey.name])
    if (outcome.ok) return outcome.value
    problems.push(`${joinKey.name}: expected ${outcome.expected}`)
    return ''
  })
  const values = view.features.map((feature): Value | null => {
    const outcome = acceptValue(feature.type, offered.values[feature.name])
    if (outcome.ok) return outcome.value
    problems.push(`${feature.name}: expected ${outcome.expected}`)
    return null
  })
  const known = new Set([...view.entity.joinKeys, ...view.features].map(({ name }) => name))
  for (const name of [...Object.keys(offered.key), ...Object.keys(offered.values)]) {
    if (!known.has(name))
      problems.push(`${name}: feature view "${view.name}" has no such join key or feature`)
  }
  if (!Number.isSafeInteger(offered.eventTimestamp)) {
    problems.push('event timestamp: expected whole microseconds')
  } else if (view.kind === 'BATCH' && snapshotAt(view, offered.eventTimestamp) !== offered.eventTimestamp) {
    const every = formatDuration(view.everyMicros)
    problems.push(
      `event timestamp: expected one of the view's snapshot times, the multiples of ${every} from 1970 in UTC; got ${formatTimestamp(offered.eventTimestamp)}`,
    )
  }
  if (offered.createdTimestamp !== null && !Number.isSafeInteger(offered.createdTimestamp)) {
    problems.push('created timestamp: expected whole microseconds or null')
  }
  if (problems.length > 0)
    throw new InvalidRow(`a row of feature view "${view.name}" does not fit: ${problems.join('; ')}`)
  return { key, values, eventTimestamp: offered.eventTimestamp, createdTimestamp: offered.createdTimestamp }
}
