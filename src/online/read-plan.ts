/** One view's keys: `prefix + suffix` for each row. Columns of one list of entities share the array of suffixes. */
export interface KeyedColumn {
  readonly prefix: string
  readonly suffixes: readonly string[]
}

export interface ReadPlan {
  /** Every key once. */
  readonly keys: readonly string[]
  /** Per column: where the answer of its row stands among the keys. */
  readonly placeOf: readonly ((row: number) => number)[]
}

/**
 * One read for many columns, duplicates read once. A single list of entities without duplicates, the usual request,
 * needs no map from key to place: that map would be a tenth of the request at 100 entities.
 */
export function planRead(columns: readonly KeyedColumn[]): ReadPlan {
  const keys: string[] = []
  const [first] = columns
  if (first && isOneDistinctList(columns, first.suffixes)) {
    const placeOf = columns.map(({ prefix, suffixes }) => {
      const start = keys.length
      for (const suffix of suffixes) keys.push(prefix + suffix)
      return (row: number) => start + row
    })
    return { keys, placeOf }
  }
  const known = new Map<string, number>()
  const placeOf = columns.map(({ prefix, suffixes }) => {
    const places = suffixes.map((suffix) => {
      const key = prefix + suffix
      const place = known.get(key)
      if (place !== undefined) return place
      known.set(key, keys.length)
      return keys.push(key) - 1
    })
    return (row: number) => places[row] ?? -1
  })
  return { keys, placeOf }
}

function isOneDistinctList(columns: readonly KeyedColumn[], suffixes: readonly string[]): boolean {
  if (!columns.every((column) => column.suffixes === suffixes)) return false
  return suffixes.length === 1 || new Set(suffixes).size === suffixes.length
}
