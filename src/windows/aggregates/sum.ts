import type { Int64, ScalarValue } from '../../definitions/value.ts'
import { isDecimal, type ScalarType, type ValueType } from '../../definitions/value-type.ts'
import {
  type Aggregate,
  type AggregateDefinition,
  exactResult,
  int64Of,
  isIntegerType,
  isNumberType,
} from './aggregate.ts'
import { decimalSumOfEvents, decimalSumOfSpans } from './decimal-sum.ts'
import { coded } from './event-aggregate.ts'
import { finite, merged, numberAt } from './span-aggregate.ts'

/** In float64; two groupings differ by rounding only, within 1e-9 of Σ|x|. */
export const floatSum: Aggregate<number> = {
  empty: () => 0,
  add: (state, value) => (value === null ? state : state + Number(value)),
  merge: (left, right) => left + right,
  finalise: exactResult,
}

const maxInt64 = 9_223_372_036_854_775_807n
const minInt64 = -9_223_372_036_854_775_808n

/** Exact: without a bound inside, so that a sum that leaves 64 bits and comes back is right. */
export const integerSum: Aggregate<bigint> = {
  empty: () => 0n,
  add: (state, value) => (value === null ? state : state + BigInt(value as Int64)),
  merge: (left, right) => left + right,
  finalise: (state) =>
    state > maxInt64 || state < minInt64 ? { value: null, overflow: true } : exactResult(int64Of(state)),
}

/** Postgres refuses a sum that leaves float64, and with it the whole statement: it adds what is smaller by this. */
export const sumScale = 2 ** -64
/** Smaller numbers leave float64 when they are scaled; they count as 0 in sums. */
export const smallestScaled = 1e-280

export interface ScaledSum {
  sum: number
  /** Σ|x|: what rounding is measured by. */
  magnitude: number
}

/** A value as Postgres scales it. */
export function scaled(value: ScalarValue): number {
  const number = Number(value)
  return Math.abs(number) > smallestScaled ? number * sumScale : 0 * number
}

/** One cell: Postgres' exact sum as text. */
const exactSpans = merged(
  ['string'],
  integerSum,
  (cells, at) => BigInt(String(cells[at] ?? '0')),
  (state) => {
    const { value, overflow } = integerSum.finalise(state)
    return { value, overflow: overflow ? state.toString() : null, tolerance: 0 }
  },
)

/** Cells: the scaled sum and the scaled Σ|x|. */
const floatSpans = merged<ScaledSum>(
  ['float64', 'float64'],
  {
    empty: () => ({ sum: 0, magnitude: 0 }),
    add(state, value) {
      if (value === null) return state
      const more = scaled(value)
      state.sum += more
      state.magnitude += Math.abs(more)
      return state
    },
    merge: (left, right) => ({ sum: left.sum + right.sum, magnitude: left.magnitude + right.magnitude }),
  },
  (cells, at) => ({ sum: numberAt(cells, at), magnitude: numberAt(cells, at + 1) }),
  ({ sum, magnitude }) => finite(sum / sumScale, (1e-9 * magnitude) / sumScale),
)

export const sumAggregate: AggregateDefinition = {
  resultType: sumType,
  emptyValue: 0,
  ofEvents(field) {
    if (isDecimal(field)) return decimalSumOfEvents(field)
    return isIntegerType(field)
      ? coded(integerSum, { write: (out, state) => out.integer(state), read: (input) => input.integer() })
      : coded(floatSum, { write: (out, state) => out.float(state), read: (input) => input.float() })
  },
  ofSpans(field) {
    if (isDecimal(field)) return decimalSumOfSpans(field)
    return isIntegerType(field) ? exactSpans : floatSpans
  },
}

function sumType(field: ScalarType): ValueType | null {
  if (isDecimal(field)) return field
  if (isIntegerType(field)) return 'int64'
  return isNumberType(field) ? 'float64' : null
}
