import type { Micros } from '../definitions/timestamp.ts'
import type { Int64, ScalarValue } from '../definitions/value.ts'

/** Where an event stands in the total order of its source's events. */
export interface EventPlace {
  readonly timestamp: Micros
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/**
 * An aggregate in parts: `merge` is associative and commutative, so events may be added in any order and grouping, tile
 * by tile; `finalise` is asked once, at read. `add` may change the state that it is given, and answers the new one;
 * `merge` and `finalise` change nothing.
 */
export interface Aggregate<State> {
  readonly empty: () => State
  /** A null is skipped, but for count. */
  readonly add: (state: State, value: ScalarValue | null, place: EventPlace) => State
  readonly merge: (left: State, right: State) => State
  readonly finalise: (state: State) => Finalised
}

/** `overflow`: an exact integer result that 64 bits cannot hold; the value is null then. */
interface Finalised {
  readonly value: ScalarValue | null
  readonly overflow: boolean
}

function result(value: ScalarValue | null): Finalised {
  return { value, overflow: false }
}

/** Counts events, whatever their values. */
export const count: Aggregate<number> = {
  empty: () => 0,
  add: (state) => state + 1,
  merge: (left, right) => left + right,
  finalise: result,
}

/** In float64; two groupings differ by rounding only, within 1e-9 of Σ|x|. */
export const floatSum: Aggregate<number> = {
  empty: () => 0,
  add: (state, value) => (value === null ? state : state + Number(value)),
  merge: (left, right) => left + right,
  finalise: result,
}

const maxInt64 = 9_223_372_036_854_775_807n
const minInt64 = -9_223_372_036_854_775_808n

function int64Of(exact: bigint): Int64 {
  const number = Number(exact)
  return Number.isSafeInteger(number) ? number : exact.toString()
}

/** Exact: kept without a bound, so that a sum that leaves 64 bits and comes back is right. */
export const integerSum: Aggregate<bigint> = {
  empty: () => 0n,
  add: (state, value) => (value === null ? state : state + BigInt(value as Int64)),
  merge: (left, right) => left + right,
  finalise: (state) =>
    state > maxInt64 || state < minInt64 ? { value: null, overflow: true } : result(int64Of(state)),
}

interface MeanState {
  readonly sum: number
  readonly count: number
}

export const mean: Aggregate<MeanState> = {
  empty: () => ({ sum: 0, count: 0 }),
  add: (state, value) =>
    value === null ? state : { sum: state.sum + Number(value), count: state.count + 1 },
  merge: (left, right) => ({ sum: left.sum + right.sum, count: left.count + right.count }),
  finalise: ({ sum, count: n }) => result(n === 0 ? null : sum / n),
}

/** (count, mean, M2): a sum of squares loses all digits of a small variance around a large mean. */
export interface VarianceState {
  readonly count: number
  readonly mean: number
  readonly m2: number
}

const emptyVariance: VarianceState = { count: 0, mean: 0, m2: 0 }

/** Welford's step. */
function addVariance(state: VarianceState, value: ScalarValue | null): VarianceState {
  if (value === null) return state
  const x = Number(value)
  const n = state.count + 1
  const delta = x - state.mean
  const nextMean = state.mean + delta / n
  return { count: n, mean: nextMean, m2: state.m2 + delta * (x - nextMean) }
}

/** Chan, Golub and LeVeque's merge of two parts. */
function mergeVariance(left: VarianceState, right: VarianceState): VarianceState {
  if (left.count === 0) return right
  if (right.count === 0) return left
  const n = left.count + right.count
  const delta = right.mean - left.mean
  return {
    count: n,
    mean: left.mean + (delta * right.count) / n,
    m2: left.m2 + right.m2 + (delta * delta * left.count * right.count) / n,
  }
}

/** Of the sample; null below two values. */
export const variance: Aggregate<VarianceState> = {
  empty: () => emptyVariance,
  add: addVariance,
  merge: mergeVariance,
  finalise: ({ count: n, m2 }) => result(n < 2 ? null : m2 / (n - 1)),
}

export const stddev: Aggregate<VarianceState> = {
  ...variance,
  finalise: ({ count: n, m2 }) => result(n < 2 ? null : Math.sqrt(m2 / (n - 1))),
}

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
  return { empty: () => null, add: pick, merge: pick, finalise: result }
}

export const min = extreme(-1)
export const max = extreme(1)

interface PlacedValue {
  readonly place: EventPlace
  readonly value: ScalarValue
}

/** Above 0 when the left event comes later: by timestamp, topic (code units), partition, offset. */
export function compareEventPlaces(left: EventPlace, right: EventPlace): number {
  if (left.timestamp !== right.timestamp) return left.timestamp - right.timestamp
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1
  if (left.partition !== right.partition) return left.partition - right.partition
  return left.offset - right.offset
}

function atEnd(sign: 1 | -1): Aggregate<PlacedValue | null> {
  const pick = (left: PlacedValue | null, right: PlacedValue | null): PlacedValue | null => {
    if (left === null) return right
    if (right === null) return left
    return sign * compareEventPlaces(right.place, left.place) > 0 ? right : left
  }
  return {
    empty: () => null,
    add: (state, value, place) => (value === null ? state : pick(state, { value, place })),
    merge: pick,
    finalise: (state) => result(state?.value ?? null),
  }
}

/** The value of the earliest and the latest event that has one. */
export const first = atEnd(-1)
export const last = atEnd(1)

/** Exact: the values themselves. */
export const countDistinct: Aggregate<Set<string>> = {
  empty: () => new Set(),
  add: (state, value) => (value === null ? state : state.add(distinctKey(value))),
  merge: (left, right) => new Set([...left, ...right]),
  finalise: (state) => result(state.size),
}

/** Two values are the same if their keys are. */
export function distinctKey(value: ScalarValue): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value)
}
