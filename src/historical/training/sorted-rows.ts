import type { Micros } from '../../definitions/timestamp.ts'
import type { KeyValue } from '../../definitions/value.ts'
import type { EntityRows } from '../../stores/entity-rows.ts'
import type { SpineRows } from '../spine/read-spine.ts'
import { type KnownAt, knownAtOf } from './known-at.ts'

export interface SortedRows {
  /** Each (key, time, known at) once; the rows of a key beside each other, the newest first. */
  readonly rows: EntityRows
  /** Per list of key places, by spine row, where its entity row stands; -1: the spine row has no key or no time. */
  readonly placeOf: readonly Int32Array[]
}

/**
 * The entity rows of some of a spine, by each list of places at which an entity's join keys stand in the spine's. Sorted, since an
 * index that is read from one end to the other answers in half the time.
 */
export function sortedRows(
  { rows, keys, times }: SpineRows,
  keyPlaces: readonly (readonly number[])[],
  knownAt: KnownAt,
): SortedRows {
  const columns: KeyValue[][] = (keyPlaces[0] ?? []).map(() => [])
  const asOf: Micros[] = []
  const owners: number[] = []
  keyPlaces.forEach((places, list) => {
    const own = places.map((place) => keys[place] ?? [])
    for (let row = 0; row < rows; row += 1) {
      const time = times[row] ?? null
      if (time === null || !isWhole(own, row)) continue
      for (let at = 0; at < own.length; at += 1) columns[at]?.push(own[at]?.[row] ?? 0)
      asOf.push(time)
      owners.push(list * rows + row)
    }
  })
  const compare = comparison(columns, asOf)
  const order = new Uint32Array(asOf.length)
  for (let index = 0; index < order.length; index += 1) order[index] = index
  order.sort(compare)

  const placeOf = keyPlaces.map(() => new Int32Array(rows).fill(-1))
  const distinct = new Uint32Array(asOf.length)
  let count = 0
  for (const index of order) {
    // The time that a row is known at follows from its own time.
    if (count === 0 || compare(distinct[count - 1] ?? 0, index) !== 0) {
      distinct[count] = index
      count += 1
    }
    const owner = owners[index] ?? 0
    const places = placeOf[Math.floor(owner / rows)]
    if (places) places[owner % rows] = count - 1
  }
  const kept = distinct.subarray(0, count)
  const ofRows = Float64Array.from(kept, (index) => asOf[index] ?? 0)
  return {
    rows: {
      length: count,
      keys: columns.map((column) => Array.from(kept, (index) => column[index] ?? 0)),
      asOf: ofRows,
      knownAt: (row) => knownAtOf(knownAt, ofRows[row] ?? 0),
    },
    placeOf,
  }
}

function isWhole(keys: SpineRows['keys'], row: number): boolean {
  for (const column of keys) if ((column[row] ?? null) === null) return false
  return true
}

/** By key, then the newest first. */
function comparison(
  columns: readonly (readonly KeyValue[])[],
  asOf: readonly Micros[],
): (left: number, right: number) => number {
  const times = Float64Array.from(asOf)
  const [only] = columns
  if (columns.length === 1 && only?.every((key) => typeof key === 'number')) {
    const keys = Float64Array.from(only as readonly number[])
    return (left, right) => (keys[left] ?? 0) - (keys[right] ?? 0) || (times[right] ?? 0) - (times[left] ?? 0)
  }
  return (left, right) => {
    for (const column of columns) {
      const order = compareKeys(column[left] ?? 0, column[right] ?? 0)
      if (order !== 0) return order
    }
    return (times[right] ?? 0) - (times[left] ?? 0)
  }
}

/** An int64 beyond the safe integers is text, which stands behind the numbers. */
function compareKeys(left: KeyValue, right: KeyValue): number {
  if (typeof left !== typeof right) return typeof left === 'number' ? -1 : 1
  return left === right ? 0 : left < right ? -1 : 1
}
