import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { featureStatus } from '../../src/definitions/row-status.ts'
import { acceptInt64, acceptKeyValue, acceptValue } from '../../src/definitions/value.ts'
import { valueTypes } from '../../src/definitions/value-type.ts'
import { arbitraryValue } from '../contract/arbitrary-value.ts'

const int32Range = 'a value within int32, from -2147483648 to 2147483647'
const int64Expected = 'a 64-bit integer: a safe integer, or a decimal string'

describe('acceptInt64', () => {
  it.each([
    [0, 0],
    [-0, 0],
    [-7, -7],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [Number.MIN_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    ['0', 0],
    ['-7', -7],
    ['9007199254740991', 9_007_199_254_740_991],
    ['-9007199254740991', -9_007_199_254_740_991],
    ['9007199254740992', '9007199254740992'],
    ['-9007199254740992', '-9007199254740992'],
    ['9007199254740993', '9007199254740993'],
    ['9223372036854775807', '9223372036854775807'],
    ['-9223372036854775808', '-9223372036854775808'],
  ])('takes %j as %j', (input, value) => {
    const outcome = acceptInt64(input)
    expect(outcome).toEqual({ ok: true, value })
    // toEqual does not tell -0 from 0.
    expect(Object.is(outcome.ok && outcome.value, -0)).toBe(false)
  })

  it.each([
    2 ** 53,
    -(2 ** 53),
    1.5,
    1e300,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '1e3',
    '0x10',
    '0b1',
    ' 1',
    '1 ',
    '1\n',
    '-0',
    '+1',
    '01',
    '-01',
    '1.0',
    '1_000',
    '1n',
    '٣',
    '',
    '-',
    'NaN',
    true,
    null,
    undefined,
    5n,
    [[5]],
    {},
  ])('refuses %s', (input) => {
    expect(acceptInt64(input)).toEqual({ ok: false, expected: int64Expected })
  })

  it.each(['9223372036854775808', '-9223372036854775809', '99999999999999999999'])(
    'names the range of %s',
    (input) => {
      const expected = 'a value within int64, from -9223372036854775808 to 9223372036854775807'
      expect(acceptInt64(input)).toEqual({ ok: false, expected })
    },
  )

  it('gives equal numbers one form, within 64 bits and no further', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }), (exact) => {
        const outcome = acceptInt64(String(exact))
        const fits = exact >= -(2n ** 63n) && exact < 2n ** 63n
        expect(outcome.ok).toBe(fits)
        if (!outcome.ok) return
        expect(BigInt(outcome.value)).toBe(exact)
        expect(typeof outcome.value).toBe(Number.isSafeInteger(Number(exact)) ? 'number' : 'string')
        expect(acceptInt64(outcome.value)).toEqual(outcome)
      }),
    )
  })
})

describe('acceptKeyValue', () => {
  it.each([
    ['int32', 2_147_483_647, 2_147_483_647],
    ['int32', -2_147_483_648, -2_147_483_648],
    ['int32', -0, 0],
    ['int64', '5', 5],
    ['int64', '9223372036854775807', '9223372036854775807'],
    ['string', '', ''],
    ['string', '5', '5'],
    ['string', '😀', '😀'],
    ['string', 'é'.repeat(512), 'é'.repeat(512)],
  ] as const)('takes the %s %j', (type, input, value) => {
    const outcome = acceptKeyValue(type, input)
    expect(outcome).toEqual({ ok: true, value })
    expect(Object.is(outcome.ok && outcome.value, -0)).toBe(false)
  })

  const noString = 'a string without U+0000 and lone surrogates'
  it.each([
    ['int32', 2_147_483_648, int32Range],
    ['int32', -2_147_483_649, int32Range],
    ['int32', 4_294_967_296, int32Range],
    ['int32', 1.5, 'a 32-bit integer'],
    ['int32', '5', 'a 32-bit integer'],
    ['int32', Number.NaN, 'a 32-bit integer'],
    ['int32', null, 'a 32-bit integer'],
    ['int64', 1.5, int64Expected],
    ['int64', null, int64Expected],
    ['string', 5, 'a string'],
    ['string', null, 'a string'],
    ['string', undefined, 'a string'],
    ['string', 'a\0b', noString],
    ['string', '\ud800', noString],
    ['string', 'a\udc00b', noString],
    ['string', '\udc00\ud800', noString],
    ['string', `${'é'.repeat(512)}x`, 'a string of at most 1024 bytes of UTF-8'],
  ] as const)('refuses the %s %j', (type, input, expected) => {
    expect(acceptKeyValue(type, input)).toEqual({ ok: false, expected })
  })
})

