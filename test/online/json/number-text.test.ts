import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatTimestamp } from '../../../src/definitions/timestamp.ts'
import {
  longestNumber,
  writeDouble,
  writeInteger,
  writeScaled,
  writeTimestamp,
} from '../../../src/online/json/number-text.ts'

function written(write: (bytes: Buffer, at: number) => number): string {
  const bytes = Buffer.alloc(longestNumber + 3, '#')
  const end = write(bytes, 3)
  expect(bytes.toString('latin1', 0, 3)).toBe('###')
  expect(end).toBeLessThanOrEqual(longestNumber + 3)
  return bytes.toString('latin1', 3, end)
}

const oddDoubles = [
  ...[
    -0,
    0,
    1e21,
    1e20,
    -1e21,
    5e-324,
    2 ** 53,
    2 ** 53 + 2,
    -(2 ** 31),
    2 ** 31,
    2 ** 32 + 5,
    1e15,
    1e-6,
    1e-7,
  ],
  ...[0.005, 0.015, 1.005, 0.1 + 0.2, 999_999.995, 0.01, -0.01, 1.1, 99.9, Math.fround(0.1), 1e13 + 0.25],
]

describe('the text of a number', () => {
  it.each(oddDoubles)('is that of JSON.stringify for %d', (value) => {
    expect(written((bytes, at) => writeDouble(bytes, at, value))).toBe(JSON.stringify(value))
  })

  it('is that of JSON.stringify for every finite double, amounts in cents and thousandths among them', () => {
    const doubles = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.maxSafeInteger().map((cents) => cents / 100),
      fc.integer().map((cents) => cents / 100),
      fc.integer().map((thousandths) => thousandths / 1_000),
      fc.float({ noNaN: true, noDefaultInfinity: true }),
    )
    fc.assert(
      fc.property(doubles, (value) => {
        expect(written((bytes, at) => writeDouble(bytes, at, value))).toBe(JSON.stringify(value))
      }),
      { numRuns: 5_000 },
    )
  })

  it('is that of JSON.stringify for every safe integer', () => {
    const integers = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -1_100, max: 1_100 }))
    fc.assert(
      fc.property(integers, (value) => {
        expect(written((bytes, at) => writeInteger(bytes, at, value))).toBe(JSON.stringify(value))
      }),
      { numRuns: 5_000 },
    )
  })

  it('is that of JSON.stringify for the number nearest to every decimal of at most 15 digits', () => {
    const magnitude = 10 ** 15 - 1
    const scaled = fc.oneof(
      fc.integer({ min: -magnitude, max: magnitude }),
      fc.integer({ min: -2_000, max: 2_000 }),
    )
    fc.assert(
      fc.property(scaled, fc.integer({ min: 0, max: 6 }), (value, digits) => {
        const nearest = Number(`${value}e-${digits}`)
        expect(written((bytes, at) => writeScaled(bytes, at, value, digits))).toBe(JSON.stringify(nearest))
      }),
      { numRuns: 5_000 },
    )
  })

  it('is that of a timestamp, for every one that can be held exactly', () => {
    const micros = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -86_400_000_001, max: 86_400_000_001 }))
    fc.assert(
      fc.property(fc.array(micros, { minLength: 1, maxLength: 4 }), (moments) => {
        for (const moment of moments)
          expect(written((bytes, at) => writeTimestamp(bytes, at, moment))).toBe(
            JSON.stringify(formatTimestamp(moment)),
          )
      }),
      { numRuns: 2_000 },
    )
  })
})
