import type { Micros } from '../definitions/timestamp.ts'
import type { ScalarValue } from '../definitions/value.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'
import { spanAggregate } from './aggregates/aggregates.ts'
import type { Cells } from './aggregates/span-aggregate.ts'
import { windowStart } from './hop.ts'
import { type SpanWindow, slideWindows } from './sliding-window.ts'

type Aggregations = readonly WindowedAggregation[]

/** Moments of one key whose windows overlap, so that one reading of the events between the bounds answers all of them. */
export interface Sweep {
  /** Places of the moments, in ascending order of time. */
  readonly rows: readonly number[]
  /** Ascending: where any window of any moment begins, and the moments themselves. Spans lie between them. */
  readonly bounds: readonly Micros[]
}

/** Events of a span: the newest time that one counts at, and the latest moment that one was stored at. */
export interface SweptSpan {
  readonly number: number
  readonly newest: Micros
  readonly storedAt: Micros
  /** As `spanAggregate` reads them, of all aggregations. */
  readonly cells: Cells
}

/** What the windows at a moment hold. */
export interface SweptRow {
  readonly eventTimestamp: Micros
  readonly createdTimestamp: Micros
  readonly values: readonly (ScalarValue | null)[]
}

/** The beginning of the window that reaches furthest back. */
export function earliestStart(aggregations: Aggregations, t: Micros): Micros {
  let earliest = t
  for (const { windowMicros, hopMicros } of aggregations)
    earliest = Math.min(earliest, windowStart(t, windowMicros, hopMicros))
  return earliest
}

/**
 * The moments of one key, in any order, as sweeps that share no event: together they read every event of a window once and
 * no other, so the cost is that of moments and events, never their product.
 */
export function planSweeps(aggregations: Aggregations, times: readonly Micros[]): readonly Sweep[] {
  const places = times.map((_, place) => place)
  if (times.length > 1) places.sort((left, right) => (times[left] ?? 0) - (times[right] ?? 0))
  const sweeps: Sweep[] = []
  let rows: number[] = []
  let until = Number.NEGATIVE_INFINITY
  for (const place of places) {
    const t = times[place] ?? 0
    if (rows.length > 0 && earliestStart(aggregations, t) >= until) {
      sweeps.push(sweepOf(aggregations, times, rows))
      rows = []
    }
    rows.push(place)
    until = t
  }
  if (rows.length > 0) sweeps.push(sweepOf(aggregations, times, rows))
  return sweeps
}

function sweepOf(aggregations: Aggregations, times: readonly Micros[], rows: readonly number[]): Sweep {
  const bounds = new Set<Micros>()
  for (const place of rows) {
    const t = times[place] ?? 0
    bounds.add(t)
    for (const { windowMicros, hopMicros } of aggregations)
      bounds.add(windowStart(t, windowMicros, hopMicros))
  }
  return { rows, bounds: [...bounds].sort((left, right) => left - right) }
}

/**
 * The answers of a sweep's rows, in its order; null where no window holds an event. `spans` ascend by number and leave out
 * those without an event. Every span's state is merged about twice, however many windows hold it (`slideWindows`).
 */
export function sweepWindows(
  aggregations: Aggregations,
  { rows, bounds }: Sweep,
  times: readonly Micros[],
  spans: readonly SweptSpan[],
): readonly (SweptRow | null)[] {
  if (spans.length === 0) return rows.map(() => null)
  const numberOf = new Map(bounds.map((bound, number) => [bound, number]))
  const windowsFrom = (startAt: (t: Micros) => Micros): readonly SpanWindow[] =>
    rows.map((place) => {
      const t = times[place] ?? 0
      return { from: numberOf.get(startAt(t)) ?? 0, to: numberOf.get(t) ?? 0 }
    })
  const shared = new Map<string, readonly SpanWindow[]>()
  const numbers = spans.map(({ number }) => number)
  const cells = spans.map((span) => span.cells)
  let offset = 0
  const slid = aggregations.map((aggregation) => {
    const { windowMicros, hopMicros } = aggregation
    const identity = `${windowMicros} ${hopMicros}`
    const windows = shared.get(identity) ?? windowsFrom((t) => windowStart(t, windowMicros, hopMicros))
    shared.set(identity, windows)
    const span = spanAggregate(aggregation, false)
    const ofWindow = span.slide(numbers, cells, offset, windows)
    offset += span.cells.length
    return ofWindow
  })
  const longest = windowsFrom((t) => earliestStart(aggregations, t))
  const newest = slideNewest(spans, longest)
  return newest.map(
    (found, row) =>
      found && {
        eventTimestamp: found.newest,
        createdTimestamp: found.storedAt,
        values: slid.map((ofWindow) => ofWindow(row).value),
      },
  )
}

type Newest = Pick<SweptSpan, 'newest' | 'storedAt'>

function slideNewest(
  spans: readonly SweptSpan[],
  windows: readonly SpanWindow[],
): readonly (Newest | null)[] {
  return slideWindows<Newest | null>(
    {
      empty: () => null,
      merge(left, right) {
        if (left === null || right === null) return left ?? right
        return {
          newest: Math.max(left.newest, right.newest),
          storedAt: Math.max(left.storedAt, right.storedAt),
        }
      },
    },
    spans.map(({ number }) => number),
    spans,
    windows,
  )
}
