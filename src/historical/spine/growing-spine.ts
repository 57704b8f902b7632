import type { KeyValue, Value } from '../../definitions/value.ts'
import { ValueColumn } from '../../stores/value-column.ts'
import type { SpineRows } from './read-spine.ts'
import type { SpinePlan } from './spine-plan.ts'

/** An entry a row; of numbers NaN is null. */
export type Values = Float64Array | readonly (Value | null)[]

interface SpinePiece {
  readonly rows: number
  readonly times: Values
  /** By join key or request value. */
  readonly read: ReadonlyMap<string, Values>
  /** Per column of the spine; none of a typed one. */
  readonly columns: readonly Values[]
}

/** Pieces of a spine until they are enough. */
export interface GrowingSpine {
  readonly rows: () => number
  readonly add: (piece: SpinePiece) => void
  /** All rows that were added since the last `take`. */
  readonly take: (done: number) => SpineRows
}

export function growingSpine({ read }: SpinePlan): GrowingSpine {
  const [keys, requests] = [read.filter(({ isKey }) => isKey), read.filter(({ isKey }) => !isKey)]
  let pieces: SpinePiece[] = []
  let rows = 0

  function fill<Item extends Value>(
    column: ValueColumn<Item>,
    valuesOf: (piece: SpinePiece) => Values | undefined,
  ): ValueColumn<Item> {
    let first = 0
    for (const piece of pieces) {
      const values = valuesOf(piece)
      // As the spine's plan has their types.
      if (values) column.put(first, values as Float64Array | readonly (Item | null)[])
      first += piece.rows
    }
    return column
  }

  return {
    rows: () => rows,
    add(piece) {
      pieces.push(piece)
      rows += piece.rows
    },
    take(done) {
      const times = fill(new ValueColumn('timestamp', rows), (piece) => piece.times)
      const taken: SpineRows = {
        ...{ rows, done },
        times: times.numbers ?? new Float64Array(0),
        keys: keys.map(({ name, type }) =>
          fill(new ValueColumn<KeyValue>(type, rows), (piece) => piece.read.get(name)),
        ),
        requests: requests.map(({ name, type }) =>
          fill(new ValueColumn(type, rows), (piece) => piece.read.get(name)),
        ),
        columns: (pieces[0]?.columns ?? []).map((_, place) =>
          pieces.flatMap((piece) => Array.from<Value | null>(piece.columns[place] ?? [])),
        ),
      }
      pieces = []
      rows = 0
      return taken
    },
  }
}