describe('acceptValue', () => {
  const bytes = new Uint8Array([0, 255])

  it.each([
    ['float64', Number.NaN, null],
    ['float32', Number.NaN, null],
    ['float64', 5e-324, 5e-324],
    ['float64', Number.MAX_VALUE, Number.MAX_VALUE],
    ['float32', 0.1, Math.fround(0.1)],
    ['float32', 1e-60, 0],
    ['float32[]', [0.1, 2], [Math.fround(0.1), 2]],
    ['int64', '12', 12],
    ['int64[]', ['12', '9007199254740993', 3], [12, '9007199254740993', 3]],
    ['int32[]', [], []],
    ['string', 'a\u0301', 'a\u0301'],
    ['bool', false, false],
    ['timestamp', Number.MIN_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    ['bytes', bytes, bytes],
    ['bytes[]', [bytes], [bytes]],
  ] as const)('takes the %s %j as %j', (type, input, value) => {
    expect(acceptValue(type, input)).toEqual({ ok: true, value })
  })

  it.each([
    ['float64', Number.POSITIVE_INFINITY, 'a finite float64'],
    ['float64', Number.NEGATIVE_INFINITY, 'a finite float64'],
    ['float32', 1e39, 'a value within float32'],
    ['float64', '1.5', 'a number'],
    ['float64', true, 'a number'],
    ['int32', 1.5, 'a 32-bit integer'],
    ['int32', 2 ** 31, int32Range],
    ['int64', 2 ** 53, int64Expected],
    ['string', 5, 'a string without U+0000 and lone surrogates'],
    ['string', 'a\0', 'a string without U+0000 and lone surrogates'],
    ['string', '\ud83d', 'a string without U+0000 and lone surrogates'],
    ['bool', 2, 'true or false'],
    ['bool', 'true', 'true or false'],
    ['timestamp', 1.5, 'whole microseconds since the epoch'],
    ['timestamp', 2 ** 53, 'whole microseconds since the epoch'],
    ['timestamp', '2026-11-23T00:00:00Z', 'whole microseconds since the epoch'],
    ['timestamp', new Date(0), 'whole microseconds since the epoch'],
    ['bytes', 'abc', 'bytes'],
    ['bytes', [1, 2], 'bytes'],
    ['float64[]', [1, Number.NaN], 'a list of float64 without nulls and NaN (item 2 is NaN)'],
    ['float64[]', [1, Number.POSITIVE_INFINITY], 'a list of float64 without nulls and NaN'],
    ['int64[]', [1, null], 'a list of int64 without nulls and NaN (item 2 is null)'],
    ['string[]', [['a']], 'a list of string without nulls and NaN'],
    ['string[]', 'abc', 'a list of string'],
    ['bytes[]', bytes, 'a list of bytes'],
    ['int32', [1], 'a 32-bit integer'],
    ['int32[]', { 0: 1, length: 1 }, 'a list of int32'],
  ] as const)('refuses the %s %j', (type, input, expected) => {
    expect(acceptValue(type, input)).toEqual({ ok: false, expected })
  })

  it.each(valueTypes)(
    'takes null and undefined as null, and leaves what it has accepted as it is: %s',
    (type) => {
      expect(acceptValue(type, null)).toEqual({ ok: true, value: null })
      expect(acceptValue(type, undefined)).toEqual({ ok: true, value: null })
      fc.assert(
        fc.property(arbitraryValue(type), (value) => {
          fc.pre(!JSON.stringify(value).includes('\\u0000'))
          expect(acceptValue(type, value)).toEqual({ ok: true, value })
        }),
      )
    },
  )
})

describe('featureStatus', () => {
  it('is NULL_VALUE only for a null in a row that is present', () => {
    expect(featureStatus('PRESENT', true)).toBe('NULL_VALUE')
    expect(featureStatus('PRESENT', false)).toBe('PRESENT')
    for (const status of ['NOT_FOUND', 'OUTSIDE_TTL', 'UNAVAILABLE'] as const) {
      expect(featureStatus(status, true)).toBe(status)
    }
  })
})
