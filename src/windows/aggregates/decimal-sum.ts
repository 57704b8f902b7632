import { type Decimal, decimalOf, decimalText, isDecimalScaled, scaledOf } from '../../definitions/decimal.ts'
import type { ScalarValue } from '../../definitions/value.ts'
import { type DecimalType, decimalDigits } from '../../definitions/value-type.ts'
import { type Aggregate, exactResult } from './aggregate.ts'
import { coded, type EventAggregate } from './event-aggregate.ts'
import { merged, type SpanAggregate } from './span-aggregate.ts'

/** Units of 10^-digits of a field's value. */
export function unitsOf(value: ScalarValue, digits: number): bigint {
  return scaledOf(value as Decimal, digits)
}

/** Exact, in units of 10^-digits; without a bound inside, so that a sum that leaves 64 bits and comes back is right. */
function decimalSum(digits: number): Aggregate<bigint> {
  return {
    empty: () => 0n,
    merge: (left, right) => left + right,
    add: (state, value) => (value === null ? state : state + unitsOf(value, digits)),
    finalise: (state) =>
      isDecimalScaled(state) ? exactResult(decimalOf(state, digits)) : { value: null, overflow: true },
  }
}

export function decimalSumOfEvents(type: DecimalType): EventAggregate {
  return coded(decimalSum(decimalDigits(type)), {
    write: (out, state) => out.integer(state),
    read: (input) => input.integer(),
  })
}

/** One cell: Postgres' exact sum as text. */
export function decimalSumOfSpans(type: DecimalType): SpanAggregate {
  const digits = decimalDigits(type)
  const sum = decimalSum(digits)
  return merged(
    ['string'],
    sum,
    (cells, at) => scaledOf(String(cells[at] ?? '0'), digits),
    (state) => {
      const { value, overflow } = sum.finalise(state)
      return { value, overflow: overflow ? decimalText(state, digits) : null, tolerance: 0 }
    },
  )
}
