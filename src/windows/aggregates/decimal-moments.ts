import { scaledOf } from '../../definitions/decimal.ts'
import { type DecimalType, decimalDigits } from '../../definitions/value-type.ts'
import { type Aggregate, exactResult } from './aggregate.ts'
import { unitsOf } from './decimal-sum.ts'
import { coded, type EventAggregate } from './event-aggregate.ts'
import { exactly, merged, numberAt, type SpanAggregate } from './span-aggregate.ts'

/**
 * Exact, in units: what a sum of squares loses in float64 it does not lose in whole numbers, so both clocks have the same
 * bits, however the events are grouped.
 */
interface Moments {
  readonly count: number
  readonly sum: bigint
  readonly squares: bigint
}

export type FinishMoments = (moments: Moments, digits: number) => number | null

/** The float64 next to the exact mean. */
export const decimalMean: FinishMoments = ({ count, sum }, digits) =>
  count === 0 ? null : ratio(sum, BigInt(count) * 10n ** BigInt(digits))

/** Of the sample: the float64 next to the exact variance. */
export const decimalVariance: FinishMoments = ({ count, sum, squares }, digits) => {
  if (count < 2) return null
  const n = BigInt(count)
  return ratio(n * squares - sum * sum, n * (n - 1n) * 100n ** BigInt(digits))
}

export const decimalStddev: FinishMoments = (moments, digits) => {
  const variance = decimalVariance(moments, digits)
  return variance === null ? null : Math.sqrt(variance)
}

function moments(finish: FinishMoments, digits: number): Aggregate<Moments> {
  return {
    empty: () => ({ count: 0, sum: 0n, squares: 0n }),
    add(state, value) {
      if (value === null) return state
      const units = unitsOf(value, digits)
      return { count: state.count + 1, sum: state.sum + units, squares: state.squares + units * units }
    },
    merge: (left, right) => ({
      count: left.count + right.count,
      sum: left.sum + right.sum,
      squares: left.squares + right.squares,
    }),
    finalise: (state) => exactResult(finish(state, digits)),
  }
}

export function momentsOfEvents(type: DecimalType, finish: FinishMoments): EventAggregate {
  return coded(moments(finish, decimalDigits(type)), {
    write(out, { count, sum, squares }) {
      out.count(count)
      out.integer(sum)
      out.integer(squares)
    },
    read: (input) => ({ count: input.count(), sum: input.integer(), squares: input.integer() }),
  })
}

/** Cells: how many values, and Postgres' exact sums of them and of their squares as text. */
export function momentsOfSpans(type: DecimalType, finish: FinishMoments): SpanAggregate {
  const digits = decimalDigits(type)
  return merged<Moments>(
    ['int64', 'string', 'string'],
    moments(finish, digits),
    (cells, at) => ({
      count: numberAt(cells, at),
      sum: scaledOf(String(cells[at + 1] ?? '0'), digits),
      squares: scaledOf(String(cells[at + 2] ?? '0'), 2 * digits),
    }),
    (state) => exactly(finish(state, digits)),
  )
}

/** More than float64 has, so that what is cut behind them decides nothing but ties. */
const quotientBits = 66

/** The float64 next to the exact quotient; the denominator is above 0. */
function ratio(numerator: bigint, denominator: bigint): number {
  const [above, below] = [Number(numerator), Number(denominator)]
  if (Number.isSafeInteger(above) && Number.isSafeInteger(below)) return above / below
  const size = numerator < 0n ? -numerator : numerator
  const shift = Math.max(0, quotientBits + bitLength(denominator) - bitLength(size))
  const shifted = size << BigInt(shift)
  const isCut = shifted % denominator !== 0n
  const quotient = Number((shifted / denominator) | (isCut ? 1n : 0n)) / 2 ** shift
  return numerator < 0n ? -quotient : quotient
}

function bitLength(value: bigint): number {
  return value.toString(2).length
}
