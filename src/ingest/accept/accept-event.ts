import { fromLocalTime } from '../../definitions/local-time.ts'
import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { ScalarValue } from '../../definitions/value.ts'
import type { ErrorCode } from '../../errors.ts'
import { checkRow } from '../../quality/check-row.ts'
import type { EventSource } from '../../registry/registry.ts'
import type { NewEvent } from '../../stores/event-log.ts'
import type { Violation } from '../../stores/violation-store.ts'
import { allowedSkewMicros } from './allowed-skew.ts'
import { mismatch } from './mismatch.ts'
import { readEventId, readRawValue } from './read-raw-value.ts'
import { Unfit } from './unfit.ts'

export type EventRefusal = Extract<
  ErrorCode,
  'INVALID_EVENT' | 'EVENT_FROM_AHEAD' | 'QUARANTINED' | 'EXPECTATION_FAILED'
>

/** An event that is not to be stored. */
export interface RefusedEvent {
  readonly status: 'REFUSED'
  readonly code: EventRefusal
  readonly message: string
  /** Null where it does not fit; else it is known whom it is about. */
  readonly event: NewEvent | null
  readonly violations: readonly Violation[]
  /** As it came, in the shape of an imported row; empty where it is no JSON object. */
  readonly content: object
  /** Whether a sender who gets an answer needs to know only that it is quarantined; else it is to be mended and sent again. */
  readonly isQuarantined: boolean
}

export type EventVerdict =
  | { readonly status: 'ACCEPTED'; readonly event: NewEvent; readonly violations: readonly Violation[] }
  | RefusedEvent

/** What came as JSON, and the clock's time → the event, or why it is none. Pure. */
export type AcceptEvent = (json: unknown, now: Micros) => EventVerdict

/**
 * The way of an event from outside into the store, by the rules of an imported file of NDJSON: fields, event timestamp and
 * event id have the names of the source's messages, a field that is missing or null takes its default, and what else the
 * message has is left alone. The created timestamp is left alone too: the event is known from when it is stored.
 * INVALID_EVENT names every problem; EVENT_FROM_AHEAD is one that fits and happened more than 10 minutes after `now`,
 * which is quarantined without asking what is expected of it.
 */
export function eventAcceptor(source: EventSource): AcceptEvent {
  const readLocal = source.timezone === null ? () => offsetExpected : fromLocalTime(source.timezone)
  const times = {
    timeColumn: null,
    fromLocalTime: readLocal,
    fromDate: fromLocalTime(source.timezone ?? 'UTC'),
    reading: source.reading,
  }
  const reader = (type: EventSource['fields'][number]['type'], isKey: boolean) =>
    readRawValue({ type, form: 'JSON', isKey, ...times })
  const readEventTime = reader('timestamp', false)
  const fields = source.fields.map((field) => {
    const isKey = source.keyFields.some(({ name }) => name === field.name)
    return { ...field, isKey, read: reader(field.type, isKey) }
  })
  const keyPlaces = fields.flatMap(({ isKey }, place) => (isKey ? [place] : []))
  const expecting = { id: source.name, features: source.fields }

  return (json, now) => {
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      return invalid('expected a JSON object, one a line')
    // Own properties only: an object has `constructor` without anyone having sent it.
    const sent = (name: string): unknown =>
      Object.hasOwn(json, name) ? (json as Readonly<Record<string, unknown>>)[name] : undefined
    const problems: string[] = []
    const refuse = (place: string, expected: Unfit, raw: unknown): null => {
      problems.push(`${place}: ${mismatch(expected, raw)}`)
      return null
    }

    const rawTime = sent(source.eventTimestamp)
    const time = readEventTime(rawTime)
    const eventTimestamp = typeof time === 'number' ? time : 0
    if (time === null) problems.push(`${source.eventTimestamp}: expected the event timestamp, it is missing`)
    else if (time instanceof Unfit) refuse(source.eventTimestamp, time, rawTime)
    const isAhead = eventTimestamp > now + allowedSkewMicros
    const ahead = isAhead
      ? `${source.eventTimestamp}: ${formatTimestamp(eventTimestamp)} is more than 10 minutes ahead of the database's clock`
      : ''

    const rawId = source.eventId === null ? null : sent(source.eventId)
    const id = isRounded(rawId) ? idExpected : readEventId(rawId)
    const eventId = id instanceof Unfit ? refuse(source.eventId ?? '', id, rawId) : id

    const values = fields.map(({ column, type, isKey, default: byDefault, read }): ScalarValue | null => {
      const raw = sent(column)
      const value = read(raw)
      if (value instanceof Unfit) return refuse(column, value, raw)
      if (isScalar(value)) return value
      if (isKey && byDefault === null) problems.push(`${column}: expected ${type}, it is missing`)
      return byDefault
    })

    if (problems.length > 0) {
      if (isAhead) problems.push(ahead)
      const message = `an event of source "${source.name}" does not fit: ${problems.join('; ')}`
      return { ...invalid(message), content: contentOf(source, sent) }
    }
    const event = { eventTimestamp, eventId, values }
    if (isAhead)
      return refused('EVENT_FROM_AHEAD', ahead, { event, violations: [], content: contentOf(source, sent) })
    const key = keyPlaces.map((place) => String(values[place]))
    const { violations, action } = checkRow(
      expecting,
      { key, values, eventTimestamp, createdTimestamp: null },
      now,
    )
    if (action === null || action === 'warn') return { status: 'ACCEPTED', event, violations }
    const message = violations.map((broken) => `${broken.feature}: ${broken.message}`).join('; ')
    const code = action === 'reject' ? 'EXPECTATION_FAILED' : 'QUARANTINED'
    return refused(code, message, { event, violations, content: contentOf(source, sent) })
  }
}

/** What cannot be read as an event at all. */
export function invalid(message: string): RefusedEvent {
  return refused('INVALID_EVENT', message, { event: null, violations: [], content: {} })
}

function refused(
  code: EventRefusal,
  message: string,
  known: Pick<RefusedEvent, 'event' | 'violations' | 'content'>,
): RefusedEvent {
  const isQuarantined = code === 'EVENT_FROM_AHEAD' || code === 'QUARANTINED'
  return { status: 'REFUSED', code, message, ...known, isQuarantined }
}

const offsetExpected = new Unfit(
  'an RFC 3339 timestamp with an offset, as Z or +01:00: the source has no timezone',
)

/** JSON numbers beyond 2^53 have lost digits: two ids could have become one. */
function isRounded(rawId: unknown): boolean {
  return typeof rawId === 'number' && Number.isInteger(rawId) && !Number.isSafeInteger(rawId)
}

const idExpected = new Unfit('an event id without rounding: a string, or a safe integer')

function isScalar(value: unknown): value is ScalarValue {
  return ['number', 'string', 'boolean'].includes(typeof value) || value instanceof Uint8Array
}

/** As it came, in the shape of an imported row, so that an entity's events can be found by their key; lists and objects are left out. */
function contentOf(source: EventSource, sent: (name: string) => unknown): object {
  const key: Record<string, unknown> = {}
  const values: Record<string, unknown> = {}
  for (const { name, column } of source.fields) {
    const isKey = source.keyFields.some((field) => field.name === name)
    ;(isKey ? key : values)[name] = scalarOrNull(sent(column))
  }
  const eventTimestamp = scalarOrNull(sent(source.eventTimestamp))
  const times = source.eventId === null ? {} : { eventId: scalarOrNull(sent(source.eventId)) }
  return { key, values, eventTimestamp, ...times }
}

function scalarOrNull(raw: unknown): unknown {
  return typeof raw === 'object' ? null : (raw ?? null)
}
