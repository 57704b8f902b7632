import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatTimestamp, parseTimestamp } from '../../src/definitions/timestamp.ts'

const first = Number.MIN_SAFE_INTEGER
const last = Number.MAX_SAFE_INTEGER
const micros = fc.oneof(fc.constantFrom(0, -1, 1, first, last), fc.maxSafeInteger())

describe('parseTimestamp', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['1969-12-31T23:59:59.999999Z', -1],
    ['2026-11-23T09:05:00Z', 1_795_424_700_000_000],
    ['2026-11-23T09:05:00.000000Z', 1_795_424_700_000_000],
    ['2026-11-23T09:05:00.1Z', 1_795_424_700_100_000],
    ['2026-11-23T09:05:00.12345Z', 1_795_424_700_123_450],
    ['2026-11-23T09:05:00.000001Z', 1_795_424_700_000_001],
    ['2026-11-23t09:05:00z', 1_795_424_700_000_000],
    ['2026-11-23 09:05:00Z', 1_795_424_700_000_000],
    ['2026-11-23T09:05:00+00:00', 1_795_424_700_000_000],
    ['2026-11-23T09:05:00-00:00', 1_795_424_700_000_000],
    ['2026-11-23T14:35:00+05:30', 1_795_424_700_000_000],
    ['2026-11-22T23:05:00-10:00', 1_795_424_700_000_000],
    ['2026-11-23 14:35:00+0530', 1_795_424_700_000_000],
    ['2026-11-23 10:05:00+01', 1_795_424_700_000_000],
    ['2026-11-23 09:05:00 UTC', 1_795_424_700_000_000],
    ['2026-11-23 10:05:00.5 +0100', 1_795_424_700_500_000],
    ['2026-11-23T09:05:00.123456789Z', 1_795_424_700_123_456],
    ['1969-12-31T23:59:59.999999999Z', -1],
    ['2026-11-24T09:04:00+23:59', 1_795_424_700_000_000],
    ['2024-02-29T00:00:00Z', 1_709_164_800_000_000],
    ['2000-02-29T00:00:00Z', 951_782_400_000_000],
    ['1684-07-28T00:12:25.259009Z', first],
    ['2255-06-05T23:47:34.740991Z', last],
  ])('reads %s', (text, expected) => {
    expect(parseTimestamp(text)).toBe(expected)
  })

  it.each([
    ['no offset', '2026-11-23T09:05:00'],
    ['a date alone', '2026-11-23'],
    ['no seconds', '2026-11-23T09:05Z'],
    ['an offset of a day', '2026-11-23T09:05:00+24:00'],
    ['an offset of 60 minutes', '2026-11-23T09:05:00+05:60'],
    ['the name of another zone', '2026-11-23T09:05:00 CET'],
    ['both Z and an offset', '2026-11-23T09:05:00Z+00:00'],
    ['30 February', '2026-02-30T00:00:00Z'],
    ['29 February of a common year', '2026-02-29T00:00:00Z'],
    ['29 February of a common century', '1900-02-29T00:00:00Z'],
    ['31 April', '2026-04-31T00:00:00Z'],
    ['day 0', '2026-04-00T00:00:00Z'],
    ['month 0', '2026-00-01T00:00:00Z'],
    ['month 13', '2026-13-01T00:00:00Z'],
    ['hour 24', '2026-11-23T24:00:00Z'],
    ['minute 60', '2026-11-23T09:60:00Z'],
    ['a leap second', '2016-12-31T23:59:60Z'],
    ['10 fraction digits', '2026-11-23T09:05:00.1234567891Z'],
    ['a fraction without digits', '2026-11-23T09:05:00.Z'],
    ['a decimal comma', '2026-11-23T09:05:00,5Z'],
    ['a microsecond before the first', '1684-07-28T00:12:25.259008Z'],
    ['a microsecond after the last', '2255-06-05T23:47:34.740992Z'],
    ['the year 9999', '9999-12-31T23:59:59Z'],
    ['the year 0', '0000-01-01T00:00:00Z'],
    ['a year of 5 digits', '12026-11-23T09:05:00Z'],
    ['a sign in front', '+2026-11-23T09:05:00Z'],
    ['a space in front', ' 2026-11-23T09:05:00Z'],
    ['a line break behind', '2026-11-23T09:05:00Z\n'],
    ['other digits than ASCII', '２０２６-11-23T09:05:00Z'],
    ['an epoch', '1795424700'],
    ['nothing', ''],
    ['infinity', 'infinity'],
  ])('refuses %s', (_what, text) => {
    expect(parseTimestamp(text)).toBeNull()
  })

  it('agrees with Date for every instant to the millisecond and every offset', () => {
    const offset = fc.tuple(fc.constantFrom('+', '-'), fc.nat(23), fc.nat(59))
    fc.assert(
      fc.property(
        fc.date({ min: new Date(first / 1_000), max: new Date(last / 1_000), noInvalidDate: true }),
        offset,
        (date, [sign, hours, minutes]) => {
          const zone = `${sign}${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`
          const text = date.toISOString().replace('Z', zone)
          const expected = Date.parse(text) * 1_000
          expect(parseTimestamp(text)).toBe(Math.abs(expected) <= last ? expected : null)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('formatTimestamp', () => {
  it('writes UTC with 6 fraction digits and Z, as Date does to the millisecond', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: Math.ceil(first / 1_000), max: Math.floor(last / 1_000) }),
        fc.nat(999),
        (ms, rest) => {
          const iso = new Date(ms).toISOString()
          const text = formatTimestamp(ms * 1_000 + rest)
          fc.pre(Number.isSafeInteger(ms * 1_000 + rest))
          expect(text).toBe(`${iso.slice(0, -1)}${String(rest).padStart(3, '0')}Z`)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('is undone by parseTimestamp for every instant', () => {
    fc.assert(
      fc.property(micros, (instant) => {
        expect(parseTimestamp(formatTimestamp(instant))).toBe(instant)
      }),
      { numRuns: 2_000 },
    )
  })

  it('formats every day of four centuries as Date does, whatever was formatted before', () => {
    for (let day = -104_000; day < 104_000; day += 97) {
      for (const other of [day, day - 1]) {
        expect(formatTimestamp(other * 86_400_000_000)).toBe(
          new Date(other * 86_400_000).toISOString().replace('.000Z', '.000000Z'),
        )
      }
    }
  })
})
