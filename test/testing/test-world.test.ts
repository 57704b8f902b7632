import { describe, expect, it } from 'vitest'
import { testWorld } from '../../src/testing/testing.ts'
import * as library from './schema/library.ts'

const loan = (id: string, lentAt: string, more: object = {}) => ({
  ...{ loan_id: id, reader_id: 1, lent_at: lentAt, pages: 100, shelf: 's1' },
  ...more,
})
const keys = [{ reader_id: 1 }]

describe('a test world', () => {
  it('takes definitions as a list too, and reports all of their problems', () => {
    expect(() => testWorld([library.readerCards, library.readerLoans])).toThrow(
      /3 problem\(s\):\s.*entity "reader".*\s.*entity "reader".*\s.*event source "loans"/,
    )
  })

  it('holds an event from when it was stored, and of two with one id the first', async () => {
    const world = testWorld(library)
    world.events(library.loans, [loan('a', '2026-05-01T00:00:00Z'), loan('a', '2026-05-02T00:00:00Z')])
    world.events('loans', [loan('b', '2026-05-01T12:00:00Z')], { storedAt: '2026-05-03T00:00:00Z' })
    const loansAt = async (at: string) =>
      (await world.online({ view: 'reader_loans', keys, at }))[0]?.features['loans_30d']
    expect(await loansAt('2026-05-02T23:00:00Z')).toBe(1)
    expect(await loansAt('2026-05-03T01:00:00Z')).toBe(2)
  })

  it('answers batch views by the newest snapshot, and by what is pushed over it', async () => {
    const world = testWorld(library)
    world.events('loans', [loan('a', '2026-05-01T10:00:00Z')])
    const ask = async (at: string) =>
      await world.online({ view: library.readerMonths, keys, at: new Date(at) })
    expect(await ask('2026-05-01T23:00:00Z')).toMatchObject([
      { status: 'NOT_FOUND', features: { loans_60d: 0 } },
    ])
    expect(await ask('2026-05-02T23:00:00Z')).toMatchObject([
      {
        status: 'PRESENT',
        features: { loans_60d: 1 },
        eventTimestamp: '2026-05-02T00:00:00.000000Z',
        ageSeconds: 82_800,
      },
    ])
    world.rows('reader_months', [{ reader_id: 1, event_timestamp: '2026-05-03T00:00:00Z', loans_60d: 9 }])
    expect(await ask('2026-05-03T23:00:00Z')).toMatchObject([{ features: { loans_60d: 9, pages_60d: null } }])
    expect(await ask('2026-05-04T00:00:00Z')).toMatchObject([{ features: { loans_60d: 1 } }])
    // The last window that holds it ends on 30 June, rounded out to its hop; then the snapshot says that it is gone.
    expect(await ask('2026-07-15T00:00:00Z')).toMatchObject([{ status: 'NOT_FOUND' }])
  })

  it('nulls what is older than the ttl or the asked for age, and says when it was true', async () => {
    const world = testWorld(library)
    world.rows('reader_cards', [{ reader_id: 1, event_timestamp: '2026-05-01T00:00:00Z', fee: 0.1 }])
    const at = '2026-05-03T00:00:00Z'
    const present = { status: 'PRESENT', features: { fee: Math.fround(0.1) } }
    const outside = {
      status: 'OUTSIDE_TTL',
      features: { fee: null },
      eventTimestamp: '2026-05-01T00:00:00.000000Z',
    }
    expect(await world.online({ view: 'reader_cards', keys, at })).toMatchObject([present])
    expect(await world.online({ view: 'reader_cards', keys, at, maxAge: '1d' })).toMatchObject([outside])
    expect(await world.asOf({ view: 'reader_cards', keys, at: '2026-06-03T00:00:00Z' })).toMatchObject([
      outside,
    ])
  })

  it('throws for what does not fit, and reports what an expectation keeps out', () => {
    const world = testWorld(library)
    const at = '2026-05-01T00:00:00Z'
    expect(() => world.events('loans', [loan('a', 'yesterday')])).toThrow(
      'events[0]: an event of source "loans" does not fit: lent_at: expected an RFC 3339 timestamp',
    )
    expect(() => world.rows('reader_cards', [{ reader_id: 1, event_timestamp: at, fees: 1 }])).toThrow(
      'fees: feature view "reader_cards" has no such join key or feature',
    )
    expect(() => world.rows('reader_loans', [])).not.toThrow()
    expect(() => world.rows('reader_loans', [{}])).toThrow('give events of source "loans"')
    expect(() => world.rows('reader_card', [])).toThrow('did you mean "reader_cards"?')
    expect(world.events('loans', [loan('a', at, { pages: 0 })])).toEqual([
      {
        ...{ accepted: false, code: 'EXPECTATION_FAILED' },
        ...{ message: 'pages: Value 0 below minimum 1', violations: ['pages: Value 0 below minimum 1'] },
      },
    ])
    expect(world.rows('reader_cards', [{ reader_id: 1, event_timestamp: at, fee: 101 }])).toMatchObject([
      { accepted: false, code: 'QUARANTINED' },
    ])
  })

  it('refuses keys, request values and times that a gateway would refuse, with their place', async () => {
    const world = testWorld(library)
    const at = '2026-05-01T00:00:00Z'
    const service = library.returnsV1
    await expect(world.online({ service, keys: [{ reader_id: 'x', distance: 1 }], at })).rejects.toThrow(
      'keys[0].reader_id: expected a 64-bit integer',
    )
    await expect(world.online({ service, keys, at })).rejects.toThrow(
      'keys[0].distance: expected a value: a request value without a default is always sent',
    )
    await expect(world.online({ view: 'reader_cards', keys: [{ reader: 1 }], at })).rejects.toThrow(
      'keys[0].reader: feature view "reader_cards" takes no such key; known: "reader_id"',
    )
    await expect(world.online({ view: 'reader_cards', keys, at: '2026-05-01' })).rejects.toThrow(
      'at: expected a Date, or an RFC 3339 timestamp with an offset',
    )
  })
})
