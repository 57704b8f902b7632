import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDuration } from '../../src/definitions/duration.ts'
import { formatTimestamp, parseTimestamp } from '../../src/definitions/timestamp.ts'
import { chooseHop, floorToHop, windowStart } from '../../src/windows/hop.ts'

const micros = (text: string): number => parseDuration(text) ?? Number.NaN
const at = (text: string): number => parseTimestamp(text) ?? Number.NaN

describe('the hop of a window', () => {
  it.each([
    ['400d', '1d'],
    ['30d', '1d'],
    ['12d', '1d'],
    ['11d', '1h'],
    ['7d', '1h'],
    ['1d', '1h'],
    ['12h', '1h'],
    ['11h', '5m'],
    ['1h', '5m'],
    ['59m', '1m'],
    ['12m', '1m'],
    ['11m', '5s'],
    ['1m', '5s'],
  ])('of %s is %s', (window, hop) => {
    expect(chooseHop(micros(window))).toBe(micros(hop))
  })

  it.each(['59999ms', '59s', '1s'])('of %s has to be declared', (window) => {
    expect(chooseHop(micros(window))).toBeNull()
  })

  it('is the largest that the window holds at least twelve times', () => {
    const hops = ['1d', '1h', '5m', '1m', '5s'].map(micros)
    fc.assert(
      fc.property(fc.integer({ min: micros('1m'), max: micros('2000d') }), (window) => {
        const fitting = hops.filter((hop) => window >= 12 * hop)
        expect(chooseHop(window)).toBe(Math.max(...fitting))
      }),
    )
  })
})

describe('the floor of an instant', () => {
  it.each([
    ['2026-11-23T12:34:56.789012Z', '1h', '2026-11-23T12:00:00.000000Z'],
    ['2026-11-23T12:00:00.000000Z', '1h', '2026-11-23T12:00:00.000000Z'],
    ['2026-11-23T11:59:59.999999Z', '1h', '2026-11-23T11:00:00.000000Z'],
    ['2026-11-23T00:30:00.000000+02:00', '1d', '2026-11-22T00:00:00.000000Z'],
    ['1970-01-01T00:00:00.000000Z', '1d', '1970-01-01T00:00:00.000000Z'],
    ['1969-12-31T23:59:59.999999Z', '1d', '1969-12-31T00:00:00.000000Z'],
    ['1969-12-31T23:59:59.999999Z', '5m', '1969-12-31T23:55:00.000000Z'],
    ['1700-03-01T00:00:00.000001Z', '5s', '1700-03-01T00:00:00.000000Z'],
  ])('%s by %s is %s', (instant, hop, floor) => {
    expect(formatTimestamp(floorToHop(at(instant), micros(hop)))).toBe(floor)
  })

  it('is a multiple of the hop, at most the instant and less than a hop before it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: at('1700-01-01T00:00:00Z'), max: at('2250-01-01T00:00:00Z') }),
        fc.constantFrom('1d', '1h', '5m', '1m', '5s', '7s'),
        (instant, hop) => {
          const floor = floorToHop(instant, micros(hop))
          expect(BigInt(floor) % BigInt(micros(hop))).toBe(0n)
          expect(floor).toBeLessThanOrEqual(instant)
          expect(floor).toBeGreaterThan(instant - micros(hop))
        },
      ),
    )
  })
})

describe('a sawtooth window', () => {
  it.each([
    // The head is exact; the tail reaches back to the hop before t - w.
    ['2026-11-23T12:00:00.000000Z', '1h', '2026-11-23T11:00:00.000000Z'],
    ['2026-11-23T12:00:00.000001Z', '1h', '2026-11-23T11:00:00.000000Z'],
    ['2026-11-23T12:04:59.999999Z', '1h', '2026-11-23T11:00:00.000000Z'],
    ['2026-11-23T12:05:00.000000Z', '1h', '2026-11-23T11:05:00.000000Z'],
    ['2026-11-23T00:00:00.000000Z', '30d', '2026-10-24T00:00:00.000000Z'],
    ['2026-11-23T23:59:59.999999Z', '30d', '2026-10-24T00:00:00.000000Z'],
    ['2026-11-23T12:30:00.000000Z', '7d', '2026-11-16T12:00:00.000000Z'],
    ['1970-01-01T00:00:00.000000Z', '1h', '1969-12-31T23:00:00.000000Z'],
    ['1969-12-31T23:59:59.999999Z', '1h', '1969-12-31T22:55:00.000000Z'],
  ])('at %s over %s begins at %s', (t, window, start) => {
    const hop = chooseHop(micros(window)) ?? Number.NaN
    expect(formatTimestamp(windowStart(at(t), micros(window), hop))).toBe(start)
  })

  it('is at least the window and less than a hop longer', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: at('1900-01-01T00:00:00Z'), max: at('2200-01-01T00:00:00Z') }),
        fc.constantFrom('1m', '1h', '7d', '30d'),
        (t, window) => {
          const hop = chooseHop(micros(window)) ?? Number.NaN
          const length = t - windowStart(t, micros(window), hop)
          expect(length).toBeGreaterThanOrEqual(micros(window))
          expect(length).toBeLessThan(micros(window) + hop)
        },
      ),
    )
  })
})
