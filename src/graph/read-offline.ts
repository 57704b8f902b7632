import type { Micros } from '../definitions/timestamp.ts'
import { planAsOf } from '../historical/as-of-plan.ts'
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
  try {
    const answer = await sources.offline.asOfJoin({ views, rows: plan.rows, visibleIn: null }, signal)
    observed()
    for (const { need, view, fill } of wanted) {
      const rows = answer[views.indexOf(view)] ?? []
      const placeOf = plan.placeOf[needs.indexOf(need)] ?? nowhere
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
}
