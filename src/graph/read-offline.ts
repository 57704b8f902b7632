import type { Micros } from '../definitions/timestamp.ts'
import { planAsOf } from '../historical/as-of-plan.ts'
import type { AsOfEntry } from '../stores/as-of-reader.ts'
import { addReadBytes, bytesOfValues } from './answer-size.ts'
import {
  type LoadingRequest,
  type Need,
  nowhere,
  observeRead,
  type RowSources,
  reasonOf,
  type Wanted,
} from './row-sources.ts'
import { offlineColumn, unavailableColumn } from './view-column.ts'

/** The columns of one entity type, in one statement; those of needs without times as of the request's now. */
export async function readOffline(
  sources: RowSources,
  request: LoadingRequest,
  signal: AbortSignal,
  wanted: readonly Wanted[],
): Promise<void> {
  const views = [...new Set(wanted.map((item) => item.view))]
  const needs = [...new Set(wanted.map((item) => item.need))]
  const present = { asOf: request.now, knownAt: null }
  const timesOf = (need: Need) => need.times ?? (() => present)
  const plan = planAsOf(needs.map((need) => ({ keys: need.keys, times: timesOf(need) })))
  const observed = observeRead(sources, request, 'offline', plan.rows.length)
  let bytes = 0
  try {
    const answer = await sources.offline.asOfJoin({ views, rows: plan.rows, visibleIn: null }, signal)
    observed()
    for (const { need, view, fill } of wanted) {
      const rows = answer[views.indexOf(view)] ?? []
      const placeOf = plan.placeOf[needs.indexOf(need)] ?? nowhere
      bytes += bytesOf(rows, need.keys.length, placeOf)
      fill(offlineColumn(sources.reader(view), rows, placeOf, (index) => timesOf(need)(index).asOf))
    }
  } catch (error) {
    observed(error)
    const reason = reasonOf(error)
    for (const { need, view, fill } of wanted) {
      const times = (index: number): Micros => timesOf(need)(index).asOf
      fill(unavailableColumn(sources.reader(view), 'OFFLINE', times, reason))
    }
  }
  addReadBytes(request.readBytes, bytes)
}

/** Each row as often as it is asked for. */
function bytesOf(rows: readonly AsOfEntry[], asked: number, placeOf: (index: number) => number): number {
  const sizes = rows.map((row) => {
    const found = row !== null && 'row' in row ? row.row : row
    return found !== null && 'values' in found ? bytesOfValues(found.values) : 0
  })
  let bytes = 0
  for (let index = 0; index < asked; index += 1) bytes += sizes[placeOf(index)] ?? 0
  return bytes
}
