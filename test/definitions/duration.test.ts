import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { duration, formatDuration, parseDuration } from '../../src/definitions/duration.ts'

describe('a duration', () => {
  it.each([
    ['250ms', 250_000],
    ['30s', 30_000_000],
    ['5m', 300_000_000],
    ['1h', 3_600_000_000],
    ['90d', 7_776_000_000_000],
    ['0s', 0],
    ['007s', 7_000_000],
    ['104249d', 9_007_113_600_000_000],
  ])('reads %s', (text, expected) => {
    expect(parseDuration(text)).toBe(expected)
  })

  it.each([
    '',
    '5',
    'm',
    '5 m',
    ' 5m',
    '5m ',
    '5m\n',
    '-5m',
    '+5m',
    '1.5h',
    '1e3s',
    '5M',
    '5min',
    '1w',
    '1y',
    '1h30m',
    '5us',
    '104250d',
    '1234567890s',
    '٣s',
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeNull()
  })

  it.each([
    [0, '0ms'],
    [1, '1ms'],
    [1_000, '1ms'],
    [1_500_000, '1500ms'],
    [60_000_000, '1m'],
    [90 * 60_000_000, '90m'],
    [86_400_000_000, '1d'],
    [90_000_000_000, '25h'],
  ])('of %d µs is written %s', (micros, text) => {
    expect(formatDuration(micros)).toBe(text)
  })

  it('that was read is written so that it reads back the same, and never longer', () => {
    fc.assert(
      fc.property(fc.nat(999_999_999), fc.constantFrom('ms', 's', 'm', 'h', 'd'), (count, unit) => {
        const micros = parseDuration(`${count}${unit}`)
        fc.pre(micros !== null)
        expect(parseDuration(formatDuration(micros))).toBe(micros)
        expect(formatDuration(micros).length).toBeLessThanOrEqual(
          `${count}${unit}`.length + (count === 0 ? 1 : 0),
        )
      }),
    )
  })

  it('of a definition is above 0', () => {
    const message = 'a duration is a whole number above 0 and a unit, as 250ms, 30s, 5m, 1h or 90d'
    expect(duration.safeParse('1h').success).toBe(true)
    for (const wrong of ['0d', 'one day', '']) {
      expect(duration.safeParse(wrong).error?.issues.map((issue) => issue.message)).toEqual([message])
    }
    expect(duration.safeParse(3_600).success).toBe(false)
  })
})
