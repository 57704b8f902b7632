import { describe, expect, it } from 'vitest'
import { fromLocalTime, parseLocalTime } from '../../src/definitions/local-time.ts'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'

function instantOf(zone: string, text: string): string {
  const local = parseLocalTime(text)
  if (local === null) throw new Error(`${text} is no local time`)
  return formatTimestamp(fromLocalTime(zone)(local))
}

describe('fromLocalTime', () => {
  it.each([
    ['UTC', '2026-07-01T12:00:00.123456', '2026-07-01T12:00:00.123456Z'],
    ['Europe/Berlin', '2026-07-01 12:00:00.000001', '2026-07-01T10:00:00.000001Z'],
    ['Europe/Berlin', '2026-01-01T00:30:00', '2025-12-31T23:30:00.000000Z'],
    ['America/St_Johns', '2026-01-15T12:00:00', '2026-01-15T15:30:00.000000Z'],
    ['Asia/Kathmandu', '2026-01-15T12:00:00', '2026-01-15T06:15:00.000000Z'],
    ['Australia/Lord_Howe', '2026-01-15T12:00:00', '2026-01-15T01:00:00.000000Z'],
  ])('%s: %s is %s', (zone, local, instant) => {
    expect(instantOf(zone, local)).toBe(instant)
  })

  it('takes the first of two times that a clock showed twice', () => {
    expect(instantOf('Europe/Berlin', '2026-10-25T01:59:59.999999')).toBe('2026-10-24T23:59:59.999999Z')
    expect(instantOf('Europe/Berlin', '2026-10-25T02:00:00')).toBe('2026-10-25T00:00:00.000000Z')
    expect(instantOf('Europe/Berlin', '2026-10-25T02:59:59.999999')).toBe('2026-10-25T00:59:59.999999Z')
    expect(instantOf('Europe/Berlin', '2026-10-25T03:00:00')).toBe('2026-10-25T02:00:00.000000Z')
  })

  it('reads a time that a clock skipped with the offset before the gap', () => {
    expect(instantOf('Europe/Berlin', '2026-03-29T01:59:59.999999')).toBe('2026-03-29T00:59:59.999999Z')
    expect(instantOf('Europe/Berlin', '2026-03-29T02:30:00')).toBe('2026-03-29T01:30:00.000000Z')
    expect(instantOf('Europe/Berlin', '2026-03-29T03:00:00')).toBe('2026-03-29T01:00:00.000000Z')
  })

  it('is exact where a zone changed in the middle of a quarter of an hour', () => {
    // Berlin's mean time was 53 min 28 s ahead; at local midnight of 1893-04-01 clocks were set 6 min 32 s forward.
    expect(instantOf('Europe/Berlin', '1893-03-31T23:59:59')).toBe('1893-03-31T23:06:31.000000Z')
    expect(instantOf('Europe/Berlin', '1893-04-01T00:06:32')).toBe('1893-03-31T23:06:32.000000Z')
  })
})

describe('parseLocalTime', () => {
  it.each([
    '2026-07-01',
    '12:00:00',
    '2026-07-01T12:00:00Z',
    '2026-07-01T12:00:00+02:00',
    '2026-02-30T12:00:00',
    '',
  ])('takes no %j', (text) => {
    expect(parseLocalTime(text)).toBeNull()
  })
})
