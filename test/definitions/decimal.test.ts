import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { acceptDecimal, decimalOf, decimalText, scaledOf } from '../../src/definitions/decimal.ts'
import { scalarType } from '../../src/definitions/value-type.ts'

const scaled = fc.oneof(
  fc.bigInt({ min: -(10n ** 15n) - 9n, max: 10n ** 15n + 9n }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
)
const digits = fc.integer({ min: 0, max: 9 })

describe('a decimal', () => {
  it('is the scaled integer that it stands for, whatever its size, and JSON keeps it', () => {
    fc.assert(
      fc.property(scaled, digits, (units, n) => {
        const value = decimalOf(units, n)
        expect(scaledOf(value, n)).toBe(units)
        expect(scaledOf(JSON.parse(JSON.stringify(value)), n)).toBe(units)
      }),
    )
  })

  it('of at most 15 digits is a number that prints with these digits, a longer one its text', () => {
    fc.assert(
      fc.property(scaled, digits, (units, n) => {
        const value = decimalOf(units, n)
        const text = decimalText(units, n)
        const isShort = units < 10n ** 15n && units > -(10n ** 15n)
        expect(typeof value).toBe(isShort ? 'number' : 'string')
        if (!isShort) expect(value).toBe(text)
        else expect(acceptDecimal(n, String(value))).toEqual({ ok: true, value })
      }),
    )
    expect(String(decimalOf(45_653_551n, 2))).toBe('456535.51')
  })

  it('is read from its text in every form that says the same', () => {
    fc.assert(
      fc.property(scaled, digits, fc.nat(4), (units, n, zeros) => {
        const value = decimalOf(units, n)
        const text = decimalText(units, n)
        const padded = text.includes('.') ? text + '0'.repeat(zeros) : `${text}.${'0'.repeat(zeros)}`
        for (const form of [text, padded, `${text}e0`, `${units}e-${n}`])
          expect(acceptDecimal(n, form), form).toEqual({ ok: true, value })
      }),
    )
    expect(acceptDecimal(2, '+12.340')).toEqual({ ok: true, value: 12.34 })
    expect(acceptDecimal(2, '.5')).toMatchObject({ ok: false })
    expect(acceptDecimal(9, 1e-7)).toEqual({ ok: true, value: 1e-7 })
    expect(acceptDecimal(2, -0)).toEqual({ ok: true, value: 0 })
    expect(acceptDecimal(2, 7n)).toEqual({ ok: true, value: 7 })
    expect(acceptDecimal(2, Number.NaN)).toEqual({ ok: true, value: null })
    expect(acceptDecimal(2, 9_007_199_254_740_991)).toEqual({ ok: true, value: '9007199254740991.00' })
  })

  it.each([
    [12.345, 'a decimal(2): at most 2 digits behind the point'],
    [0.1 + 0.2, 'a decimal(2): at most 2 digits behind the point'],
    ['1e-3', 'a decimal(2): at most 2 digits behind the point'],
    ['12,34', 'a decimal(2): a number, or its text, with at most 2 digits behind the point'],
    [Number.POSITIVE_INFINITY, 'a decimal(2): a number, or its text, with at most 2 digits behind the point'],
    [true, 'a decimal(2): a number, or its text, with at most 2 digits behind the point'],
    ['92233720368547758.08', 'a decimal(2), from -92233720368547758.08 to 92233720368547758.07'],
    ['1e999', 'a decimal(2), from -92233720368547758.08 to 92233720368547758.07'],
    [
      12_345_678_901_234.56,
      'a decimal(2) of more than 15 digits as text, since a JSON number could be rounded',
    ],
  ])('refuses %j', (input, expected) => {
    expect(acceptDecimal(2, input)).toEqual({ ok: false, expected })
  })

  it('has 0 to 9 digits behind the point', () => {
    expect(scalarType.safeParse('decimal(9)').success).toBe(true)
    expect(scalarType.safeParse('decimal(10)').error?.issues).toMatchObject([
      {
        message:
          'a type is one of int32, int64, float32, float64, string, bool, timestamp, bytes, uuid, decimal(n) with n from 0 to 9',
      },
    ])
  })
})
