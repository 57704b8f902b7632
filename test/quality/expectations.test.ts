import { describe, expect, it } from 'vitest'
import type { Value } from '../../src/definitions/value.ts'
import type { ValueType } from '../../src/definitions/value-type.ts'
import { brokenAge, brokenRules } from '../../src/quality/expectations.ts'
import type { Expectation } from '../../src/registry/registry.ts'

const nothing: Expectation = {
  min: null,
  max: null,
  notNull: false,
  oneOf: null,
  maxAgeMicros: null,
  action: 'warn',
}

function messages(
  expectation: Partial<Expectation>,
  value: Value | null,
  type: ValueType = 'float64',
): string[] {
  return brokenRules({ ...nothing, ...expectation }, type, value).map(({ message }) => message)
}

describe('the rules that a value breaks', () => {
  it("are reported in the seed's words, with value and bound", () => {
    expect(messages({ max: 10_000 }, 12_000)).toEqual(['Value 12000 above maximum 10000'])
    expect(messages({ min: 0 }, -0.5)).toEqual(['Value -0.5 below minimum 0'])
    expect(messages({ notNull: true }, null)).toEqual(['Value is null'])
    expect(brokenRules({ ...nothing, max: 1 }, 'int64', 2)).toEqual([
      { rule: 'MAX', value: '2', bound: '1', message: 'Value 2 above maximum 1' },
    ])
  })

  it('include neither bound itself', () => {
    expect(messages({ min: 1, max: 1 }, 1)).toEqual([])
  })

  it('are none for null but notNull', () => {
    expect(messages({ min: 1, max: 2, oneOf: [1] }, null)).toEqual([])
  })

  it('report every rule that is broken', () => {
    expect(messages({ min: 5, oneOf: [7, 8] }, 3)).toEqual([
      'Value 3 below minimum 5',
      'Value 3 is none of 7, 8',
    ])
  })

  it('compare int64 beyond 2^53 and keep their digits', () => {
    expect(messages({ max: 10 }, '9223372036854775807', 'int64')).toEqual([
      'Value 9223372036854775807 above maximum 10',
    ])
    expect(messages({ min: 0 }, '-9223372036854775808', 'int64')).toHaveLength(1)
  })

  it('compare oneOf by value and type', () => {
    expect(messages({ oneOf: ['a', ''] }, '', 'string')).toEqual([])
    expect(messages({ oneOf: ['a'] }, 'A', 'string')).toEqual(['Value A is none of a'])
    expect(messages({ oneOf: [true] }, false, 'bool')).toEqual(['Value false is none of true'])
  })
})

describe('the age of a row', () => {
  const day = 86_400_000_000
  const expectation = { ...nothing, maxAgeMicros: day }

  it('may be the bound, to the microsecond', () => {
    expect(brokenAge(expectation, 0, day)).toBeNull()
    expect(brokenAge(expectation, 0, day + 1)).toEqual({
      rule: 'MAX_AGE',
      value: '1970-01-01T00:00:00.000000Z',
      bound: '1d',
      message: 'Event timestamp 1970-01-01T00:00:00.000000Z is older than 1d',
    })
    expect(brokenAge(nothing, 0, day * 1_000)).toBeNull()
  })
})
