import type { Int64, ScalarValue } from '../../definitions/value.ts'
import { type Aggregate, type AggregateDefinition, exactResult, isNumberType } from './aggregate.ts'
import { coded, optional, valueCodecs } from './event-aggregate.ts'
import { exactly, merged, scalarAt } from './span-aggregate.ts'

/** int64 beyond 2^53 are strings, so numbers and strings of digits meet. */
function compareNumeric(left: ScalarValue, right: ScalarValue): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right
  const [a, b] = [BigInt(left as Int64), BigInt(right as Int64)]
  return a < b ? -1 : a > b ? 1 : 0
}

function extreme(sign: 1 | -1): Aggregate<ScalarValue | null> {
  const pick = (left: ScalarValue | null, right: ScalarValue | null): ScalarValue | null => {
    if (left === null) return right
    if (right === null) return left
    return sign * compareNumeric(right, left) > 0 ? right : left
  }
  return { empty: () => null, add: pick, merge: pick, finalise: exactResult }
}

export const min = extreme(-1)
export const max = extreme(1)

function extremeAggregate(aggregate: Aggregate<ScalarValue | null>): AggregateDefinition {
  return {
    resultType: (field) => (isNumberType(field) || field === 'timestamp' ? field : null),
    emptyValue: null,
    ofEvents: (field) => coded(aggregate, optional(valueCodecs[field])),
    ofSpans: (field) => merged([field], aggregate, scalarAt, exactly),
  }
}

export const minAggregate = extremeAggregate(min)
export const maxAggregate = extremeAggregate(max)
