import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AggregateName } from '../../src/definitions/aggregation.ts'
import { decimalOf, decimalText, scaledOf } from '../../src/definitions/decimal.ts'
import type { ScalarValue } from '../../src/definitions/value.ts'
import type { EventPlace } from '../../src/windows/aggregates/aggregate.ts'
import { aggregatedType, eventAggregate, spanAggregate } from '../../src/windows/aggregates/aggregates.ts'
import { byteReader, byteWriter } from '../../src/windows/bytes.ts'

const digits = 2
const type = 'decimal(2)'
const units = fc.oneof(
  fc.bigInt({ min: -(10n ** 7n), max: 10n ** 7n }),
  fc.constantFrom(2n ** 63n - 1n, -(2n ** 63n), 10n ** 15n, 0n),
)
const amounts = fc.array(fc.option(units), { maxLength: 30 })

function aggregation(aggregate: AggregateName) {
  return { aggregate, field: { name: 'amount', type } } as const
}

const placeOf = (offset: number): EventPlace => ({ timestamp: offset, topic: 't', partition: 0, offset })

/** Events in several parts, each through its bytes, then merged: what tiles do. */
function ofEvents(aggregate: AggregateName, list: readonly (bigint | null)[], parts: number) {
  const { empty, add, merge, finalise, write, read } = eventAggregate(aggregation(aggregate))
  const states = Array.from({ length: parts }, () => empty())
  list.forEach((amount, offset) => {
    const value = amount === null ? null : decimalOf(amount, digits)
    states[offset % parts] = add(states[offset % parts], value, placeOf(offset))
  })
  const copies = states.map((state) => {
    const out = byteWriter()
    write(out, state)
    return read(byteReader(out.take()))
  })
  return finalise(copies.reduce(merge, empty()))
}

/** The cells that Postgres would compute of a span, as its `numeric` prints them. */
function cellsOf(aggregate: AggregateName, list: readonly (bigint | null)[]): (ScalarValue | null)[] {
  const present = list.filter((amount) => amount !== null)
  const sum = present.reduce((total, amount) => total + amount, 0n)
  const squares = present.reduce((total, amount) => total + amount * amount, 0n)
  const text = (amount: bigint | undefined) => (amount === undefined ? null : decimalText(amount, digits))
  const sumText = present.length === 0 ? null : decimalText(sum, digits)
  const sorted = [...present].sort((a, b) => (a < b ? -1 : 1))
  if (aggregate === 'sum') return [sumText]
  if (aggregate === 'min') return [text(sorted[0])]
  if (aggregate === 'max') return [text(sorted.at(-1))]
  if (aggregate === 'first') return [text(present[0])]
  if (aggregate === 'last') return [text(present.at(-1))]
  return [present.length, sumText, present.length === 0 ? null : decimalText(squares, 2 * digits)]
}

/** In spans of so many events each. */
function ofSpans(aggregate: AggregateName, list: readonly (bigint | null)[], size: number) {
  const spans: (bigint | null)[][] = []
  for (let start = 0; start < list.length; start += size) spans.push(list.slice(start, start + size))
  const rows = spans.map((span) => cellsOf(aggregate, span))
  const numbers = spans.map((_, index) => index)
  return spanAggregate(aggregation(aggregate), false).slide(numbers, rows, 0, [
    { from: 0, to: spans.length },
  ])(0)
}

/** That `found` is at least as near to a quotient of whole numbers as the two float64 beside it. */
function expectNearest(found: ScalarValue | null, numerator: bigint, denominator: bigint): void {
  const distance = (number: number): bigint => {
    const difference = inLeastUnits(number) * denominator - (numerator << leastBits)
    return difference < 0n ? -difference : difference
  }
  const own = distance(Number(found))
  if (own === 0n) return
  for (const neighbour of neighboursOf(Number(found))) expect(own <= distance(neighbour)).toBe(true)
}

const leastBits = 1_074n

/** Every finite float64 is a whole number of 2^-1074. */
function inLeastUnits(number: number): bigint {
  let shift = leastBits
  let mantissa = number
  for (; !Number.isInteger(mantissa); shift -= 1n) mantissa *= 2
  return BigInt(mantissa) << shift
}

function neighboursOf(number: number): readonly number[] {
  const view = new DataView(new ArrayBuffer(8))
  return [-1n, 1n].map((step) => {
    view.setFloat64(0, number)
    view.setBigInt64(0, view.getBigInt64(0) + step)
    return view.getFloat64(0)
  })
}

describe('aggregates of decimals', () => {
  it('sum exactly in any grouping, and are null beyond the scaled 64 bits, which is reported with what it came to', () => {
    fc.assert(
      fc.property(amounts, fc.integer({ min: 1, max: 6 }), (list, parts) => {
        const exact = list.reduce<bigint>((sum, amount) => sum + (amount ?? 0n), 0n)
        const fits = exact >= -(2n ** 63n) && exact < 2n ** 63n
        const value = fits ? decimalOf(exact, digits) : null
        expect(ofEvents('sum', list, parts)).toEqual({ value, overflow: !fits })
        const overflow = fits ? null : decimalText(exact, digits)
        expect(ofSpans('sum', list, parts)).toEqual({ value, overflow, tolerance: 0 })
      }),
    )
  })

  it.each(['min', 'max', 'first', 'last'] as const)('keep the %s as it is', (aggregate) => {
    fc.assert(
      fc.property(amounts, fc.integer({ min: 1, max: 6 }), (list, parts) => {
        const [cell = null] = cellsOf(aggregate, list)
        const value = cell === null ? null : decimalOf(scaledOf(String(cell), digits), digits)
        expect(ofEvents(aggregate, list, parts).value).toBe(value)
        expect(ofSpans(aggregate, list, parts).value).toBe(value)
      }),
    )
  })

  it('have the float64 next to the exact mean and variance, the same from tiles and from spans', () => {
    fc.assert(
      fc.property(amounts, fc.integer({ min: 1, max: 6 }), (list, parts) => {
        const present = list.filter((amount) => amount !== null)
        const n = BigInt(present.length)
        const sum = present.reduce((total, amount) => total + amount, 0n)
        const squares = present.reduce((total, amount) => total + amount * amount, 0n)
        for (const aggregate of ['mean', 'variance', 'stddev'] as const)
          expect(ofEvents(aggregate, list, parts).value).toBe(ofSpans(aggregate, list, parts).value)
        const mean = ofEvents('mean', list, parts).value
        if (n === 0n) expect(mean).toBeNull()
        else expectNearest(mean, sum, n * 100n)
        const variance = ofEvents('variance', list, parts).value
        if (n < 2n) expect(variance).toBeNull()
        else expectNearest(variance, n * squares - sum * sum, n * (n - 1n) * 10_000n)
        expect(ofEvents('stddev', list, parts).value).toBe(
          variance === null ? null : Math.sqrt(Number(variance)),
        )
      }),
    )
  })

  it('have the types that the field or float64 gives', () => {
    const typeOf = (aggregate: AggregateName) => aggregatedType(aggregate, type)
    expect((['sum', 'min', 'max', 'first', 'last'] as const).map(typeOf)).toEqual(Array(5).fill(type))
    expect((['mean', 'variance', 'stddev'] as const).map(typeOf)).toEqual(Array(3).fill('float64'))
    expect((['count', 'countDistinct'] as const).map(typeOf)).toEqual(['int64', 'int64'])
  })
})
