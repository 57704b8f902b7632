import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey } from '../definitions/value.ts'
import type { EntityRow } from '../stores/as-of-reader.ts'
import { onlineKeySuffix } from '../stores/online-value/online-key.ts'

/** A list of entity keys of one type, each with the moment that is asked for. */
export interface TimedKeys {
  readonly keys: readonly EntityKey[]
  readonly times: (row: number) => { readonly asOf: Micros; readonly knownAt: Micros | null }
}

export interface AsOfPlan {
  /** Every (key, asOf, knownAt) once. */
  readonly rows: readonly EntityRow[]
  /** Per list: where the answer of its row stands among the rows. */
  readonly placeOf: readonly ((row: number) => number)[]
}

/** The entity rows of one as-of join for several lists of one entity type: equal rows are asked for once. */
export function planAsOf(lists: readonly TimedKeys[]): AsOfPlan {
  const rows: EntityRow[] = []
  const known = new Map<string, number>()
  const placeOf = lists.map(({ keys, times }) => {
    const places = keys.map((key, index) => {
      const { asOf, knownAt } = times(index)
      const identity = `${onlineKeySuffix(key)}${asOf},${knownAt}`
      const place = known.get(identity)
      if (place !== undefined) return place
      known.set(identity, rows.length)
      return rows.push({ key, asOf, knownAt }) - 1
    })
    return (row: number) => places[row] ?? -1
  })
  return { rows, placeOf }
}
