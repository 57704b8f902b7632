import { type Decimal, scaledOf } from '../../definitions/decimal.ts'
import type { Int64, ScalarValue } from '../../definitions/value.ts'
import { decimalDigits, isDecimal, type ScalarType } from '../../definitions/value-type.ts'
import { type Aggregate, type AggregateDefinition, exactResult, isNumberType } from './aggregate.ts'
import { coded, optional, valueCodec } from './event-aggregate.ts'
import { exactly, merged, valueCell } from './span-aggregate.ts'

/** int64 beyond 2^53 are strings, so numbers and strings of digits meet. */
function compareNumeric(left: ScalarValue, right: ScalarValue): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right
  const [a, b] = [BigInt(left as Int64), BigInt(right as Int64)]
  return a < b ? -1 : a > b ? 1 : 0
}

/** Above 0 when the left one is larger. */
type Compare = (left: ScalarValue, right: ScalarValue) => number

/** Those of more than 15 digits are strings. */
function compareDecimals(digits: number): Compare {
  return (left, right) => {
    if (typeof left === 'number' && typeof right === 'number') return left - right
    return Number(scaledOf(left as Decimal, digits) - scaledOf(right as Decimal, digits))
  }
}

function extreme(sign: 1 | -1, compare: Compare = compareNumeric): Aggregate<ScalarValue | null> {
  const pick = (left: ScalarValue | null, right: ScalarValue | null): ScalarValue | null => {
    if (left === null) return right
    if (right === null) return left
    return sign * compare(right, left) > 0 ? right : left
  }
  return { empty: () => null, add: pick, merge: pick, finalise: exactResult }
}

export const min = extreme(-1)
export const max = extreme(1)

function extremeAggregate(sign: 1 | -1): AggregateDefinition {
  const ofType = (field: ScalarType): Aggregate<ScalarValue | null> =>
    isDecimal(field) ? extreme(sign, compareDecimals(decimalDigits(field))) : extreme(sign)
  return {
    resultType: (field) => (isNumberType(field) || field === 'timestamp' ? field : null),
    emptyValue: null,
    ofEvents: (field) => coded(ofType(field), optional(valueCodec(field))),
    ofSpans(field) {
      const { type, read } = valueCell(field)
      return merged([type], ofType(field), read, exactly)
    },
  }
}

export const minAggregate = extremeAggregate(-1)
export const maxAggregate = extremeAggregate(1)
