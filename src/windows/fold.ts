/** The values of one field of a window's events, in the events' order. */
type Values = readonly (number | string | null)[]

export type Aggregate = 'count' | 'sum' | 'mean' | 'min' | 'max' | 'countDistinct'

function numbers(values: Values): number[] {
  return values.flatMap((value) => (value === null ? [] : [Number(value)]))
}

/**
 * What an aggregate of a whole window is, by definition: nulls are skipped, except that count counts events; an empty
 * window is 0 for counts and sums, else null.
 */
export const fold: Readonly<Record<Aggregate, (values: Values) => number | null>> = {
  count: (values) => values.length,
  sum: (values) => numbers(values).reduce((sum, value) => sum + value, 0),
  mean: (values) => {
    const present = numbers(values)
    return present.length === 0 ? null : present.reduce((sum, value) => sum + value, 0) / present.length
  },
  min: (values) => extreme(values, (value, best) => value < best),
  max: (values) => extreme(values, (value, best) => value > best),
  countDistinct: (values) => new Set(values.filter((value) => value !== null)).size,
}

function extreme(values: Values, beats: (value: number, best: number) => boolean): number | null {
  let best: number | null = null
  for (const value of numbers(values)) if (best === null || beats(value, best)) best = value
  return best
}
