import { isDecimal } from '../../definitions/value-type.ts'
import { type Aggregate, type AggregateDefinition, exactResult, isNumberType } from './aggregate.ts'
import { decimalMean, momentsOfEvents, momentsOfSpans } from './decimal-moments.ts'
import { coded, type EventAggregate } from './event-aggregate.ts'
import { exactly, finite, merged, numberAt } from './span-aggregate.ts'
import { type ScaledSum, scaled, sumScale } from './sum.ts'

interface MeanState {
  readonly sum: number
  readonly count: number
}

export const mean: Aggregate<MeanState> = {
  empty: () => ({ sum: 0, count: 0 }),
  add: (state, value) =>
    value === null ? state : { sum: state.sum + Number(value), count: state.count + 1 },
  merge: (left, right) => ({ sum: left.sum + right.sum, count: left.count + right.count }),
  finalise: ({ sum, count }) => exactResult(count === 0 ? null : sum / count),
}

interface ScaledMean extends ScaledSum {
  count: number
}

/** Cells: the scaled sum, the scaled Σ|x|, how many values. */
const meanSpans = merged<ScaledMean>(
  ['float64', 'float64', 'int64'],
  {
    empty: () => ({ sum: 0, magnitude: 0, count: 0 }),
    add(state, value) {
      if (value === null) return state
      const more = scaled(value)
      state.sum += more
      state.magnitude += Math.abs(more)
      state.count += 1
      return state
    },
    merge: (left, right) => ({
      sum: left.sum + right.sum,
      magnitude: left.magnitude + right.magnitude,
      count: left.count + right.count,
    }),
  },
  (cells, at) => ({
    sum: numberAt(cells, at),
    magnitude: numberAt(cells, at + 1),
    count: numberAt(cells, at + 2),
  }),
  ({ sum, magnitude, count }) =>
    count === 0 ? exactly(null) : finite(sum / count / sumScale, (1e-9 * magnitude) / count / sumScale),
)

const meanOfEvents: EventAggregate = coded(mean, {
  write(out, state) {
    out.float(state.sum)
    out.count(state.count)
  },
  read: (input) => ({ sum: input.float(), count: input.count() }),
})

export const meanAggregate: AggregateDefinition = {
  resultType: (field) => (isNumberType(field) ? 'float64' : null),
  emptyValue: null,
  ofEvents: (field) => (isDecimal(field) ? momentsOfEvents(field, decimalMean) : meanOfEvents),
  ofSpans: (field) => (isDecimal(field) ? momentsOfSpans(field, decimalMean) : meanSpans),
}
