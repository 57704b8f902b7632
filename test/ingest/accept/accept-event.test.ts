import { batch, count, entity, eventSource, windowedView } from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { type EventVerdict, eventAcceptor } from '../../../src/ingest/accept/accept-event.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { EventSource } from '../../../src/registry/registry.ts'
import { at } from '../../graph/run-operation.ts'

const now = at('2026-11-23T12:00:00Z')

/** A source as the registry has it, with a view by customer, so that `customer_id` is a key. */
function resolved(options: Partial<Parameters<typeof eventSource>[1]> = {}): EventSource {
  const source = eventSource('payments', {
    eventTimestamp: 'ts',
    eventId: 'id',
    columns: { amount: 'Amount' },
    fields: {
      customer_id: 'int64',
      amount: 'float64',
      cents: 'int32',
      state: 'string',
      success: { type: 'bool', default: true },
      due: 'timestamp',
      blob: 'bytes',
    },
    expect: {
      amount: { max: 100 },
      cents: { max: 10, action: 'quarantine' },
      state: { oneOf: ['paid', 'open'], action: 'reject' },
    },
    ...options,
  })
  const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
  const view = windowedView('payment_counts', {
    entity: customer,
    source,
    compute: batch({ every: '1d' }),
    features: { n: count('30d') },
  })
  const definitions = [customer, source, view]
  const { eventSources } = buildRegistry(
    definitions.map((value, index) => ({ path: `definition ${index}`, value })),
  )
  const [first] = eventSources
  if (!first) throw new Error('the registry has no event source')
  return first
}

const accept = eventAcceptor(resolved())
const event = { ts: '2026-11-23T11:00:00Z', customer_id: 1 }
const times = (ts: unknown, source = resolved()): EventVerdict => eventAcceptor(source)({ ...event, ts }, now)

function messageOf(verdict: EventVerdict): string {
  return verdict.status === 'REFUSED' ? `${verdict.code} ${verdict.message}` : 'ACCEPTED'
}

function timeOf(verdict: EventVerdict): number | null {
  return verdict.event?.eventTimestamp ?? null
}

describe('an event that fits', () => {
  it('has its values in the order of the fields, by the names of the messages, as every store keeps them', () => {
    const sent = {
      other: { anything: [1] },
      blob: 'AP8=',
      due: '2026-11-23T01:00:00+01:00',
      success: false,
      state: 'paid',
      cents: 7,
      Amount: 1.5,
      customer_id: '9007199254740993',
      id: 17,
      ts: '2026-11-23T12:30:00.000001+01:00',
    }
    expect(accept(sent, now)).toEqual({
      status: 'ACCEPTED',
      event: {
        eventTimestamp: at('2026-11-23T11:30:00.000001Z'),
        eventId: '17',
        values: [
          '9007199254740993',
          1.5,
          7,
          'paid',
          false,
          at('2026-11-23T00:00:00Z'),
          Buffer.from([0, 255]),
        ],
      },
      violations: [],
    })
  })

  it('takes defaults where a field is missing or null, and null where there is none', () => {
    for (const sent of [event, { ...event, success: null, Amount: null, id: null }])
      expect(accept(sent, now)).toEqual({
        status: 'ACCEPTED',
        event: {
          eventTimestamp: at('2026-11-23T11:00:00Z'),
          eventId: null,
          values: [1, null, null, null, true, null, null],
        },
        violations: [],
      })
  })

  it('needs no key where that has a default', () => {
    const source = resolved({
      fields: { customer_id: { type: 'int64', default: 5 } },
      columns: {},
      expect: {},
    })
    expect(eventAcceptor(source)({ ts: event.ts }, now).event?.values).toEqual([5])
  })
})

describe('an event that does not fit', () => {
  it('reports every problem with what was expected', () => {
    const sent = { id: {}, Amount: '1', cents: 1.5, state: 'a\0', success: 2, due: 5, blob: 'A' }
    const message = messageOf(accept(sent, now))
    for (const part of [
      'INVALID_EVENT an event of source "payments" does not fit: ',
      'ts: expected the event timestamp, it is missing',
      'id: expected a string, got {}',
      'customer_id: expected int64, it is missing',
      'Amount: expected a number, got "1"',
      'cents: expected a 32-bit integer, got 1.5',
      'state: expected a string without U+0000 and lone surrogates, got ',
      'success: expected true or false, got 2',
      'due: expected an RFC 3339 timestamp',
      'blob: expected base64, got "A"',
    ])
      expect(message).toContain(part)
  })

  it.each([[null], [5], ['text'], [[event]]])('is no JSON object: %j', (json) => {
    expect(messageOf(accept(json, now))).toBe('INVALID_EVENT expected a JSON object, one a line')
  })

  it('has no key for null, and none of what every object has', () => {
    expect(messageOf(accept({ ...event, customer_id: null }, now))).toMatch(/customer_id: .* missing/)
    const source = resolved({ eventTimestamp: 'constructor' })
    expect(messageOf(eventAcceptor(source)({ customer_id: 1 }, now))).toMatch(/constructor: .* missing/)
  })

  it('has numbers that JSON has rounded', () => {
    const rounded = JSON.parse('{"customer_id": 9007199254740993, "id": 9007199254740993}')
    const message = messageOf(accept({ ...event, ...rounded }, now))
    expect(message).toMatch(
      /id: expected an event id without rounding: .*customer_id: expected a 64-bit integer/,
    )
  })
})

