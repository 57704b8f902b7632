import { parseDuration } from '../definitions/duration.ts'
import { sourceReading } from '../definitions/source-reading.ts'
import type { ScalarValue } from '../definitions/value.ts'
import { acceptValue } from '../definitions/value.ts'
import type { ScalarType } from '../definitions/value-type.ts'
import type { Report } from '../errors.ts'
import { checkColumn } from './check-names.ts'
import type { EventSourceParsed } from './parse-definitions.ts'
import type { EventField, EventSource } from './registry.ts'
import { reservedEventColumns } from './reserved-names.ts'
import { resolveExpectation } from './resolve-expectation.ts'
import { documentedHead } from './shown-head.ts'
import { suggest } from './suggest.ts'

/** An event source before the views over it are known. */
export type GrowingEventSource = EventSource & {
  readonly keyFields: EventField[]
  readonly indexedKeys: string[][]
}

export function resolveEventSource(definition: EventSourceParsed, report: Report): GrowingEventSource {
  const place = `event source ${definition.name}`
  const names = Object.keys(definition.fields)
  for (const option of ['expect', 'columns'] as const) {
    for (const name of Object.keys(definition[option]).filter((one) => !names.includes(one))) {
      report({
        path: `${place}.${option}.${name}`,
        message: `event source "${definition.name}" has no field "${name}"; ${suggest(name, names)}`,
      })
    }
  }
  const fields = Object.entries(definition.fields).map(([name, field]): EventField => {
    const options = typeof field === 'string' ? { type: field } : field
    const path = `${place}.fields.${name}`
    checkColumn(path, name, eventTableColumns, report)
    if (options.expect !== undefined && definition.expect[name] !== undefined) {
      report({ path, message: `field "${name}" has an expectation of its own; keep one of the two` })
    }
    const expect = options.expect ?? definition.expect[name]
    if (expect?.maxAge !== undefined) {
      const message = "an event's age at its import is no property of the event; expect maxAge of a feature"
      report({ path: `${path}.expect.maxAge`, message })
    }
    return {
      name,
      type: options.type,
      column: definition.columns[name] ?? name,
      description: options.description ?? null,
      default:
        options.default === undefined
          ? null
          : resolveLiteral(options.type, options.default, `${path}.default`, report),
      expectation:
        expect === undefined
          ? null
          : resolveExpectation(expect, options.type, `${place}.expect.${name}`, report),
    }
  })
  return {
    kind: 'event-source',
    ...documentedHead(definition),
    topic: definition.topic ?? null,
    table: definition.table ?? null,
    eventTimestamp: definition.eventTimestamp,
    createdTimestamp: definition.createdTimestamp ?? null,
    nullCreated: definition.nullCreated ?? null,
    eventId: definition.eventId ?? null,
    timezone: definition.timezone ?? null,
    reading: sourceReading(definition),
    retentionMicros: definition.retention === undefined ? null : parseDuration(definition.retention),
    fields,
    keyFields: [],
    indexedKeys: [],
  }
}

/** A value that a definition writes down for a field of the type; one that does not fit is reported and null. */
export function resolveLiteral(
  type: ScalarType,
  literal: string | number | boolean,
  path: string,
  report: Report,
): ScalarValue | null {
  if (type === 'timestamp' || type === 'bytes') {
    report({ path, message: `a ${type} cannot be written down here` })
    return null
  }
  const outcome = acceptValue(type, literal)
  if (outcome.ok) return outcome.value as ScalarValue | null
  report({ path, message: `expected ${outcome.expected}, ${JSON.stringify(literal)} came` })
  return null
}

const eventTableColumns = { columns: reservedEventColumns, table: 'table of stored events' } as const
