import type { ScalarValue, Value } from '../definitions/value.ts'
import type { ScalarType, ValueType } from '../definitions/value-type.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'
import { count, distinctKey, integerSum, max, min, type VarianceState, variance } from './aggregate.ts'
import { type Mergeable, slideDistinct, slideWindows, type TileWindow } from './sliding-window.ts'

/** An aggregation's value for one window, and how exact it is. */
export interface WindowValue {
  readonly value: ScalarValue | null
  /** The exact result, or what it came to, where no value of the type can hold it; the value is null then. */
  readonly overflow: string | null
  /** Another computation over the same events may differ by so much (design section 3.5). */
  readonly tolerance: number
}

/**
 * What an aggregation keeps of the events of one tile, and how windows are made of tiles. Tiles are apart in time, so
 * first and last need no places.
 */
export interface TileAggregate {
  /** The types of the cells that a tile has for it. */
  readonly cells: readonly ValueType[]
  /**
   * The value of each window, by its place. `rows` are the tiles' cells, in the order of `numbers`, of which this
   * aggregation's begin at `offset`.
   */
  readonly slide: (
    numbers: readonly number[],
    rows: readonly (readonly (Value | null)[])[],
    offset: number,
    windows: readonly TileWindow[],
  ) => (window: number) => WindowValue
}

/** Postgres refuses a sum that leaves float64, and with it the whole statement: it adds what is smaller by this. */
export const sumScale = 2 ** -64
/** Smaller numbers leave float64 when they are scaled; they count as 0 in sums. */
export const smallestScaled = 1e-280
/** Squares of larger numbers leave float64. */
export const largestSquarable = 1e150

/** `isSingle`: there is one tile, so that different values can be counted before they come here. */
export function tileAggregate(aggregation: WindowedAggregation, isSingle: boolean): TileAggregate {
  const type = aggregation.field?.type ?? 'int64'
  switch (aggregation.aggregate) {
    case 'count':
      return merged(['int64'], count, (cells, at) => Number(cells[at]), exactly)
    case 'countDistinct':
      return isSingle ? merged(['int64'], count, (cells, at) => Number(cells[at]), exactly) : distinct(type)
    case 'sum':
      return type === 'int32' || type === 'int64' ? exactSum : floatSum
    case 'mean':
      return mean
    case 'variance':
      return varianceOf((sample) => sample)
    case 'stddev':
      return varianceOf(Math.sqrt)
    case 'min':
      return merged([type], min, scalarAt, exactly)
    case 'max':
      return merged([type], max, scalarAt, exactly)
    case 'first':
      return merged([type], firstKnown, scalarAt, exactly)
    case 'last':
      return merged([type], lastKnown, scalarAt, exactly)
  }
}

const firstKnown: Mergeable<ScalarValue | null> = {
  empty: () => null,
  merge: (earlier, later) => earlier ?? later,
}
const lastKnown: Mergeable<ScalarValue | null> = {
  empty: () => null,
  merge: (earlier, later) => later ?? earlier,
}

function exactly(value: ScalarValue | null): WindowValue {
  return { value, overflow: null, tolerance: 0 }
}

function finite(value: number, tolerance: number): WindowValue {
  return Number.isFinite(value)
    ? { value, overflow: null, tolerance }
    : { value: null, overflow: String(value), tolerance: 0 }
}

type Cells = readonly (Value | null)[]

function scalarAt(cells: Cells, at: number): ScalarValue | null {
  return (cells[at] ?? null) as ScalarValue | null
}

function merged<State>(
  cells: readonly ValueType[],
  aggregate: Mergeable<State>,
  read: (cells: Cells, at: number) => State,
  finish: (state: State) => WindowValue,
): TileAggregate {
  return {
    cells,
    slide(numbers, rows, offset, windows) {
      const states = rows.map((row) => read(row, offset))
      const slid = slideWindows(aggregate, numbers, states, windows)
      return (window) => finish(slid[window] ?? aggregate.empty())
    },
  }
}

function distinct(type: ScalarType): TileAggregate {
  return {
    cells: [`${type}[]`],
    slide(numbers, rows, offset, windows) {
      const values = rows.map((row) => ((row[offset] ?? []) as readonly ScalarValue[]).map(distinctKey))
      const slid = slideDistinct(numbers, values, windows)
      return (window) => exactly(slid[window] ?? 0)
    },
  }
}

/** Postgres' exact sum as text. */
const exactSum = merged(
  ['string'],
  integerSum,
  (cells, at) => BigInt(String(cells[at] ?? '0')),
  (state) => {
    const { value, overflow } = integerSum.finalise(state)
    return { value, overflow: overflow ? state.toString() : null, tolerance: 0 }
  },
)

interface SumState {
  readonly sum: number
  /** Σ|x|: what rounding is measured by. */
  readonly magnitude: number
}

const floatSum = merged<SumState>(
  ['float64', 'float64'],
  {
    empty: () => ({ sum: 0, magnitude: 0 }),
    merge: (left, right) => ({ sum: left.sum + right.sum, magnitude: left.magnitude + right.magnitude }),
  },
  (cells, at) => ({ sum: Number(cells[at] ?? 0), magnitude: Number(cells[at + 1] ?? 0) }),
  ({ sum, magnitude }) => finite(sum / sumScale, (1e-9 * magnitude) / sumScale),
)

interface MeanState extends SumState {
  readonly count: number
}

const mean = merged<MeanState>(
  ['float64', 'float64', 'int64'],
  {
    empty: () => ({ sum: 0, magnitude: 0, count: 0 }),
    merge: (left, right) => ({
      sum: left.sum + right.sum,
      magnitude: left.magnitude + right.magnitude,
      count: left.count + right.count,
    }),
  },
  (cells, at) => ({
    sum: Number(cells[at] ?? 0),
    magnitude: Number(cells[at + 1] ?? 0),
    count: Number(cells[at + 2] ?? 0),
  }),
  ({ sum, magnitude, count: n }) =>
    n === 0 ? exactly(null) : finite(sum / n / sumScale, (1e-9 * magnitude) / n / sumScale),
)

/** Cells: how many values, their mean, M2 / n, and how many are too large to be squared. */
function varianceOf(finalise: (sampleVariance: number) => number): TileAggregate {
  return merged<VarianceState>(
    ['int64', 'float64', 'float64', 'int64'],
    variance,
    (cells, at) => {
      const n = Number(cells[at] ?? 0)
      const tooLarge = Number(cells[at + 3] ?? 0)
      if (tooLarge > 0) return { count: n + tooLarge, mean: Number.NaN, m2: Number.NaN }
      return { count: n, mean: Number(cells[at + 1] ?? 0), m2: Number(cells[at + 2] ?? 0) * n }
    },
    ({ count: n, mean: average, m2 }) => {
      if (n < 2) return exactly(null)
      const sample = m2 / (n - 1)
      const spread = Math.sqrt(sample)
      const allowed = 1e-9 * sample + 1e-14 * Math.abs(average) * spread
      const value = finalise(sample)
      // Of a root: half the relative tolerance of what stands under it.
      return finite(value, value === sample || sample === 0 ? allowed : (allowed / sample) * value)
    },
  )
}
