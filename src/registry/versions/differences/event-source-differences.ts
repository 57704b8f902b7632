import { formatDuration } from '../../../definitions/duration.ts'
import type { EventField, EventSource } from '../../registry.ts'
import type { Broken } from '../changes.ts'
import { counted, type Difference, differs, differsInOrder, differsInWords } from './difference.ts'
import { pairById } from './pair-by-id.ts'
import { documentedDifferences } from './shown-differences.ts'

export function addedEventSource({ fields }: EventSource): Difference {
  return { how: 'added', text: `added (${counted(fields.length, 'field')})`, breaks: [] }
}

export function removedEventSource({ table }: EventSource): Difference {
  return { how: 'removed', text: 'removed', breaks: table === null ? ['rows'] : [] }
}

/** `meanings`: what is broken by the features over it that mean something else. */
export function eventSourceDifferences(
  before: EventSource,
  after: EventSource,
  meanings: readonly Broken[],
): readonly Difference[] {
  const retention = ({ retentionMicros }: EventSource): string | null =>
    retentionMicros === null ? null : formatDuration(retentionMicros)
  // Months of stored events are dropped that were kept until now.
  const isShorter = (after.retentionMicros ?? Infinity) < (before.retentionMicros ?? Infinity)
  const fieldNames = ({ fields }: EventSource): string[] => fields.map(({ name }) => name)
  const keyNames = ({ keyFields }: EventSource): string[] => keyFields.map(({ name }) => name)
  const indexed = ({ indexedKeys }: EventSource): string[] =>
    indexedKeys.map((keys) => `(${keys.join(', ')})`)
  return [
    ...differs('topic', before.topic, after.topic, meanings),
    ...differs('table', before.table, after.table, meanings),
    ...differs('eventTimestamp', before.eventTimestamp, after.eventTimestamp, meanings),
    ...differs('createdTimestamp', before.createdTimestamp, after.createdTimestamp, meanings),
    ...differs('eventId', before.eventId, after.eventId, meanings),
    ...differs('nullCreated', before.nullCreated, after.nullCreated),
    ...differs('timezone', before.timezone, after.timezone),
    ...differs('reading of values', before.reading, after.reading),
    ...differsInWords('retention', retention(before), retention(after), isShorter ? ['rows'] : []),
    ...fieldsDifferences(before, after, meanings),
    ...differsInOrder('its fields', fieldNames(before), fieldNames(after)),
    ...differsInOrder('its join keys', keyNames(before), keyNames(after)),
    ...differsInOrder('its indexes', indexed(before), indexed(after)),
    ...documentedDifferences(before, after),
  ]
}

function fieldsDifferences(
  before: EventSource,
  after: EventSource,
  meanings: readonly Broken[],
): readonly Difference[] {
  const { pairs, removed } = pairById(before.fields, after.fields, ({ name }) => name)
  const breaks: readonly Broken[] = before.table === null ? ['rows'] : []
  return [
    ...pairs.flatMap(([old, field]): readonly Difference[] =>
      old === null
        ? [{ how: 'added', text: `field ${field.name} added (${field.type})`, breaks: [] }]
        : fieldDifferences(old, field, meanings),
    ),
    ...removed.map(({ name }): Difference => ({ how: 'removed', text: `field ${name} removed`, breaks })),
  ]
}

function fieldDifferences(
  before: EventField,
  after: EventField,
  meanings: readonly Broken[],
): readonly Difference[] {
  const { name } = after
  return [
    ...differs(`type of field ${name}`, before.type, after.type, meanings),
    ...differs(`column of field ${name}`, before.column, after.column, meanings),
    ...differs(`default of field ${name}`, before.default, after.default),
    ...differs(`description of field ${name}`, before.description, after.description),
    ...differs(`expectation of field ${name}`, before.expectation, after.expectation),
  ]
}
