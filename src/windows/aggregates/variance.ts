import { isDecimal } from '../../definitions/value-type.ts'
import { type Aggregate, type AggregateDefinition, exactResult, isNumberType } from './aggregate.ts'
import {
  decimalStddev,
  decimalVariance,
  type FinishMoments,
  momentsOfEvents,
  momentsOfSpans,
} from './decimal-moments.ts'
import { coded, type StateCodec } from './event-aggregate.ts'
import { exactly, finite, merged, numberAt, type SpanAggregate } from './span-aggregate.ts'

/** (count, mean, M2): a sum of squares loses all digits of a small variance around a large mean. */
interface VarianceState {
  readonly count: number
  readonly mean: number
  readonly m2: number
}

/**
 * Of the sample; null below two values. By Welford's step, and the merge of Chan, Golub and LeVeque. Of equal values it is
 * exactly 0, however they are grouped: the first one is the mean without rounding, so that every difference from it is 0.
 */
export const variance: Aggregate<VarianceState> = {
  empty: () => ({ count: 0, mean: 0, m2: 0 }),
  add(state, value) {
    if (value === null) return state
    const x = Number(value)
    const count = state.count + 1
    const delta = x - state.mean
    const mean = state.mean + delta / count
    return { count, mean, m2: state.m2 + delta * (x - mean) }
  },
  merge(left, right) {
    if (left.count === 0) return right
    if (right.count === 0) return left
    const count = left.count + right.count
    const delta = right.mean - left.mean
    return {
      count,
      mean: left.mean + (delta * right.count) / count,
      m2: left.m2 + right.m2 + (delta * delta * left.count * right.count) / count,
    }
  },
  finalise: ({ count, m2 }) => exactResult(count < 2 ? null : m2 / (count - 1)),
}

export const stddev: Aggregate<VarianceState> = {
  ...variance,
  finalise: ({ count, m2 }) => exactResult(count < 2 ? null : Math.sqrt(m2 / (count - 1))),
}

/** Squares of larger numbers leave float64. */
export const largestSquarable = 1e150

/**
 * Cells: how many values, their mean, M2 / n, and how many are too large to be squared. Of equal values the mean is the value
 * itself and M2 is 0, as `variance` has them.
 */
function varianceSpans(finalise: (sampleVariance: number) => number): SpanAggregate {
  return merged<VarianceState>(
    ['int64', 'float64', 'float64', 'int64'],
    variance,
    (cells, at) => {
      const count = numberAt(cells, at)
      const tooLarge = numberAt(cells, at + 3)
      if (tooLarge > 0) return { count: count + tooLarge, mean: Number.NaN, m2: Number.NaN }
      return { count, mean: numberAt(cells, at + 1), m2: numberAt(cells, at + 2) * count }
    },
    ({ count, mean, m2 }) => {
      if (count < 2) return exactly(null)
      const sample = m2 / (count - 1)
      const spread = Math.sqrt(sample)
      const allowed = 1e-9 * sample + 1e-14 * Math.abs(mean) * spread
      const value = finalise(sample)
      // Of a root: half the relative tolerance of what stands under it.
      return finite(value, value === sample || sample === 0 ? allowed : (allowed / sample) * value)
    },
  )
}

const codec: StateCodec<VarianceState> = {
  write(out, state) {
    out.count(state.count)
    out.float(state.mean)
    out.float(state.m2)
  },
  read: (input) => ({ count: input.count(), mean: input.float(), m2: input.float() }),
}

function spread(
  events: Aggregate<VarianceState>,
  spans: SpanAggregate,
  ofDecimals: FinishMoments,
): AggregateDefinition {
  return {
    resultType: (field) => (isNumberType(field) ? 'float64' : null),
    emptyValue: null,
    ofEvents: (field) => (isDecimal(field) ? momentsOfEvents(field, ofDecimals) : coded(events, codec)),
    ofSpans: (field) => (isDecimal(field) ? momentsOfSpans(field, ofDecimals) : spans),
  }
}

export const varianceAggregate = spread(
  variance,
  varianceSpans((sample) => sample),
  decimalVariance,
)
export const stddevAggregate = spread(stddev, varianceSpans(Math.sqrt), decimalStddev)
