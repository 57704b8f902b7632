import type { Micros } from '../../definitions/timestamp.ts'
import type { EntityKey, Value } from '../../definitions/value.ts'
import {
  keyOfRead,
  readsByKey,
  type ServiceInputs,
  type ServicePlan,
  type ServiceRead,
} from '../../online/service-row.ts'
import type { ViewReader } from '../../online/view-reader.ts'
import type { ViewRow } from '../../online/view-row.ts'
import type { Entity, FeatureView } from '../../registry/registry.ts'
import type { AsOfEntry, AsOfReader, EntityRow } from '../../stores/as-of-reader.ts'
import { planAsOf } from '../as-of-plan.ts'
import type { SpineRows } from '../spine/read-spine.ts'
import { type KnownAt, knownAtOf } from './known-at.ts'

export interface JoinOptions {
  readonly plan: ServicePlan
  readonly readers: ReadonlyMap<FeatureView, ViewReader>
  readonly asOfJoin: (join: {
    readonly views: readonly FeatureView[]
    readonly rows: readonly EntityRow[]
  }) => ReturnType<AsOfReader['asOfJoin']>
  readonly knownAt: KnownAt
}

/** What one spine row is answered; null: it has no time, or a join key is missing. */
export type JoinedRow = ServiceInputs | null

/** One statement per entity; one entry per spine row, in order. Equal rows are read once. */
export async function joinRows(
  { rows, keys, times, requests }: SpineRows,
  { plan, readers, asOfJoin, knownAt }: JoinOptions,
): Promise<readonly JoinedRow[]> {
  const asked: {
    readonly key: EntityKey
    readonly asOf: Micros
    readonly requests: readonly (Value | null)[]
    readonly row: number
  }[] = []
  for (let row = 0; row < rows; row += 1) {
    const [key, asOf] = [keys[row] ?? null, times[row] ?? null]
    if (key !== null && asOf !== null) asked.push({ key, asOf, requests: requests[row] ?? [], row })
  }
  const timesOf = (index: number) => {
    const asOf = asked[index]?.asOf ?? 0
    return { asOf, knownAt: knownAtOf(knownAt, asOf) }
  }
  const columns = new Map<ServiceRead, (index: number) => ViewRow>()
  const keyed = readsByKey(plan)
  await Promise.all(
    [...new Set(keyed.map(({ entity }) => entity))].map(async (entity) => {
      const groups = keyed.filter((group) => group.entity === entity)
      const views = [...new Set(groups.flatMap(({ reads }) => reads.map(({ view }) => view)))]
      const { rows: distinct, placeOf } = planAsOf(
        groups.map((group) => ({
          keys: asked.map(({ key }) => keyOfRead(group, key)),
          times: timesOf,
        })),
      )
      const answer = await inKeyOrder(entity, distinct, (ordered) => asOfJoin({ views, rows: ordered }))
      groups.forEach(({ reads }, group) => {
        const place = placeOf[group] ?? (() => -1)
        for (const read of reads) {
          const reader = readers.get(read.view)
          if (!reader) throw new TypeError(`feature view ${read.view.name} is not of this registry`)
          const entries = answer[views.indexOf(read.view)] ?? []
          columns.set(read, (row) =>
            reader.readOffline(entries[place(row)] ?? null, asked[row]?.asOf ?? 0, null),
          )
        }
      })
    }),
  )
  const joined: JoinedRow[] = new Array(rows).fill(null)
  asked.forEach(({ key, requests: own, row }, index) => {
    const viewRows = plan.reads.map((read) => {
      const column = columns.get(read)
      if (!column) throw new TypeError(`feature view ${read.view.name} was not read`)
      return column(index)
    })
    joined[row] = { key, rows: viewRows, requests: own, computed: [] }
  })
  return joined
}

/**
 * Rows of a key one after the other, the newest first: the index is then read from one end to the other, which halves the time
 * of large spines. The answer is in the order of `rows` again.
 */
async function inKeyOrder(
  { joinKeys }: Entity,
  rows: readonly EntityRow[],
  join: (ordered: readonly EntityRow[]) => Promise<readonly (readonly AsOfEntry[])[]>,
): Promise<readonly (readonly AsOfEntry[])[]> {
  const order = rows.map((_, index) => index)
  const isLess = (left: EntityRow, right: EntityRow): boolean | null => {
    for (let place = 0; place < joinKeys.length; place += 1) {
      const [a = '', b = ''] = [left.key[place], right.key[place]]
      if (a !== b) return a < b
    }
    return left.asOf === right.asOf ? null : left.asOf > right.asOf
  }
  order.sort((left, right) => {
    const [a, b] = [rows[left], rows[right]]
    const less = a && b ? isLess(a, b) : null
    return less === null ? left - right : less ? -1 : 1
  })
  const answer = await join(order.flatMap((index) => rows[index] ?? []))
  return answer.map((entries) => {
    const back: AsOfEntry[] = new Array(rows.length).fill(null)
    order.forEach((index, place) => {
      back[index] = entries[place] ?? null
    })
    return back
  })
}