describe('an event timestamp', () => {
  it.each([
    ['2026-11-23', 'got "2026-11-23" (a date alone is its midnight with dates: true on the source)'],
    [1_795_000_000, "got 1795000000 (with unit: 's' on the source it is 2026-11-18T11:06:40.000000Z)"],
    ['2026-11-23T24:00:00Z', '(hours end at 23: 24:00 is 00:00 of the next day)'],
    ['2026-06-30T23:59:60Z', '(seconds end at 59: a leap second is the next second)'],
    ['11/23/2026', "(another form is read with a format on the source, as format: '%m/%d/%Y %H:%M')"],
    ['2026-02-30T11:00:00Z', 'expected an RFC 3339 timestamp'],
    ['1600-01-01T00:00:00Z', 'from 1684 to 2255'],
    ['2300-01-01T00:00:00Z', 'from 1684 to 2255'],
    ['2026-11-23T11:00:00', 'with an offset, as Z or +01:00: the source has no timezone'],
  ])('%j is refused', (ts, message) => {
    expect(messageOf(times(ts))).toMatch(/^INVALID_EVENT .*ts: /)
    expect(messageOf(times(ts))).toContain(message)
  })

  it.each([
    [{ unit: 'ms' }, 1_795_431_600_123, '2026-11-23T11:00:00.123Z'],
    [{ unit: 's' }, 1_795_431_600.25, '2026-11-23T11:00:00.25Z'],
    [{ unit: 'ns' }, '1795431600123456789', '2026-11-23T11:00:00.123456Z'],
    [{ unit: 's' }, '2026-11-23T11:00:00Z', '2026-11-23T11:00:00Z'],
    [{ dates: true, timezone: 'Europe/Berlin' }, '2026-11-23', '2026-11-22T23:00:00Z'],
    [{ dates: true }, '2026-11-23', '2026-11-23T00:00:00Z'],
    [{ format: '%d.%m.%Y %H:%M', timezone: 'Europe/Berlin' }, '23.11.2026 9:30', '2026-11-23T08:30:00Z'],
    [{ format: '%b %d, %Y %I:%M %p %z' }, 'Nov 23, 2026 12:05 am +0100', '2026-11-22T23:05:00Z'],
    [{ format: '%Y%m%d' }, 20_261_123, '2026-11-23T00:00:00Z'],
    [{}, '2026-11-23 11:00:00.123456789 UTC', '2026-11-23T11:00:00.123456Z'],
  ] as const)('is read as the source says: %j, %j', (options, ts, expected) => {
    expect(timeOf(times(ts, resolved(options)))).toBe(at(expected))
  })

  it('without an offset is of the source’s timezone', () => {
    const source = resolved({ timezone: 'Europe/Berlin' })
    expect(timeOf(times('2026-11-23T11:00:00', source))).toBe(at('2026-11-23T10:00:00Z'))
    expect(timeOf(times('2026-11-23T11:00:00Z', source))).toBe(at('2026-11-23T11:00:00Z'))
  })

  it('may be 10 minutes ahead, and not a microsecond more', () => {
    expect(times('2026-11-23T12:10:00Z').status).toBe('ACCEPTED')
    const sent = { ...event, ts: '2026-11-23T12:10:00.000001Z', id: 'e1', Amount: 1_000 }
    const reason = "ts: 2026-11-23T12:10:00.000001Z is more than 10 minutes ahead of the database's clock"
    expect(accept(sent, now)).toMatchObject({
      status: 'REFUSED',
      code: 'EVENT_FROM_AHEAD',
      message: reason,
      violations: [],
      isQuarantined: true,
      content: {
        key: { customer_id: 1 },
        values: { amount: 1_000, cents: null },
        eventTimestamp: sent.ts,
        eventId: 'e1',
      },
    })
    expect(accept({ ...sent, Amount: 'x' }, now)).toMatchObject({
      code: 'INVALID_EVENT',
      message: expect.stringMatching(/Amount: .*10 minutes ahead/),
      isQuarantined: false,
      content: { key: { customer_id: 1 }, values: { amount: 'x' } },
    })
  })
})

it('reports of what is nested too deeply to be reported, and goes on', () => {
  const deep = JSON.parse(`${'['.repeat(4_000)}${']'.repeat(4_000)}`)
  expect(accept({ ...event, Amount: deep }, now)).toMatchObject({
    code: 'INVALID_EVENT',
    message: expect.stringContaining('"a deeply nested list"'),
    content: { key: { customer_id: 1 }, values: { amount: null } },
  })
  expect(accept({ ...event, more: deep }, now).status).toBe('ACCEPTED')
})

describe('what is expected of fields', () => {
  it('is reported, and the event kept, with warn', () => {
    expect(accept({ ...event, Amount: 101 }, now)).toMatchObject({
      status: 'ACCEPTED',
      violations: [
        { view: 'payments', feature: 'amount', key: ['1'], rule: 'MAX', action: 'warn', recordedAt: now },
      ],
    })
  })

  it('keeps the event out with quarantine, and out of quarantine too with reject', () => {
    const quarantined = { ...event, cents: 11, Amount: 101 }
    const reason = 'amount: Value 101 above maximum 100; cents: Value 11 above maximum 10'
    expect(accept(quarantined, now)).toMatchObject({
      code: 'QUARANTINED',
      message: reason,
      event: { values: [1, 101, 11, null, true, null, null] },
      violations: [{ feature: 'amount' }, { feature: 'cents' }],
      isQuarantined: true,
      content: { key: { customer_id: 1 }, values: { cents: 11 } },
    })
    expect(accept({ ...quarantined, state: 'lost' }, now)).toMatchObject({
      code: 'EXPECTATION_FAILED',
      message: `${reason}; state: Value lost is none of paid, open`,
      violations: [{}, {}, { feature: 'state', action: 'reject' }],
      isQuarantined: false,
    })
  })
})
