/** Spans `from` (included) to `to` (excluded), by their numbers. */
export interface SpanWindow {
  readonly from: number
  readonly to: number
}

/** A state of nothing and an associative merge of two. */
export interface Mergeable<State> {
  readonly empty: () => State
  readonly merge: (left: State, right: State) => State
}

/**
 * The merged state of each window, for windows whose beginnings and ends never go back. `numbers` ascend and say which
 * span each state is of; a span without a state is empty.
 *
 * Two stacks: what lies behind the last turn as merged suffixes, what came since as one state. Each state is merged about
 * twice however many windows hold it, and nothing is ever subtracted, which min, max, first and last could not bear and
 * which loses the digits of sums.
 */
export function slideWindows<State>(
  { empty, merge }: Mergeable<State>,
  numbers: readonly number[],
  states: readonly (State | undefined)[],
  windows: readonly SpanWindow[],
): State[] {
  const suffixes: (State | undefined)[] = []
  let low = 0
  let turn = 0
  let high = 0
  let recent: State | undefined
  // Most windows of a training set have one span: nothing is merged with nothing.
  const both = (left: State | undefined, right: State | undefined): State | undefined =>
    left === undefined ? right : right === undefined ? left : merge(left, right)
  return windows.map(({ from, to }) => {
    while (high < numbers.length && (numbers[high] ?? 0) < to) {
      recent = both(recent, states[high])
      high += 1
    }
    while (low < high && (numbers[low] ?? 0) < from) low += 1
    if (low >= turn) {
      let suffix: State | undefined
      for (let index = high - 1; index >= low; index -= 1) {
        suffix = both(states[index], suffix)
        suffixes[index] = suffix
      }
      turn = high
      recent = undefined
    }
    return (low < turn ? both(suffixes[low], recent) : recent) ?? empty()
  })
}

/**
 * How many different values each window holds. Counted per value: whole numbers are subtracted exactly, and sets would be
 * merged over and over.
 */
export function slideDistinct(
  numbers: readonly number[],
  valuesOf: readonly Iterable<string>[],
  windows: readonly SpanWindow[],
): number[] {
  const spansWith = new Map<string, number>()
  let low = 0
  let high = 0
  return windows.map(({ from, to }) => {
    while (high < numbers.length && (numbers[high] ?? 0) < to) {
      for (const value of valuesOf[high] ?? []) spansWith.set(value, (spansWith.get(value) ?? 0) + 1)
      high += 1
    }
    while (low < high && (numbers[low] ?? 0) < from) {
      for (const value of valuesOf[low] ?? []) {
        const left = (spansWith.get(value) ?? 0) - 1
        if (left === 0) spansWith.delete(value)
        else spansWith.set(value, left)
      }
      low += 1
    }
    return spansWith.size
  })
}
